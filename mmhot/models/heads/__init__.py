"""Heads."""

from .pose_lifting_head import PoseLiftingHead
from .representation_head import RepresentationHead

__all__ = ['PoseLiftingHead', 'RepresentationHead']
