"""Errors of 3D poses, as papers report them."""

from .lifting_error import LiftingError
from .pose_errors import mpjpe, p_mpjpe, procrustes_align

__all__ = ['LiftingError', 'mpjpe', 'p_mpjpe', 'procrustes_align']
