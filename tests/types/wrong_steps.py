"""Mistakes that mypy must report: its `type: ignore` would be unused otherwise."""

from mmhot.chain.keypoints.camera import StabilizeCamera
from mmhot.chain.keypoints.confidence import DropUncertain
from mmhot.chain.keypoints.lens import SetLens
from mmhot.chain.lifting.lift import Lift
from mmhot.chain.pipelines import VIDEO, Lifting, Poses, Video
from mmhot.chain.plan import LiftPlan, LivePlan, PosePlan
from mmhot.chain.pose2d.estimate import EstimatePoses
from mmhot.chain.poses.bones import KeepBones
from mmhot.chain.poses.extremities import AddJoints
from mmhot.chain.poses.foot_lock import LockFeet
from mmhot.chain.run import Runner
from mmhot.chain.tracking.track import TrackPeople
from mmhot.options import Values
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.clips_3d import Clip3D

# a step of poses before the lift, and a step of keypoints after it
Lifting(keypoints=(SetLens, LockFeet), lift=Lift, poses=())  # type: ignore[arg-type]
Lifting(keypoints=(), lift=Lift, poses=(KeepBones, DropUncertain))  # type: ignore[arg-type]
# steps without what they need: people, a video, 2D keypoints
Video(
    estimate=TrackPeople,  # type: ignore[arg-type]
    track=EstimatePoses,  # type: ignore[arg-type]
    returning=VIDEO.returning,
    keypoints=(),
    lift=Lift,
    poses=(),
)
Lifting(keypoints=(SetLens, StabilizeCamera), lift=Lift, poses=())  # type: ignore[arg-type]
Poses(poses=(KeepBones, AddJoints))  # type: ignore[arg-type]


def run(values: Values, keypoints: Clip2D, poses: Clip3D) -> None:
    """Run plans on what they do not start from."""
    Runner().lift(PosePlan(values), keypoints)  # type: ignore[arg-type]
    Runner().lift(LivePlan(values), keypoints)  # type: ignore[arg-type]
    Runner().refine(LiftPlan(values), poses)  # type: ignore[arg-type]
    SetLens()(poses)  # type: ignore[arg-type]
