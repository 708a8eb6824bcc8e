"""What MMEngine's Runner uses: hooks, averages of models, precision, optimizers."""

from .bfloat16_optim_wrapper import BFloat16OptimWrapper
from .cosine_ema import CosineMomentumEMA
from .hooks import ChannelsLastHook, EpochSeedHook, GuidanceHook, KeepRateHook
from .muon_adamw import MuonAdamW

__all__ = [
    'BFloat16OptimWrapper',
    'ChannelsLastHook',
    'CosineMomentumEMA',
    'EpochSeedHook',
    'GuidanceHook',
    'KeepRateHook',
    'MuonAdamW',
]
