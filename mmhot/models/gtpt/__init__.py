"""GTPT (ECCV 2024): group token pruning and group attention for 2D keypoints."""

from mmhot.models.gtpt.attention import GroupAttention
from mmhot.models.gtpt.group_head import GroupRTMCCHead
from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.gtpt.losses import GTPTLoss
from mmhot.models.gtpt.stem import GTPTStem

__all__ = ['GTPTHead', 'GTPTLoss', 'GTPTStem', 'GroupAttention', 'GroupRTMCCHead']
