"""Hooks for MMEngine's Runner."""

from .epoch_seed_hook import EpochSeedHook

__all__ = ['EpochSeedHook']
