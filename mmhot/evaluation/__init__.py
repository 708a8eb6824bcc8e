"""Errors of 3D and 2D poses, as papers report them."""

from mmhot.evaluation.clip_predictions import ClipPrediction, join_predictions
from mmhot.evaluation.error_report import ErrorReport
from mmhot.evaluation.metrics import (
    CocoWholeBodyPartsMetric,
    LiftingErrorMetric,
    ViewRetrievalMetric,
)
from mmhot.evaluation.pose_errors import mpjpe, mpjve, p_mpjpe, procrustes_align

__all__ = [
    'ClipPrediction',
    'CocoWholeBodyPartsMetric',
    'ErrorReport',
    'LiftingErrorMetric',
    'ViewRetrievalMetric',
    'join_predictions',
    'mpjpe',
    'mpjve',
    'p_mpjpe',
    'procrustes_align',
]
