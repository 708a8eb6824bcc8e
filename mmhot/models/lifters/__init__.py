"""3D pose lifters: backbones, heads, losses and the estimator around them."""

from .estimator import SequencePoseLifter
from .flattened_pose import FlattenedPoseBackbone
from .htnet import HTNet
from .losses import PoseSequenceLoss
from .mhformer import MHFormer
from .mixste import MixSTE
from .motionagformer import MotionAGFormer
from .motionbert import MotionBERT
from .nanohtnet import NanoHTNet
from .pose_head import PoseLiftingHead, RepresentationHead
from .poseclr import PoseCLR

__all__ = [
    'HTNet',
    'MHFormer',
    'MixSTE',
    'MotionAGFormer',
    'MotionBERT',
    'NanoHTNet',
    'PoseCLR',
    'PoseLiftingHead',
    'PoseSequenceLoss',
    'RepresentationHead',
    'SequencePoseLifter',
    'FlattenedPoseBackbone',
]
