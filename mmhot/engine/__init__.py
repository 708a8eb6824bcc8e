"""Components of MMEngine's Runner: hooks, optimizers, averages of weights."""

from mmhot.engine.hooks import (
    DeferredLossHook,
    EpochSeedHook,
    FreezeHook,
    KeypointOrderHook,
)
from mmhot.engine.optimizers import (
    BFloat16OptimWrapper,
    CosineMomentumEMA,
    MuonAdamW,
)
from mmhot.engine.training import (
    FiniteLossHook,
    WholeCheckpointHook,
)

__all__ = [
    'BFloat16OptimWrapper',
    'CosineMomentumEMA',
    'DeferredLossHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'FreezeHook',
    'KeypointOrderHook',
    'MuonAdamW',
    'WholeCheckpointHook',
]
