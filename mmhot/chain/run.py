"""How steps run: one after the other, timed, and recorded in the clip."""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

from mmhot.chain.frames.sources import FrameObserver, FrameSource
from mmhot.chain.frames.view import ViewOptions, take_view
from mmhot.chain.lifting.lifted import Lifted
from mmhot.chain.pipelines import keypoint_steps
from mmhot.chain.plan import LiftPlan, PosePlan, VideoPlan
from mmhot.chain.pose2d.footage import Footage
from mmhot.chain.step import Step
from mmhot.chain.user_steps import guarded, is_same
from mmhot.errors import ArgumentError
from mmhot.io.lifted import options_text
from mmhot.progress import CountStage, no_count
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip, Clip3D
from mmhot.structures.rows import Steps

T = TypeVar('T')
D = TypeVar('D')
Stage = tuple[str, Clip2D | Clip3D]
"""Name of a step, and the clip after it."""


@dataclass
class StageTimes:
    """Seconds that the stages of a pipeline took for a clip, and its frames."""

    seconds: dict[str, float] = field(default_factory=dict)  # seconds by stage
    num_frames: int = 0  # number of frames of the clip

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


def refuse_late(without: Sequence[str], applied: Container[str]) -> None:
    """Raise ArgumentError if a step to leave out has run.

    Args:
        without (Sequence[str]): Names of steps to leave out.
        applied (Container[str]): Names of steps that have run.
    """
    late = [name for name in without if name in applied]
    if late:
        raise ArgumentError(
            '{without=%r} comes too late: the step has run; leave it out when you lift',
            ','.join(late),
        )


@dataclass
class Runner:
    """Runs the steps of a plan on one clip.

    Args:
        times (StageTimes): Filled in, even if a step fails.
        count (CountStage): Receives the progress.
    """

    times: StageTimes = field(default_factory=StageTimes)
    count: CountStage = no_count

    def see(
        self,
        plan: VideoPlan,
        frames: FrameSource,
        observers: Sequence[FrameObserver] = (),
    ) -> tuple[Clip2D, Footage]:
        """Find and track the people of a video.

        Args:
            plan (VideoPlan): Steps and models.
            frames (FrameSource): The video.
            observers (Sequence[FrameObserver]): Observers of the frames beside the
                ones of the steps.

        Returns:
            tuple[Clip2D, Footage]: The tracked keypoints, and what the video showed.
        """
        estimate = plan.estimate
        with self.times.measure(estimate.part):
            footage = self._estimate(plan, take_view(frames, estimate), observers)
            turn = estimate.find_turn(footage, plan.models)
            if turn:
                turned = take_view(footage.frames, ViewOptions(rotate=turn))
                footage = self._estimate(plan, turned, observers)
        people = footage.people
        self.times.num_frames = len(people.people) - people.first
        with self.times.measure(plan.track.part):
            clip = plan.track(footage)
        clip = _last(self._run(plan.returning, clip, {}, footage), clip)
        return clip, replace(footage, tracked=clip)

    def _estimate(
        self,
        plan: VideoPlan,
        frames: FrameSource,
        observers: Sequence[FrameObserver],
    ) -> Footage:
        """Find the people of a video with new observers of the steps, and others."""
        skeleton = plan.models.estimator.skeleton
        own = [x for step in plan.steps for x in step.observers(frames, skeleton)]
        return plan.estimate(
            frames, plan.models, [*own, *observers], plan.cache, self.count
        )

    def lift(
        self, plan: LiftPlan, clip: Clip2D, footage: Footage | None = None
    ) -> Clip3D | None:
        """Lift keypoints.

        Args:
            plan (LiftPlan): Steps and lifter.
            clip (Clip2D): Keypoints.
            footage (Footage, optional): The video, for a :class:`VideoPlan`.

        Returns:
            Clip3D | None: Poses in camera axes; None if no person is left.
        """
        poses = _last(self.lift_by_step(plan, clip, footage), None)
        return poses if isinstance(poses, Clip3D) else None

    def lift_by_step(
        self, plan: LiftPlan, clip: Clip2D, footage: Footage | None = None
    ) -> Iterator[Stage]:
        """Lift keypoints as :meth:`lift`, with the same arguments.

        Yields:
            tuple[str, Clip2D | Clip3D]: Name of each step, and the clip after it.
        """
        # Other steps of an earlier run are undone: files are in pixels of the video,
        # and poses are lifted anew.
        names = keypoint_steps()
        applied = {name: clip.steps[name] for name in clip.steps if name in names}
        refuse_late(plan.without, applied)
        clip = replace(clip, steps=applied)
        for name, after in self._run(plan.keypoints, clip, applied, footage):
            clip = after
            yield name, clip
        if not clip.tracks:
            return
        for step in plan.poses:
            step.check_people(clip.name, clip.track_ids)
        with self.times.measure(plan.lift.part):
            poses, lifted = plan.lift(clip, plan.lifter, self.count)
        self.times.num_frames = self.times.num_frames or len({*poses.frame.tolist()})
        yield plan.lift.name, poses
        yield from self._run(plan.poses, poses, applied, lifted)

    def refine(self, plan: PosePlan, clip: Clip3D) -> Clip3D:
        """Run the steps of 3D poses on a clip from a file or another tool.

        Returns:
            Clip3D: Poses in the axes of the clip, or in camera axes.
        """
        return _last(self.refine_by_step(plan, clip), clip)

    def refine_by_step(
        self, plan: PosePlan, clip: Clip3D
    ) -> Iterator[tuple[str, Clip3D]]:
        """Refine poses as :meth:`refine`, with the same arguments.

        Yields:
            tuple[str, Clip3D]: Name of each step, and the clip after it.
        """
        self.times.num_frames = len({*clip.frame.tolist()})
        refuse_late(plan.without, clip.steps)
        yield from self._run(plan.poses, clip, clip.steps)

    def _run(
        self,
        steps: Iterable[Step],
        clip: Clip,
        applied: Steps,
        known: Footage | Lifted | None = None,
    ) -> Iterator[tuple[str, Clip]]:
        """Run steps until no person is left; yield the clip after each step.

        ``known`` is what steps may need besides the clip. Steps that had been
        ``applied`` to the clip do not run again.
        """
        for step in steps:
            if not clip.track_ids:
                return
            if step.optional and step.name in applied:
                _check_applied(step, applied[step.name])
                continue
            # All steps of keypoints and poses are functions of a clip.
            call = guarded(step, cast(Callable[..., Clip], step))
            with self.times.measure(step.part):
                after = call(clip, known)
            if step.optional and not is_same(clip, after):
                # A step may record more than its options.
                values = after.steps.get(step.name, step.option_values())
                after = replace(after, steps={**after.steps, step.name: values})
            clip = after
            yield step.name, clip


def _last(stages: Iterable[tuple[str, T]], default: D) -> T | D:
    """Run all steps; return the last clip, or the default if no step ran."""
    clip: T | D = default
    for _, after in stages:
        clip = after
    return clip


def _check_applied(step: Step, settings: dict[str, object]) -> None:
    """Raise ArgumentError if a step has run with other values than are stated."""
    for name in step.stated:
        value = getattr(step, name)
        before = settings.get(name, value if settings else 'other values')
        # Files have lists in place of tuples and sets.
        if before != value and options_text(before) != options_text(value):
            raise ArgumentError(
                f'{{{name}=%r}} comes too late: the step %r has run, with %s; start '
                'from the clip before it',
                value,
                step.name,
                before,
            )
