"""Errors of 3D and 2D poses, as papers report them."""

from .error_report import ErrorReport
from .joint_groups import error_groups, pck_joints
from .lifting_error import LiftingError
from .pose_errors import (
    auc,
    mpjae,
    mpjpe,
    mpjve,
    n_mpjpe,
    p_mpjpe,
    pck,
    procrustes_align,
)
from .tracks import Track, join_tracks
from .wholebody_parts import CocoWholeBodyPartsMetric

__all__ = [
    'CocoWholeBodyPartsMetric',
    'ErrorReport',
    'LiftingError',
    'Track',
    'auc',
    'error_groups',
    'join_tracks',
    'mpjae',
    'mpjpe',
    'mpjve',
    'n_mpjpe',
    'p_mpjpe',
    'pck',
    'pck_joints',
    'procrustes_align',
]
