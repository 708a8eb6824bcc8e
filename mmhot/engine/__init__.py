"""Hooks for MMEngine's Runner."""

from .hooks import EpochSeedHook

__all__ = ['EpochSeedHook']
