"""Components of MMEngine's Runner: hooks, optimizers, averages of weights."""

from mmhot.engine.batched_targets import BatchedTargetsHook
from mmhot.engine.hooks import (
    ChannelsLastHook,
    EpochSeedHook,
    FreezeHook,
    GuidanceHook,
    KeepRateHook,
    KeypointOrderHook,
)
from mmhot.engine.optimizers import (
    BFloat16OptimWrapper,
    CosineMomentumEMA,
    MuonAdamW,
)
from mmhot.engine.training import (
    CurvesHook,
    FiniteLossHook,
    TimeBudgetHook,
    WholeCheckpointHook,
)

__all__ = [
    'BFloat16OptimWrapper',
    'BatchedTargetsHook',
    'ChannelsLastHook',
    'CosineMomentumEMA',
    'CurvesHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'FreezeHook',
    'GuidanceHook',
    'KeepRateHook',
    'KeypointOrderHook',
    'MuonAdamW',
    'TimeBudgetHook',
    'WholeCheckpointHook',
]
