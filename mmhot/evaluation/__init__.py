"""Errors of 3D and 2D poses, as papers report them."""

from .lifting_error import LiftingError
from .pose_errors import mpjpe, p_mpjpe, procrustes_align
from .wholebody_parts import CocoWholeBodyPartsMetric

__all__ = [
    'CocoWholeBodyPartsMetric',
    'LiftingError',
    'mpjpe',
    'p_mpjpe',
    'procrustes_align',
]
