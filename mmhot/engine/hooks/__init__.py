"""Hooks for MMEngine's Runner."""

from .channels_last_hook import ChannelsLastHook
from .epoch_seed_hook import EpochSeedHook
from .guidance_hook import GuidanceHook
from .keep_rate_hook import KeepRateHook
from .same_shapes_hook import SameShapesHook

__all__ = [
    'ChannelsLastHook',
    'EpochSeedHook',
    'GuidanceHook',
    'KeepRateHook',
    'SameShapesHook',
]
