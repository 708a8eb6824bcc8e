"""Transforms of pose windows."""

from .body import ApproximateJoints, RandomBoneLengths
from .detector_noise import DetectorNoise
from .epoch_seed import EpochSeed
from .frame_rate import RandomFrameRate
from .motion_mix import RecombineBodies, ReverseTime
from .virtual_camera import RandomVirtualCamera, VirtualCamera

__all__ = [
    'ApproximateJoints',
    'DetectorNoise',
    'EpochSeed',
    'RandomBoneLengths',
    'RandomFrameRate',
    'RandomVirtualCamera',
    'RecombineBodies',
    'ReverseTime',
    'VirtualCamera',
]
