"""Errors of 3D and 2D poses, as papers report them."""

from mmhot.evaluation import metrics
from mmhot.evaluation.pose_errors import mpjpe, mpjve, p_mpjpe, procrustes_align

__all__ = ['metrics', 'mpjpe', 'mpjve', 'p_mpjpe', 'procrustes_align']
