"""What MMEngine's Runner uses: hooks, averages of models, precision, optimizers."""

from mmhot.engine.bfloat16_optim_wrapper import BFloat16OptimWrapper
from mmhot.engine.cosine_ema import CosineMomentumEMA
from mmhot.engine.hooks import (
    ChannelsLastHook,
    EpochSeedHook,
    GuidanceHook,
    KeepRateHook,
)
from mmhot.engine.muon_adamw import MuonAdamW

__all__ = [
    'BFloat16OptimWrapper',
    'ChannelsLastHook',
    'CosineMomentumEMA',
    'EpochSeedHook',
    'GuidanceHook',
    'KeepRateHook',
    'MuonAdamW',
]
