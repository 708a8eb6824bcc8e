"""Steps with their options, and the loop that runs them."""

import time
from collections.abc import Container, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

from mmhot.chain.pipelines import Known, Pipeline, Seen, keypoint_steps, list_steps
from mmhot.chain.user_steps import guarded, users
from mmhot.errors import ArgumentError
from mmhot.frames.sources import FrameObserver, FrameSource
from mmhot.lifting.lift import Lift
from mmhot.lifting.lifted import Lifted
from mmhot.lifting.lifter import Lifter
from mmhot.options import Option, Options, Values, options_of, read_names, split_names
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.pose2d.footage import Footage
from mmhot.progress import CountStage, Report, no_count
from mmhot.step import Clip, ClipStep, KeypointStep, PoseStep, Step
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.rows import Steps
from mmhot.tracking.track import TrackPeople

if TYPE_CHECKING:  # only frames need OpenCV
    from mmhot.pose2d.estimation import VideoPoseEstimator

S = TypeVar('S', bound=Step)
T = TypeVar('T')
R = TypeVar('R')


@dataclass(frozen=True, kw_only=True)
class StepChoice(Options):
    """Option that leaves out steps."""

    title = 'steps'

    without: Annotated[
        tuple[str, ...],
        'steps to skip, such as sides,feet (docs/motion.md lists them)',
        Option(read=split_names, metavar='LIST'),
    ] = ()


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


Stages = Generator[tuple[str, Clip2D | Clip3D], None, R]
"""Yields names of steps and the clips after them; returns a result."""


def result_of(stages: Stages[R]) -> R:
    """Run all steps; return the result."""
    while True:
        try:
            next(stages)
        except StopIteration as end:
            return end.value


def refuse_late(without: Sequence[str], applied: Container[str]) -> None:
    """Raise ArgumentError if a step to leave out has run."""
    late = [name for name in without if name in applied]
    if late:
        text = '{without=%r} comes too late: leave the step out where the clip is made'
        raise ArgumentError(text, ','.join(late))


