"""Heads."""

from .pose_lifting_head import PoseLiftingHead

__all__ = ['PoseLiftingHead']
