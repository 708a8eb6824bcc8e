"""Token pruning, of image patches and of frames: score, keep, gather, recover."""

from mmhot.models.tokens.hourglass import Hourglass
from mmhot.models.tokens.pruned_features import PrunedFeatures
from mmhot.models.tokens.pruners import (
    AttentionPruner,
    ClusterPruner,
    MotionPruner,
    UniformPruner,
)
from mmhot.models.tokens.recoverers import AttentionRecoverer, InterpolationRecoverer
from mmhot.models.tokens.selection import gather_tokens, keep_highest

__all__ = [
    'AttentionPruner',
    'AttentionRecoverer',
    'ClusterPruner',
    'Hourglass',
    'InterpolationRecoverer',
    'MotionPruner',
    'PrunedFeatures',
    'UniformPruner',
    'gather_tokens',
    'keep_highest',
]
