"""Registered model components; importing this room registers them."""

from .backbones import NanoHTNet
from .heads import PoseLiftingHead
from .losses import GTPTLoss
from .pose_estimators import SequencePoseLifter

__all__ = ['GTPTLoss', 'NanoHTNet', 'PoseLiftingHead', 'SequencePoseLifter']
