"""Plan of a run: the steps of a pipeline that take part, their options, the models."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mmhot.chain.pipelines import (
    KEYPOINTS,
    LIVE,
    POSES,
    VIDEO,
    Lifting,
    Live,
    Pipeline,
    Poses,
    Video,
    list_steps,
)
from mmhot.chain.user_steps import PLACES, users
from mmhot.lifting.lift import LiftingStep
from mmhot.lifting.lifted import LiftedStep
from mmhot.lifting.lifter import Lifter
from mmhot.options import Option, Options, Values, options_of, read_names, split_names
from mmhot.pose2d.footage import VideoStep
from mmhot.progress import Report
from mmhot.step import KeypointStep, PoseStep, S, Step

if TYPE_CHECKING:  # only frames need OpenCV
    from mmhot.pose2d.estimation import VideoPoseEstimator

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StepChoice(Options):
    """Option that leaves out steps."""

    title = 'steps'

    without: Annotated[
        tuple[str, ...],
        'steps to skip, such as sides,feet (docs/motion.md lists them)',
        Option(read=split_names, metavar='LIST'),
    ] = ()


class Plan:
    """The steps of a pipeline that take part.

    Users' steps that need a video or keypoints are left out of a pipeline that has
    their place, but not what they need; a warning says so.

    Args:
        pipeline (Pipeline): The pipeline.
        values (Values): What the user stated.
        report (Report): Receives the lines of the steps.
    """

    def __init__(self, pipeline: Pipeline, values: Values, report: Report) -> None:
        self._values, self._report = values, report
        without = values.of(StepChoice).without
        self.without = read_names('without', without, list_steps(pipeline))
        self._other = ''  # skeleton of a lifter that is not for people
        places = [place for kind in pipeline.kinds for place in PLACES.get(kind, ())]
        for step in users(*places):
            if not (isinstance(step, pipeline.runs) or step.name in self.without):
                needed = 'a video' if isinstance(step, VideoStep) else '2D keypoints'
                _LOGGER.warning(
                    'the step %r needs %s and is left out', step.name, needed
                )

    def take(self, kinds: Sequence[type[S]], users: Sequence[S] = ()) -> list[S]:
        """Return the steps of a section that take part; refuse options of others."""
        steps: list[S] = []
        for kind in kinds:
            own = kind not in PLACES
            given = [x.with_stated(self._values.stated) for x in users]
            for step in [self._values.of(kind)] if own else given:
                if step.of_people and self._other:
                    reason = f'is for people, not for {self._other}'
                    step.refuse(options_of(type(step)), reason)
                else:
                    steps.append(step)
        return [x.reporting_to(self._report) for x in steps if self._takes_part(x)]

    def _takes_part(self, step: Step) -> bool:
        """Return whether a step is not left out; if it is, its options are refused."""
        if not (step.optional and step.name in self.without):
            return True
        reason = f'needs the step {step.name!r}, which is left out'
        step.refuse(options_of(type(step)), reason)
        return False

    def open_lifter(self, kind: type[LiftingStep], lifter: Lifter | None) -> Lifter:
        """Return a lifter that was opened before, or open the chosen one."""
        lifter = lifter or self._values.of(kind).open()
        self._other = '' if lifter.is_person else lifter.skeleton.name
        return lifter


class PosePlan(Plan):
    """Steps of 3D poses."""

    def __init__(
        self, values: Values, report: Report = Report(), pipeline: Poses = POSES
    ) -> None:
        super().__init__(pipeline, values, report)
        self.poses = self.take(pipeline.poses, users(PoseStep))


class LiftPlan(Plan):
    """Steps from 2D keypoints to 3D poses, and the lifter."""

    def __init__(
        self,
        values: Values,
        report: Report = Report(),
        lifter: Lifter | None = None,
        pipeline: Lifting = KEYPOINTS,
    ) -> None:
        super().__init__(pipeline, values, report)
        self.lifter = self.open_lifter(pipeline.lift, lifter)
        self.keypoints = self.take(pipeline.keypoints, users(KeypointStep))
        [self.lift] = self.take([pipeline.lift])
        self.poses: list[PoseStep | LiftedStep] = self.take(
            pipeline.poses, users(PoseStep, LiftedStep)
        )


class _SeeingPlan(Plan):
    """Steps from frames to 3D poses."""

    def __init__(
        self,
        pipeline: Video | Live,
        values: Values,
        report: Report,
        lifter: Lifter | None,
    ) -> None:
        super().__init__(pipeline, values, report)
        self.lifter = self.open_lifter(pipeline.lift, lifter)
        [self.estimate] = self.take([pipeline.estimate])
        [self.track] = self.take([pipeline.track])
        self.keypoints: list[KeypointStep | VideoStep] = self.take(
            pipeline.keypoints, users(KeypointStep, VideoStep)
        )
        self.poses: list[PoseStep | LiftedStep] = self.take(
            pipeline.poses, users(PoseStep, LiftedStep)
        )


class VideoPlan(_SeeingPlan):
    """Steps from the frames of a video to 3D poses, and the models.

    ``cache`` is the folder in which 2D keypoints are cached. A ``lifter`` or ``models``
    that are given replace the ones that the options name.
    """

    def __init__(
        self,
        values: Values,
        report: Report = Report(),
        cache: Path | None = None,
        lifter: Lifter | None = None,
        models: 'VideoPoseEstimator | None' = None,
        pipeline: Video = VIDEO,
    ) -> None:
        super().__init__(pipeline, values, report, lifter)
        self.cache = cache
        self.returning = self.take([pipeline.returning])  # none if it is left out
        [self.lift] = self.take([pipeline.lift])
        if models is not None:
            self.models = models

    @property
    def steps(self) -> list[Step]:
        """All steps in their order."""
        seeing = [self.estimate, self.track, *self.returning]
        return [*seeing, *self.keypoints, self.lift, *self.poses]

    @cached_property
    def models(self) -> 'VideoPoseEstimator':
        """The detector and the 2D model, opened at first use."""
        return self.estimate.open()


class LivePlan(_SeeingPlan):
    """Steps of a stream, and the models. Steps that are not live are left out."""

    def __init__(
        self,
        values: Values,
        report: Report = Report(),
        lifter: Lifter | None = None,
        models: 'VideoPoseEstimator | None' = None,
        pipeline: Live = LIVE,
    ) -> None:
        super().__init__(pipeline, values, report, lifter)
        [self.lift] = self.take([pipeline.lift])
        steps = *self.keypoints, *self.poses
        self.left_out = [step.name for step in steps if not step.live]
        self.keypoints = [step for step in self.keypoints if step.live]
        self.poses = [step for step in self.poses if step.live]
        self.models = models or self.estimate.open()
