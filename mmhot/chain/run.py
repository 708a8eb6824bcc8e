"""How steps run: one after the other, timed, and recorded in the clip."""

import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mmhot.chain.pipelines import keypoint_steps
from mmhot.chain.plan import LiftPlan, PosePlan, VideoPlan
from mmhot.chain.user_steps import guarded, is_same
from mmhot.errors import ArgumentError
from mmhot.frames.sources import FrameObserver, FrameSource
from mmhot.lifting.lifted import Lifted
from mmhot.pose2d.footage import Footage
from mmhot.progress import CountStage, no_count
from mmhot.step import Step
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip, Clip3D
from mmhot.structures.rows import Steps

Stage = tuple[str, Clip2D | Clip3D]
"""Name of a step, and the clip after it."""


@dataclass
class StageTimes:
    """Seconds that the stages of a pipeline took for a clip, and what the clip is."""

    seconds: dict[str, float] = field(default_factory=dict)  # seconds by stage
    num_frames: int = 0
    size: tuple[int, int] = (0, 0)  # width and height of a video in pixels

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
    """Raise ArgumentError if a step to leave out has run."""
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
        """Find and track the people of a video; ``observers`` see its frames, too."""
        estimate, track = plan.estimate, plan.track
        with self.times.measure(estimate.part):
            names = frames, plan.models.estimator.skeleton
            own = [x for step in plan.steps for x in step.observers(*names)]
            seeing = [*own, *observers]
            footage = estimate(frames, plan.models, seeing, plan.cache, self.count)
        people = footage.people
        self.times.num_frames = len(people.people) - people.first
        self.times.size = people.size
        with self.times.measure(track.part):
            clip = track(footage)
        calls = [(step, guarded(step, step)) for step in plan.returning]
        clip = _last(self._run(plan.without, calls, clip, {}, footage), clip)
        return clip, replace(footage, tracked=clip)

    def lift(self, plan: LiftPlan, clip: Clip2D) -> Clip3D | None:
        """Lift keypoints without their video; None if no person is left."""
        return _lifted(self.lift_by_step(plan, clip))

    def lift_by_step(self, plan: LiftPlan, clip: Clip2D) -> Iterator[Stage]:
        """Lift keypoints without their video; yields the clip after each step."""
        return self._lift(plan, clip)

    def lift_seen(
        self, plan: VideoPlan, clip: Clip2D, footage: Footage
    ) -> Clip3D | None:
        """Lift the keypoints of :meth:`see`; None if no person is left."""
        return _lifted(self.lift_seen_by_step(plan, clip, footage))

    def lift_seen_by_step(
        self, plan: VideoPlan, clip: Clip2D, footage: Footage
    ) -> Iterator[Stage]:
        """Lift the keypoints of :meth:`see`; yields the clip after each step."""
        return self._lift(plan, clip, footage)

    def refine(self, plan: PosePlan, clip: Clip3D) -> Clip3D:
        """Run the steps of poses on poses that were not lifted now."""
        return _last(self.refine_by_step(plan, clip), clip)

    def refine_by_step(
        self, plan: PosePlan, clip: Clip3D
    ) -> Iterator[tuple[str, Clip3D]]:
        """Run the steps of poses; yields the clip after each step."""
        self.times.num_frames = len(set(clip.frame.tolist()))
        calls = [(step, guarded(step, step)) for step in plan.poses]
        yield from self._run(plan.without, calls, clip, clip.steps)

    def _lift(
        self,
        plan: LiftPlan | VideoPlan,
        clip: Clip2D,
        footage: Footage | None = None,
    ) -> Iterator[Stage]:
        # files are in pixels of the video, and poses are lifted anew
        names = keypoint_steps()
        applied = {name: clip.steps[name] for name in clip.steps if name in names}
        clip = replace(clip, steps=applied)
        calls = [(step, guarded(step, step)) for step in plan.keypoints]
        for name, after in self._run(plan.without, calls, clip, applied, footage):
            clip = after
            yield name, clip
        if not clip.tracks:
            return
        with self.times.measure(plan.lift.part):
            poses, lifted = plan.lift(clip, plan.lifter, self.count)
        self.times.num_frames = self.times.num_frames or len({*poses.frame.tolist()})
        yield plan.lift.name, poses
        of_poses = [(step, guarded(step, step)) for step in plan.poses]
        yield from self._run(plan.without, of_poses, poses, applied, lifted)

    def _run(
        self,
        without: Sequence[str],
        calls: Iterable[tuple[Step, Callable[..., Clip]]],
        clip: Clip,
        applied: Steps,
        known: Footage | Lifted | None = None,
    ) -> Iterator[tuple[str, Clip]]:
        """Run steps until no person is left, with what else is ``known`` of the clip.

        Those that had been ``applied`` to the clip do not run again.
        """
        refuse_late(without, applied)
        for step, call in calls:
            if not clip.track_ids:
                return
            if step.optional and step.name in applied:
                _check_applied(step, applied[step.name])
                continue
            with self.times.measure(step.part):
                after = call(clip, known)
            if step.optional and not is_same(clip, after):
                # a step may record more than its options, and so may another part of it
                values = after.steps.get(step.name, step.option_values())
                after = replace(after, steps={**after.steps, step.name: values})
            clip = after
            yield step.name, clip


def _last(stages: Iterable[tuple[str, Clip]], clip: Clip) -> Clip:
    """Run all steps; return the clip after the last one, or else the given one."""
    last = deque(stages, maxlen=1)
    return last[0][1] if last else clip


def _lifted(stages: Iterable[Stage]) -> Clip3D | None:
    """Run all steps; return the poses, or None if nobody was left to lift."""
    last = deque(stages, maxlen=1)
    poses = last[0][1] if last else None
    return poses if isinstance(poses, Clip3D) else None


def _check_applied(step: Step, settings: dict[str, object]) -> None:
    """Raise ArgumentError if a step has run with other values than are stated."""
    for name in step.stated:
        value = getattr(step, name)
        if settings.get(name, value) != value or not settings:
            before = settings.get(name, 'other values')
            raise ArgumentError(
                f'{{{name}=%r}} comes too late: the step %r has run, with %s',
                value,
                step.name,
                before,
            )