class Chain(Generic[Seen, Known]):
    """The steps of a pipeline with their options, and their models.

    ``cache`` is the folder in which 2D keypoints are cached; ``lifter`` and ``models``
    replace those of the options. :meth:`see`, :meth:`lift`, which also runs the steps
    of poses, and :meth:`refine` yield the clip after each step, until no person is
    left.
    """

    lifter: Lifter  # of a pipeline that lifts

    def __init__(
        self,
        pipeline: Pipeline[Seen, Known],
        values: Values,
        report: Report = Report(),
        cache: Path | None = None,
        lifter: Lifter | None = None,
        models: 'VideoPoseEstimator | None' = None,
    ) -> None:
        self._values, self._report, self._cache = values, report, cache
        without = values.of(StepChoice).without
        self._without = read_names('without', without, list_steps(pipeline))
        self._other = ''  # skeleton of a lifter that is not for people
        if lifter is None and pipeline.lift is not None:
            lifter = values.of(pipeline.lift).open()
        if lifter is not None:
            self.lifter = lifter
            self._other = '' if lifter.is_person else lifter.skeleton.name
        if models is not None:
            self.models = models
        see = self._take(pipeline.see)
        self._merge = [step for step in see if isinstance(step, KeypointStep)]
        self.keypoints = self._take(pipeline.keypoints, users(KeypointStep))
        lift = self._take(() if pipeline.lift is None else (pipeline.lift,))
        self.poses = self._take(pipeline.poses, users(PoseStep))
        self.steps: list[Step] = [*see, *self.keypoints, *lift, *self.poses]

    def _take(self, kinds: Sequence[type[S]], users: Sequence[S] = ()) -> list[S]:
        """Return the steps of a section that take part; refuse options of others."""
        steps: list[S] = []
        for kind in kinds:
            step, names = self._values.of(kind), options_of(kind)
            if not kind.name:  # the place of users' steps
                steps += [x for x in users if x.name not in self._without]
            elif kind.optional and kind.name in self._without:
                step.refuse(names, f'needs the step {kind.name!r}, which is left out')
            elif kind.of_people and self._other:
                step.refuse(names, f'is for people, not for {self._other}')
            else:
                steps.append(replace(step, report=self._report))
        return steps

    def find(self, kind: type[S]) -> S:
        """Return the step of a class."""
        return next(step for step in self.steps if isinstance(step, kind))

    @cached_property
    def models(self) -> 'VideoPoseEstimator':
        """The detector and the 2D model."""
        return self.find(EstimatePoses).open()

    def see(
        self,
        frames: FrameSource,
        times: StageTimes,
        count: CountStage = no_count,
        observers: Sequence[FrameObserver] = (),
    ) -> Stages[tuple[Clip2D, Footage]]:
        """Find and track the people of a video; ``observers`` see its frames, too.

        ``times`` are filled in, also by :meth:`lift` and :meth:`refine`, even if a step
        fails.
        """
        estimate, track = self.find(EstimatePoses), self.find(TrackPeople)
        with times.measure(estimate.part):
            names = frames, self.models.estimator.skeleton
            own = [x for step in self.steps for x in step.observers(*names)]
            seeing = [*own, *observers]
            footage = estimate(frames, self.models, seeing, self._cache, count)
        people = footage.people
        times.num_frames, times.size = len(people.people) - people.first, people.size
        with times.measure(track.part):
            clip = track(footage)
        yield track.name, clip
        clip = yield from self._run(self._merge, clip, footage, {}, times)
        return clip, replace(footage, tracked=clip)

    def lift(
        self: 'Chain[Seen, Lifted]',
        clip: Clip2D,
        footage: Seen,
        times: StageTimes,
        count: CountStage = no_count,
    ) -> Stages[Clip3D | None]:
        """Lift keypoints, of a video or without one; None if no person is left."""
        # files are in pixels of the video, and poses are lifted anew
        names = keypoint_steps()
        applied = {name: clip.steps[name] for name in clip.steps if name in names}
        clip = replace(clip, steps=applied)
        clip = yield from self._run(self.keypoints, clip, footage, applied, times)
        if not clip.tracks:
            return None
        step = self.find(Lift)
        with times.measure(step.part):
            poses, lifted = step(clip, self.lifter, count)
        times.num_frames = times.num_frames or len(set(poses.frame.tolist()))
        yield step.name, poses
        return (yield from self._run(self.poses, poses, lifted, applied, times))

    def refine(
        self: 'Chain[Seen, None]', clip: Clip3D, times: StageTimes
    ) -> Stages[Clip3D]:
        """Run the steps of poses on poses that were not lifted now."""
        clip = yield from self._run(self.poses, clip, None, clip.steps, times)
        times.num_frames = len(set(clip.frame.tolist()))
        return clip

    def _run(
        self,
        steps: Sequence[ClipStep[Clip, T]],
        clip: Clip,
        known: T,
        applied: Steps,
        times: StageTimes,
    ) -> Generator[tuple[str, Clip], None, Clip]:
        """Run steps; those that had been applied to the clip do not run again."""
        refuse_late(self._without, applied)
        for step in steps:
            if not clip.track_ids:
                break
            if step.optional and step.name in applied:
                self._check_applied(step, applied[step.name])
                continue
            with times.measure(step.part):
                after = guarded(step, step)(clip, known)
            if step.optional and after is not clip:
                # `camera` has two parts
                settings = after.steps.get(step.name) or step.option_values()
                after = replace(after, steps={**after.steps, step.name: settings})
            clip = after
            yield step.name, clip
        return clip

    def _check_applied(self, step: Step, settings: dict[str, object]) -> None:
        """Raise ArgumentError if a step has run with other values than are stated."""
        for name in step.stated:
            value = getattr(step, name)
            if settings.get(name, value) != value or not settings:
                before = settings.get(name, 'other values')
                text = f'{{{name}=%r}} comes too late: the step %r has run, with %s'
                raise ArgumentError(text, value, step.name, before)
