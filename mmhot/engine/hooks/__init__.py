"""Hooks for MMEngine's Runner."""

from .epoch_seed_hook import EpochSeedHook
from .guidance_hook import GuidanceHook
from .keep_rate_hook import KeepRateHook

__all__ = ['EpochSeedHook', 'GuidanceHook', 'KeepRateHook']
