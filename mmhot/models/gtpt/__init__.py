"""GTPT (ECCV 2024): group token pruning and group attention for 2D keypoints."""

from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.gtpt.losses import GTPTLoss
from mmhot.models.gtpt.stem import GTPTStem

__all__ = ['GTPTHead', 'GTPTLoss', 'GTPTStem']
