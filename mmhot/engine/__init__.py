"""Components of MMEngine's Runner: hooks, optimizers, averages of weights."""

from mmhot.engine.batched_targets import BatchedTargetsHook
from mmhot.engine.hooks import (
    ChannelsLastHook,
    EpochSeedHook,
    FreezeHook,
    GuidanceHook,
    KeepRateHook,
)
from mmhot.engine.optimizers import (
    BFloat16OptimWrapper,
    CosineMomentumEMA,
    MuonAdamW,
)

__all__ = [
    'BFloat16OptimWrapper',
    'BatchedTargetsHook',
    'ChannelsLastHook',
    'CosineMomentumEMA',
    'EpochSeedHook',
    'FreezeHook',
    'GuidanceHook',
    'KeepRateHook',
    'MuonAdamW',
]
