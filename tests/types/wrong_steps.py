"""Mistakes that mypy must report: its `type: ignore` would be unused otherwise."""

from mmhot.chain.pipelines import KEYPOINTS, POSES, Pipeline
from mmhot.chain.run import Chain, StageTimes
from mmhot.keypoints.camera import StabilizeCamera
from mmhot.keypoints.confidence import DropUncertain
from mmhot.keypoints.lens import SetLens
from mmhot.lifting.lift import Lift
from mmhot.lifting.lifted import Lifted
from mmhot.options import Values
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.pose2d.footage import Footage
from mmhot.poses.bones import KeepBones
from mmhot.poses.extremities import AddJoints
from mmhot.poses.foot_lock import LockFeet
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D
from mmhot.tracking.track import TrackPeople

# a step of poses before the lift, and a step of keypoints after it
Pipeline[None, Lifted](keypoints=(SetLens, LockFeet), lift=Lift)  # type: ignore[arg-type]
Pipeline[None, Lifted](lift=Lift, poses=(KeepBones, DropUncertain))  # type: ignore[arg-type]
# steps without what they need: people, a video, 2D keypoints
Pipeline[Footage, Lifted](see=(TrackPeople, EstimatePoses), lift=Lift)  # type: ignore[arg-type]
Pipeline[None, Lifted](keypoints=(SetLens, StabilizeCamera), lift=Lift)  # type: ignore[arg-type]
Pipeline[None, None](poses=(KeepBones, AddJoints))  # type: ignore[arg-type]


def run(values: Values, keypoints: Clip2D, poses: Clip3D) -> None:
    """Run a chain on what it does not start from."""
    Chain(POSES, values).lift(keypoints, None, StageTimes())  # type: ignore[misc]
    Chain(KEYPOINTS, values).refine(poses, StageTimes())  # type: ignore[misc]
    SetLens()(poses, None)  # type: ignore[arg-type]
