"""The four pipelines: step classes, in the order in which steps run.

A pipeline's options are the fields of its steps, see :mod:`mmhot.options`.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

from mmhot.chain.keypoints.camera import StabilizeCamera
from mmhot.chain.keypoints.confidence import DropUncertain, DropUncertainDetections
from mmhot.chain.keypoints.corrections import CorrectJoints, CorrectPeople
from mmhot.chain.keypoints.lens import SetLens
from mmhot.chain.keypoints.people import ChoosePeople
from mmhot.chain.keypoints.side_swaps import RepairSides
from mmhot.chain.lifting.lift import Lift
from mmhot.chain.lifting.lifted import LiftedStep
from mmhot.chain.lifting.live import LiftStream
from mmhot.chain.pose2d.estimate import EstimatePoses
from mmhot.chain.pose2d.footage import VideoStep
from mmhot.chain.poses.bones import KeepBones
from mmhot.chain.poses.camera import HoldCamera, RestoreCamera
from mmhot.chain.poses.expected_error import ExpectErrors
from mmhot.chain.poses.extremities import AddJoints
from mmhot.chain.poses.foot_lock import LockFeet
from mmhot.chain.poses.given_poses import FillGiven, FollowGiven, PlaceGiven
from mmhot.chain.poses.sizes import ScalePeople
from mmhot.chain.poses.smoothing import SmoothGivenPoses, SmoothPoses, SmoothStream
from mmhot.chain.step import KeypointStep, PoseStep, Step
from mmhot.chain.tracking.returning import MergeReturning
from mmhot.chain.tracking.track import TrackPeople
from mmhot.chain.user_steps import (
    PLACES,
    REGISTERED,
    UserKeypoints,
    UserPoses,
    users,
)


@dataclass(frozen=True)
class Pipeline:
    """Step classes by section."""

    # Classes of users' steps that can run, as the pipeline has all that they need
    runs: ClassVar[tuple[type[Step], ...]]

    @property
    def kinds(self) -> list[type[Step]]:
        """All step classes in their order, with the places of users' steps."""
        kinds: list[type[Step]] = []
        for field in fields(self):
            section = getattr(self, field.name)
            kinds += section if isinstance(section, tuple) else [section]
        return kinds

    def users_at(self, place: type[Step]) -> list[Step]:
        """List users' steps for a place, if the pipeline has all that they need.

        Args:
            place (type[Step]): A class of :data:`mmhot.chain.user_steps.PLACES`.
        """
        return [x for x in users(*PLACES[place]) if isinstance(x, self.runs)]

    @property
    def steps(self) -> tuple[type[Step], ...]:
        """All step classes in the order in which they run, with users' steps."""
        kinds: list[type[Step]] = []
        for kind in self.kinds:
            kinds += map(type, self.users_at(kind)) if kind in PLACES else [kind]
        return tuple(kinds)


@dataclass(frozen=True)
class Poses(Pipeline):
    """Steps on 3D poses alone, without keypoints or video."""

    runs = (PoseStep,)

    poses: tuple[type[PoseStep], ...]


@dataclass(frozen=True)
class Lifting(Pipeline):
    """Steps from 2D keypoints, without their video, to 3D poses."""

    runs = (KeypointStep, PoseStep, LiftedStep)

    keypoints: tuple[type[KeypointStep], ...]
    lift: type[Lift]
    poses: tuple[type[PoseStep | LiftedStep], ...]


@dataclass(frozen=True)
class Video(Pipeline):
    """Steps from the frames of a video to 3D poses."""

    runs = (Step,)

    estimate: type[EstimatePoses]
    track: type[TrackPeople]
    returning: type[MergeReturning]
    keypoints: tuple[type[KeypointStep | VideoStep], ...]
    lift: type[Lift]
    poses: tuple[type[PoseStep | LiftedStep], ...]


@dataclass(frozen=True)
class Live(Pipeline):
    """Steps from the frames of a stream to 3D poses, frame by frame."""

    runs = (Step,)

    estimate: type[EstimatePoses]
    track: type[TrackPeople]
    keypoints: tuple[type[KeypointStep | VideoStep], ...]
    lift: type[LiftStream]
    poses: tuple[type[PoseStep | LiftedStep], ...]


VIDEO = Video(
    estimate=EstimatePoses,
    track=TrackPeople,
    returning=MergeReturning,
    keypoints=(
        CorrectPeople,
        ChoosePeople,
        SetLens,
        RepairSides,
        CorrectJoints,
        DropUncertainDetections,
        UserKeypoints,
        StabilizeCamera,
    ),
    lift=Lift,
    poses=(
        ExpectErrors,
        SmoothPoses,
        AddJoints,
        RestoreCamera,
        ScalePeople,
        KeepBones,
        LockFeet,
        UserPoses,
    ),
)
"""From the frames of a video or image to poses: ``infer``."""

KEYPOINTS = Lifting(
    keypoints=(
        CorrectPeople,
        ChoosePeople,
        SetLens,
        RepairSides,
        CorrectJoints,
        DropUncertain,
        UserKeypoints,
    ),
    lift=Lift,
    poses=(
        ExpectErrors,
        SmoothPoses,
        AddJoints,
        HoldCamera,
        ScalePeople,
        KeepBones,
        LockFeet,
        UserPoses,
    ),
)
"""From 2D keypoints to poses: ``lift``."""

POSES = Poses(
    poses=(
        FollowGiven,
        FillGiven,
        PlaceGiven,
        SmoothGivenPoses,
        KeepBones,
        HoldCamera,
        LockFeet,
        UserPoses,
    )
)
"""From 3D poses of other tools to poses like lifted ones: ``refine``."""

LIVE = Live(
    estimate=EstimatePoses,
    track=TrackPeople,
    keypoints=(SetLens, DropUncertainDetections, UserKeypoints),
    lift=LiftStream,
    poses=(SmoothStream, UserPoses),
)
"""From the frames of a stream to poses, frame by frame: ``stream``."""


def list_steps(*pipelines: Pipeline) -> list[str]:
    """List the names of the steps that users can leave out.

    Args:
        *pipelines (Pipeline): The pipelines. Defaults to all.

    Returns:
        list[str]: Names, each once.
    """
    kinds = [kind for each in pipelines or (VIDEO, POSES) for kind in each.steps]
    optional = [kind for kind in kinds if kind.optional]
    names = dict.fromkeys(kind.goes_with or kind.name for kind in optional)
    return [*names, *(name for name in REGISTERED if name not in names)]


def keypoint_steps() -> list[str]:
    """List the names of the steps whose result is in files of 2D keypoints."""
    kinds: list[type[Step]] = [VIDEO.returning, *KEYPOINTS.keypoints]
    names = [kind.name for kind in kinds if kind not in PLACES and kind.optional]
    return [*names, *(step.name for step in users(*PLACES[UserKeypoints]))]
