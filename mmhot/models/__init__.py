"""Registered model components; importing this room registers them."""

from .backbones import GTPTStem, NanoHTNet
from .heads import GTPTHead, PoseLiftingHead
from .lifting_losses import PoseSequenceLoss
from .losses import GTPTLoss
from .pose_estimators import SequencePoseLifter

__all__ = [
    'GTPTHead',
    'GTPTLoss',
    'GTPTStem',
    'NanoHTNet',
    'PoseLiftingHead',
    'PoseSequenceLoss',
    'SequencePoseLifter',
]
