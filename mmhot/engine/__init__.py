"""Components of MMEngine's Runner: hooks, optimizers, averages of weights."""

from mmhot.engine.hooks import (
    EpochSeedHook,
    FreezeHook,
    KeepRateHook,
)
from mmhot.engine.optimizers import (
    BFloat16OptimWrapper,
    CosineMomentumEMA,
    MuonAdamW,
)
from mmhot.engine.training import (
    CurvesHook,
    FiniteLossHook,
    WholeCheckpointHook,
)

__all__ = [
    'BFloat16OptimWrapper',
    'CosineMomentumEMA',
    'CurvesHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'FreezeHook',
    'KeepRateHook',
    'MuonAdamW',
    'WholeCheckpointHook',
]
