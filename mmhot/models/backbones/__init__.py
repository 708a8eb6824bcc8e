"""Backbones."""

from .gtpt_stem import GTPTStem
from .htnet import HTNet
from .mhformer import MHFormer
from .mixste import MixSTE
from .motionagformer import MotionAGFormer
from .motionbert import MotionBERT
from .nanohtnet import NanoHTNet
from .whole_pose_backbone import WholePoseBackbone

__all__ = [
    'GTPTStem',
    'HTNet',
    'MHFormer',
    'MixSTE',
    'MotionAGFormer',
    'MotionBERT',
    'NanoHTNet',
    'WholePoseBackbone',
]
