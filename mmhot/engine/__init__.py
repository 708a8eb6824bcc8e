"""What MMEngine's Runner uses: hooks and averages of models."""

from .cosine_ema import CosineMomentumEMA
from .hooks import EpochSeedHook, KeepRateHook

__all__ = ['CosineMomentumEMA', 'EpochSeedHook', 'KeepRateHook']
