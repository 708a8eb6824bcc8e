"""The four pipelines: tuples of step classes, in the order in which steps run.

A pipeline's options are the fields of its steps, see :mod:`mmhot.options`. Users'
steps stand where :class:`KeypointStep` and :class:`PoseStep` are.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any, TypeVar, get_type_hints

from mmhot.chain.user_steps import (
    KeypointStep,
    PoseStep,
    UserStep,
    add_step,
    registered_steps,
)
from mmhot.lifting.lift import Lift
from mmhot.lifting.live import LiftStream
from mmhot.motion.camera import HoldCamera, RestoreCamera, StabilizeCamera
from mmhot.motion.confidence import DropUncertain
from mmhot.motion.expected_error import ExpectErrors
from mmhot.motion.extremities import AddJoints
from mmhot.motion.foot_lock import LockFeet
from mmhot.motion.given_poses import KeepBones, TakePoses
from mmhot.motion.lens import SetLens
from mmhot.motion.people import ChoosePeople
from mmhot.motion.returning import MergeReturning
from mmhot.motion.side_swaps import RepairSides
from mmhot.motion.smoothing import SmoothGivenPoses, SmoothPoses, SmoothStream
from mmhot.pose2d.estimate import EstimatePoses
from mmhot.state import Step
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.tracking.track import TrackPeople

Registered = TypeVar('Registered')
Pipeline = tuple[type[Step], ...]

VIDEO: Pipeline = (
    EstimatePoses,
    TrackPeople,
    MergeReturning,
    ChoosePeople,
    SetLens,
    RepairSides,
    DropUncertain,
    KeypointStep,
    StabilizeCamera,
    Lift,
    ExpectErrors,
    SmoothPoses,
    KeepBones,
    AddJoints,
    RestoreCamera,
    LockFeet,
    PoseStep,
)
"""From the frames of a video or image to poses: ``infer``."""

KEYPOINTS: Pipeline = (
    ChoosePeople,
    SetLens,
    RepairSides,
    DropUncertain,
    KeypointStep,
    Lift,
    ExpectErrors,
    SmoothPoses,
    KeepBones,
    AddJoints,
    HoldCamera,
    LockFeet,
    PoseStep,
)
"""From 2D keypoints to poses: ``lift``."""

POSES: Pipeline = (
    TakePoses,
    SmoothGivenPoses,
    KeepBones,
    HoldCamera,
    LockFeet,
    PoseStep,
)
"""From 3D poses of other tools to poses as those that are lifted: ``refine``."""

LIVE: Pipeline = (
    EstimatePoses,
    TrackPeople,
    SetLens,
    DropUncertain,
    KeypointStep,
    LiftStream,
    SmoothStream,
    PoseStep,
)
"""From the frames of a stream to poses, frame by frame: ``stream``."""


def list_steps(*pipelines: Pipeline) -> list[str]:
    """List the names of steps that can be left out, by default of all pipelines."""
    kinds = [kind for pipeline in pipelines or (VIDEO, POSES) for kind in pipeline]
    names = dict.fromkeys(kind.name for kind in kinds if kind.optional and kind.name)
    return [*names, *(step.name for step in registered_steps())]


def keypoint_steps() -> list[str]:
    """List the names of the steps whose results files of 2D keypoints have."""
    names = [kind.name for kind in VIDEO if kind.of_keypoints and kind.name]
    return [*names, *(step.name for step in registered_steps(KeypointStep))]


_KINDS: dict[object, type[UserStep]] = {Clip2D: KeypointStep, Clip3D: PoseStep}


def register_step(step: Registered) -> Registered:
    """Add a step; those of 2D clips run before the camera, others at the end.

    Args:
        step (type | object): An object with a ``name`` that is called with a clip and
            returns a clip, or its class. The annotation of the clip says which kind of
            clip it takes and returns. If its attribute ``live`` is True, streams run
            it, too, with clips of one frame.

    Returns:
        type | object: The same, so that it can be used as a decorator.

    Raises:
        ValueError: If the name is taken, or the call does not take one clip.

    Example::

        @mmhot.register_step
        class Confident:
            name = 'confident'

            def __call__(self, clip: mmhot.Clip3D):
                return clip.take(clip.scores.mean(1) > 0.6)
    """
    apply: Any = step() if isinstance(step, type) else step
    name = getattr(apply, 'name', None)
    if not isinstance(name, str):
        raise ValueError(f'a step needs a name: got {step}')
    if name in list_steps():
        raise ValueError(f'there is a step {name!r} already')
    kind = _KINDS[_clip_of(name, type(apply).__call__)]
    live = bool(getattr(apply, 'live', False))
    add_step(type(name, (kind,), {'name': name, 'live': live})(apply=apply))
    return step


def _clip_of(name: str, call: Callable[..., object]) -> object:
    """Return the class of the clip that a step takes."""
    _, *parameters = signature(call).parameters.values()
    needed = [x.name for x in parameters if x.default is Parameter.empty]
    kind = get_type_hints(call).get(needed[0]) if needed else None
    if kind not in _KINDS:
        raise ValueError(f'{name}: annotate the clip as mmhot.Clip2D or mmhot.Clip3D')
    if len(needed) > 1:
        raise ValueError(f'{name}: a step takes the clip alone, not {needed[1]!r}')
    return kind
