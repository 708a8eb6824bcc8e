"""Token pruning, of image patches and of frames: score, keep, gather, recover."""

from .hourglass import Hourglass
from .pruned_features import PrunedFeatures
from .pruners import AttentionPruner, ClusterPruner, MotionPruner, UniformPruner
from .recoverers import AttentionRecoverer, InterpolationRecoverer
from .selection import gather_tokens, keep_highest

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
