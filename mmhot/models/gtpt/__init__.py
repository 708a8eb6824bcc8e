"""GTPT (ECCV 2024): group token pruning and group attention for 2D keypoints."""

from .head import GTPTHead
from .losses import GTPTLoss, PatchGuidanceLoss
from .stem import GTPTStem

__all__ = [
    'GTPTHead',
    'GTPTLoss',
    'GTPTStem',
    'PatchGuidanceLoss',
]
