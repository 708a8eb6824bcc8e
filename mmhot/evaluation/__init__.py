"""Errors of 3D and 2D poses, as papers report them."""

from mmhot.evaluation import metrics  # noqa: F401 registers
from mmhot.evaluation.pose_errors import mpjpe, mpjve, p_mpjpe

__all__ = ['mpjpe', 'mpjve', 'p_mpjpe']
