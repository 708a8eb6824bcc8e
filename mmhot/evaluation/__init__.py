"""Errors of 3D and 2D poses, as papers report them."""

from mmhot.evaluation.error_report import ErrorReport
from mmhot.evaluation.joint_groups import error_groups, pck_joints
from mmhot.evaluation.lifting_error import LiftingErrorMetric
from mmhot.evaluation.pose_errors import (
    auc,
    mpjae,
    mpjpe,
    mpjve,
    n_mpjpe,
    p_mpjpe,
    pck,
    procrustes_align,
)
from mmhot.evaluation.track_predictions import Track, join_tracks
from mmhot.evaluation.wholebody_parts import CocoWholeBodyPartsMetric

__all__ = [
    'CocoWholeBodyPartsMetric',
    'ErrorReport',
    'LiftingErrorMetric',
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
