"""The four pipelines: step classes, in the order in which steps run.

A pipeline's options are the fields of its steps, see :mod:`mmhot.options`.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mmhot.chain.user_steps import REGISTERED, UserKeypoints, UserPoses, users
from mmhot.keypoints.camera import StabilizeCamera
from mmhot.keypoints.confidence import DropUncertain
from mmhot.keypoints.lens import SetLens
from mmhot.keypoints.people import ChoosePeople
from mmhot.keypoints.side_swaps import RepairSides
from mmhot.lifting.lift import Lift, LiftingStep
from mmhot.lifting.lifted import Lifted
from mmhot.lifting.live import LiftStream
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.pose2d.footage import Footage
from mmhot.poses.bones import KeepBones
from mmhot.poses.camera import HoldCamera, RestoreCamera
from mmhot.poses.expected_error import ExpectErrors
from mmhot.poses.extremities import AddJoints
from mmhot.poses.foot_lock import LockFeet
from mmhot.poses.given_poses import FillGiven, FollowGiven, PlaceGiven
from mmhot.poses.sizes import ScalePeople
from mmhot.poses.smoothing import SmoothGivenPoses, SmoothPoses, SmoothStream
from mmhot.step import KeypointStep, PoseStep, Step
from mmhot.tracking.returning import MergeReturning
from mmhot.tracking.track import TrackPeople

Registered = TypeVar('Registered', bound=type[Step] | Step)
Seen = TypeVar('Seen')
Known = TypeVar('Known')


@dataclass(frozen=True)
class Pipeline(Generic[Seen, Known]):
    """Step classes in sections, which are empty where there is nothing to do.

    ``Seen`` is what steps of keypoints may need, :class:`Footage` or None; ``Known`` is
    what steps of poses may need, :class:`Lifted` or None.
    """

    # frames to Footage, Footage to Clip2D, then steps of Clip2D
    see: (
        'tuple[type[EstimatePoses], type[TrackPeople], '
        '*tuple[type[KeypointStep[Footage]], ...]] | tuple[()]'
    ) = ()
    keypoints: tuple[type[KeypointStep[Seen]], ...] = ()  # of Clip2D
    lift: type[LiftingStep] | None = None  # Clip2D to Clip3D and Lifted
    poses: tuple[type[PoseStep[Known]], ...] = ()  # of Clip3D

    @property
    def steps(self) -> tuple[type[Step], ...]:
        """All steps in their order."""
        lift = () if self.lift is None else (self.lift,)
        return (*self.see, *self.keypoints, *lift, *self.poses)


VIDEO: Pipeline[Footage, Lifted] = Pipeline(
    see=(EstimatePoses, TrackPeople, MergeReturning),
    keypoints=(
        ChoosePeople,
        SetLens,
        RepairSides,
        DropUncertain,
        UserKeypoints,
        StabilizeCamera,
    ),
    lift=Lift,
    poses=(
        ExpectErrors,
        SmoothPoses,
        KeepBones,
        AddJoints,
        RestoreCamera,
        ScalePeople,
        LockFeet,
        UserPoses,
    ),
)
"""From the frames of a video or image to poses: ``infer``."""

KEYPOINTS: Pipeline[None, Lifted] = Pipeline(
    keypoints=(ChoosePeople, SetLens, RepairSides, DropUncertain, UserKeypoints),
    lift=Lift,
    poses=(
        ExpectErrors,
        SmoothPoses,
        KeepBones,
        AddJoints,
        HoldCamera,
        ScalePeople,
        LockFeet,
        UserPoses,
    ),
)
"""From 2D keypoints to poses: ``lift``."""

POSES: Pipeline[None, None] = Pipeline(
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
"""From 3D poses of other tools to poses as those that are lifted: ``refine``."""

LIVE: Pipeline[Footage, Lifted] = Pipeline(
    see=(EstimatePoses, TrackPeople),
    keypoints=(SetLens, DropUncertain, UserKeypoints),
    lift=LiftStream,
    poses=(SmoothStream, UserPoses),
)
"""From the frames of a stream to poses, frame by frame: ``stream``."""


def list_steps(*pipelines: Pipeline[Any, Any]) -> list[str]:
    """List the names of steps that can be left out, by default of all pipelines."""
    kinds = [kind for each in pipelines or (VIDEO, POSES) for kind in each.steps]
    names = dict.fromkeys(kind.name for kind in kinds if kind.optional and kind.name)
    return [*names, *REGISTERED]


def keypoint_steps() -> list[str]:
    """List the names of the steps whose results files of 2D keypoints have.

    These files are in pixels of the video, to which ``camera`` maps them back.
    """
    kinds, back = (*VIDEO.see, *VIDEO.keypoints), {kind.name for kind in VIDEO.poses}
    names = [x.name for x in kinds if x.optional and x.name not in back]
    return [*names, *(step.name for step in users(KeypointStep))]


def register_step(step: Registered) -> Registered:
    """Add a step: one of keypoints runs before the camera, one of poses at the end.

    Args:
        step (type | Step): A subclass of :class:`mmhot.KeypointStep` or
            :class:`mmhot.PoseStep` with a ``name``, or an object of one. It is called
            with a clip, whose arrays are read-only, and what is known of its video or
            lifting, and returns a clip. If its attribute ``live`` is True, streams run
            it, too, with clips of one frame.

    Returns:
        type | Step: The same, so that it can be used as a decorator.

    Raises:
        ValueError: If it is no such step, or the name is taken.

    Example::

        @mmhot.register_step
        class Confident(mmhot.PoseStep):
            name = 'confident'

            def __call__(self, clip, lifted):
                return clip.take(clip.scores.mean(1) > 0.6)
    """
    added = step() if isinstance(step, type) else step
    if not isinstance(added, KeypointStep | PoseStep):
        kinds = 'mmhot.KeypointStep or mmhot.PoseStep'
        raise ValueError(f'a step must be a subclass of {kinds}, got {step}')
    if not getattr(added, 'name', ''):
        raise ValueError(f'a step needs a name: got {step}')
    if added.name in list_steps():
        raise ValueError(f'there is a step {added.name!r} already')
    REGISTERED[added.name] = added
    return step
