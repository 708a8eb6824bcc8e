"""Registered model components; importing this room registers them."""

from .backbones import NanoHTNet
from .heads import PoseLiftingHead
from .pose_estimators import SequencePoseLifter

__all__ = ['NanoHTNet', 'PoseLiftingHead', 'SequencePoseLifter']
