"""Registration of the codecs with MMPose."""

from mmpose.registry import KEYPOINT_CODECS

from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.codecs.pose_lifting import LIFTING_CODECS

__all__ = ['GTPTLabel']

for codec in LIFTING_CODECS.values():
    KEYPOINT_CODECS.register_module(module=codec)
