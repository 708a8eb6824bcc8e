"""Steps with their options, and the loop that runs them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mmhot.chain.pipelines import Pipeline, keypoint_steps, list_steps
from mmhot.chain.user_steps import UserStep, registered_steps
from mmhot.errors import ArgumentError
from mmhot.lifting.lift import LiftingStep
from mmhot.lifting.lifter import Lifter
from mmhot.options import Options, Values, option, options_of, read_names, split_names
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.progress import Report
from mmhot.state import State, Step
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.rows import Steps

if TYPE_CHECKING:  # only frames need OpenCV
    from mmhot.pose2d.estimation import VideoPoseEstimator

T = TypeVar('T', bound=Step)


@dataclass(frozen=True, kw_only=True)
class StepChoice(Options):
    """Option that leaves out steps."""

    title = 'steps'

    without: Any = option(
        'steps to skip, such as sides,feet (docs/motion.md lists them)',
        (),
        convert=split_names,
        metavar='LIST',
    )


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

    def count(self, state: State) -> None:
        """Note the size of the clip."""
        if state.people is not None:
            self.num_frames = len(state.people.people) - state.people.first
            self.size = state.people.size
        elif state.poses is not None:
            self.num_frames = len(set(state.poses.frame.tolist()))


class Chain:
    """The steps of a pipeline, and what the user stated."""

    def __init__(self, steps: Sequence[Step], stated: Values | None = None) -> None:
        self.steps = list(steps)
        self._stated = {} if stated is None else stated.stated

    def find(self, kind: type[T]) -> T:
        """Return the step of a class."""
        return next(step for step in self.steps if isinstance(step, kind))

    def __call__(self, state: State, times: StageTimes | None = None) -> State:
        """Run the steps on whatever is known of a clip.

        Steps that a clip has had do not run again; that they have run with other values
        is an error. The result has no poses if no person was found. ``times`` are
        filled in, even if a step fails.
        """
        times = StageTimes() if times is None else times
        if state.poses is None and state.keypoints is not None:
            # files are in pixels of the video, and poses are lifted anew
            names, clip = keypoint_steps(), state.keypoints
            steps = {name: clip.steps[name] for name in clip.steps if name in names}
            state = replace(state, keypoints=replace(clip, steps=steps))
        applied = {} if state.clip is None else state.clip.steps
        for step in self.steps:
            if step.name in applied and step.optional:
                self._check_applied(step, applied[step.name])
                continue
            with times.measure(step.part):
                after = step(state)
            state = _recorded(step, state, after)
            times.count(state)
            if state.poses is None and state.keypoints and not state.keypoints.tracks:
                break
        return state

    def _check_applied(self, step: Step, settings: dict[str, object]) -> None:
        """Raise ArgumentError if a step has run with other values than are stated."""
        for name in options_of(type(step)).keys() & self._stated.keys():
            value = getattr(step, name)
            if settings.get(name, value) != value or not settings:
                before = settings.get(name, 'other values')
                text = f'{{{name}=%r}} comes too late: the step %r has run, with %s'
                raise ArgumentError(text, value, step.name, before)


def _recorded(step: Step, before: State, after: State) -> State:
    """Append a step that changed a clip to the steps of this clip."""
    if not step.optional:
        return after

    def steps_of(clip: Clip2D | Clip3D) -> Steps:
        # `camera` has two parts
        settings = clip.steps.get(step.name) or step.option_values()
        return {**clip.steps, step.name: settings}

    keypoints, poses = after.keypoints, after.poses
    if keypoints is not None and keypoints is not before.keypoints:
        keypoints = replace(keypoints, steps=steps_of(keypoints))
    if poses is not None and poses is not before.poses:
        poses = replace(poses, steps=steps_of(poses))
    return replace(after, keypoints=keypoints, poses=poses)


def build(
    pipeline: Pipeline,
    values: Values,
    report: Report = Report(),
    cache: Path | None = None,
    lifter: Lifter | None = None,
    models: 'VideoPoseEstimator | None' = None,
) -> Chain:
    """Give the steps of a pipeline their options.

    ``cache`` is the folder in which 2D keypoints are cached; ``lifter`` and ``models``
    replace those of the options.
    """
    without = values.of(StepChoice).without
    without = read_names('without', without, list_steps(pipeline))
    steps: list[Step] = []
    for kind in pipeline:
        if issubclass(kind, UserStep):
            steps += [x for x in registered_steps(kind) if x.name not in without]
            continue
        step = replace(values.of(kind), report=report)
        if step.optional and step.name in without:
            stated = options_of(kind).keys() & values.stated.keys()
            step.refuse(stated, f'needs the step {step.name!r}, which is left out')
            continue
        if isinstance(step, LiftingStep):
            step = replace(step, opened=lifter)
        elif isinstance(step, EstimatePoses):
            step = replace(step, cache=cache, opened=models)
        steps.append(step)
    lifters = [step.lifter for step in steps if isinstance(step, LiftingStep)]
    if lifters and not lifters[0].is_person:
        reason = f'is for people, not for {lifters[0].skeleton.name}'
        for step in steps:
            if step.of_people:
                step.refuse(options_of(type(step)), reason)
        steps = [step for step in steps if not step.of_people]
    watches = tuple(watch for step in steps for watch in step.watch())
    ready = [
        replace(step, watches=watches) if isinstance(step, EstimatePoses) else step
        for step in steps
    ]
    return Chain(ready, values)
