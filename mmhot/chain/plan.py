"""Plan of a run: the steps of a pipeline that take part, their options, the models."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from mmhot.chain.lifting.lift import LiftingStep
from mmhot.chain.lifting.lifted import LiftedStep
from mmhot.chain.lifting.lifter import Lifter
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
from mmhot.chain.pose2d.footage import VideoStep
from mmhot.chain.step import KeypointStep, PoseStep, S, Step
from mmhot.chain.user_steps import PLACES, users
from mmhot.options import Option, Options, Values, options_of, read_names, split_names
from mmhot.progress import Report

if TYPE_CHECKING:  # only frames need OpenCV
    from mmhot.chain.pose2d.estimation import VideoPoseEstimator

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StepChoice(Options):
    """Option that leaves out steps."""

    title = 'steps'

    without: Annotated[
        tuple[str, ...],
        f'steps to skip: {", ".join(list_steps())} (see docs/motion.md)',
        Option(read=split_names, metavar='LIST'),
    ] = ()


class Plan:
    """The steps of a pipeline that take part.

    A user's step that needs a video or keypoints is left out, with a warning, if the
    pipeline has none.

    Args:
        pipeline (Pipeline): The pipeline.
        values (Values): What the user stated.
        report (Report): Receives the lines of the steps.
    """

    def __init__(self, pipeline: Pipeline, values: Values, report: Report) -> None:
        self._pipeline = pipeline
        self._values = values
        self._report = report
        without = values.of(StepChoice).without
        names = read_names('without', without, list_steps(pipeline))
        more = [kind.name for kind in pipeline.steps if kind.goes_with in names]
        self.without = [*names, *more]
        self._animal = ''  # skeleton of a lifter that is not for people
        places = [place for kind in pipeline.kinds for place in PLACES.get(kind, ())]
        for step in users(*places):
            if not (isinstance(step, pipeline.runs) or step.name in self.without):
                needed = 'a video' if isinstance(step, VideoStep) else '2D keypoints'
                _LOGGER.warning(
                    'the step %r needs %s and is left out', step.name, needed
                )

    def take(self, kinds: Sequence[type[S]]) -> list[S]:
        """Return the steps of a section that take part.

        Args:
            kinds (Sequence[type[Step]]): Step classes of the section.

        Raises:
            ArgumentError: If an option is stated whose step does not take part.
        """
        steps: list[Step] = []
        for kind in kinds:
            if kind in PLACES:
                own = self._pipeline.users_at(kind)
                steps += [step.with_stated(self._values.stated) for step in own]
            else:
                steps.append(self._values.of(kind))
        taken = [x.reporting_to(self._report) for x in steps if self._takes_part(x)]
        return cast(list[S], taken)  # places have steps of the section's kinds only

    def _takes_part(self, step: Step) -> bool:
        """Return whether a step runs; if it does not, its options are refused."""
        if step.of_people and self._animal:
            reason = f'is for people, not for {self._animal}'
        elif step.name in self.without:
            name = step.goes_with or step.name
            reason = f'needs the step {name!r}, which is left out'
        else:
            return True
        step.refuse(options_of(type(step)), reason)
        return False

    def open_lifter(self, kind: type[LiftingStep], lifter: Lifter | None) -> Lifter:
        """Open the lifter; call this before :meth:`take`.

        Steps for people do not take part if the lifter is for animals.

        Args:
            kind (type[LiftingStep]): Step with the options of the lifter.
            lifter (Lifter | None): Replaces the one that the options name.

        Returns:
            Lifter: The lifter.
        """
        lifter = lifter or self._values.of(kind).open()
        self._animal = '' if lifter.is_person else lifter.skeleton.name
        return lifter


class PosePlan(Plan):
    """Steps of 3D poses.

    Args:
        values (Values): What the user stated.
        report (Report): Receives the lines of the steps.
        pipeline (Poses): The pipeline.
    """

    def __init__(
        self, values: Values, report: Report = Report(), pipeline: Poses = POSES
    ) -> None:
        super().__init__(pipeline, values, report)
        self.poses = self.take(pipeline.poses)


class LiftPlan(Plan):
    """Steps from 2D keypoints to 3D poses, and the lifter.

    Args:
        values (Values): What the user stated.
        report (Report): Receives the lines of the steps.
        lifter (Lifter, optional): Replaces the one that the options name.
        pipeline (Lifting | Video): The pipeline.
    """

    def __init__(
        self,
        values: Values,
        report: Report = Report(),
        lifter: Lifter | None = None,
        pipeline: Lifting | Video = KEYPOINTS,
    ) -> None:
        super().__init__(pipeline, values, report)
        self.lifter = self.open_lifter(pipeline.lift, lifter)
        self.keypoints: list[KeypointStep | VideoStep] = self.take(pipeline.keypoints)
        [self.lift] = self.take([pipeline.lift])
        self.poses: list[PoseStep | LiftedStep] = self.take(pipeline.poses)


class VideoPlan(LiftPlan):
    """Steps from the frames of a video to 3D poses, and the models.

    Args:
        values (Values): What the user stated.
        report (Report): Receives the lines of the steps.
        cache (Path, optional): Folder in which 2D keypoints are cached.
        lifter (Lifter, optional): Replaces the one that the options name.
        models (VideoPoseEstimator, optional): Replaces the detector and 2D model that
            the options name.
        pipeline (Video): The pipeline.
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
        super().__init__(values, report, lifter, pipeline)
        self.cache = cache
        [self.estimate] = self.take([pipeline.estimate])
        [self.track] = self.take([pipeline.track])
        self.returning = self.take([pipeline.returning])  # empty if it is left out
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


class LivePlan(Plan):
    """Steps from the frames of a stream to 3D poses, and the models.

    Arguments are as for :class:`VideoPlan`.

    Attributes:
        left_out (list[str]): Names of steps that need the whole clip.
    """

    def __init__(
        self,
        values: Values,
        report: Report = Report(),
        lifter: Lifter | None = None,
        models: 'VideoPoseEstimator | None' = None,
        pipeline: Live = LIVE,
    ) -> None:
        super().__init__(pipeline, values, report)
        self.lifter = self.open_lifter(pipeline.lift, lifter)
        [self.estimate] = self.take([pipeline.estimate])
        [self.track] = self.take([pipeline.track])
        keypoints = self.take(pipeline.keypoints)
        [self.lift] = self.take([pipeline.lift])
        poses = self.take(pipeline.poses)
        self.left_out = [x.name for x in (*keypoints, *poses) if not x.live]
        self.keypoints = [step for step in keypoints if step.live]
        self.poses = [step for step in poses if step.live]
        self.models = models or self.estimate.open()
