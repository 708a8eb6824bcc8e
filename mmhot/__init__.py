"""Token pruning for 2D and 3D human pose estimation, as an MMPose plugin.

Importing this package is cheap: it imports neither PyTorch nor MMEngine. Components
register themselves with MMPose when :mod:`mmhot.plugin` is imported; the names below
are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmhot import compat
from mmhot.version import __version__

if TYPE_CHECKING:
    from mmhot.apis.lifting import infer, lift, refine, steps
    from mmhot.apis.stream import stream
    from mmhot.chain.formats import register_writer
    from mmhot.chain.lifting.lifted import LiftedStep
    from mmhot.chain.lifting.lifter import Lifter
    from mmhot.chain.pose2d.footage import VideoStep
    from mmhot.chain.pose2d.interfaces import Detector, PoseEstimator
    from mmhot.chain.pose2d.pose_source import register_pose_estimator
    from mmhot.chain.registration import register_step
    from mmhot.chain.step import KeypointStep, PoseStep
    from mmhot.io.lifted import read_lifted
    from mmhot.io.readers.files import register_reader
    from mmhot.io.readers.keypoints import read_keypoints
    from mmhot.skeletons.joints import convert_keypoints, get_skeleton
    from mmhot.structures.clips_2d import Clip2D, Track2D
    from mmhot.structures.clips_3d import Clip3D

_LAZY = {
    'Clip2D': 'mmhot.structures.clips_2d',
    'Clip3D': 'mmhot.structures.clips_3d',
    'Detector': 'mmhot.chain.pose2d.interfaces',
    'KeypointStep': 'mmhot.chain.step',
    'PoseEstimator': 'mmhot.chain.pose2d.interfaces',
    'PoseStep': 'mmhot.chain.step',
    'Track2D': 'mmhot.structures.clips_2d',
    'LiftedStep': 'mmhot.chain.lifting.lifted',
    'Lifter': 'mmhot.chain.lifting.lifter',
    'VideoStep': 'mmhot.chain.pose2d.footage',
    'convert_keypoints': 'mmhot.skeletons.joints',
    'get_skeleton': 'mmhot.skeletons.joints',
    'infer': 'mmhot.apis.lifting',
    'lift': 'mmhot.apis.lifting',
    'read_keypoints': 'mmhot.io.readers.keypoints',
    'read_lifted': 'mmhot.io.lifted',
    'refine': 'mmhot.apis.lifting',
    'register_pose_estimator': 'mmhot.chain.pose2d.pose_source',
    'register_reader': 'mmhot.io.readers.files',
    'register_step': 'mmhot.chain.registration',
    'register_writer': 'mmhot.chain.formats',
    'steps': 'mmhot.apis.lifting',
    'stream': 'mmhot.apis.stream',
}

__all__ = [
    'Clip2D',
    'Clip3D',
    'Detector',
    'KeypointStep',
    'LiftedStep',
    'Lifter',
    'PoseEstimator',
    'PoseStep',
    'Track2D',
    'VideoStep',
    '__version__',
    'convert_keypoints',
    'get_skeleton',
    'infer',
    'lift',
    'read_keypoints',
    'read_lifted',
    'refine',
    'register_pose_estimator',
    'register_reader',
    'register_step',
    'register_writer',
    'steps',
    'stream',
]

compat.apply(light=True)


if not TYPE_CHECKING:  # type checkers see the imports above, and report other names

    def __getattr__(name: str) -> Any:
        """Import a public name on first use."""
        if name not in _LAZY:
            raise AttributeError(f"module 'mmhot' has no attribute {name!r}")
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List the public names, for completion."""
    return sorted([*__all__, *(x for x in globals() if x.startswith('__'))])
