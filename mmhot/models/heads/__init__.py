"""Heads."""

from .gtpt_head import GTPTHead
from .pose_lifting_head import PoseLiftingHead
from .representation_head import RepresentationHead

__all__ = ['GTPTHead', 'PoseLiftingHead', 'RepresentationHead']
