"""Transforms of pose windows and of crops around people."""

from mmhot.datasets.transforms.body import ApproximateJoints, RandomBoneLengths
from mmhot.datasets.transforms.clip_noise import ClipDetectorNoise
from mmhot.datasets.transforms.cut_off import RandomCutOff
from mmhot.datasets.transforms.detector_noise import DetectorNoise
from mmhot.datasets.transforms.epoch_seed import EpochSeed
from mmhot.datasets.transforms.frame_rate import RandomFrameRate
from mmhot.datasets.transforms.motion_mix import RecombineBodies, ReverseTime
from mmhot.datasets.transforms.occluders import PasteOccluders
from mmhot.datasets.transforms.person_crop import (
    InclusiveBox,
    RandomHalfPerson,
    RandomScaleRotation,
)
from mmhot.datasets.transforms.photograph import SeededAlbumentation
from mmhot.datasets.transforms.surroundings import ExtendPicture
from mmhot.datasets.transforms.virtual_camera import RandomVirtualCamera, VirtualCamera

__all__ = [
    'ApproximateJoints',
    'ClipDetectorNoise',
    'DetectorNoise',
    'EpochSeed',
    'ExtendPicture',
    'InclusiveBox',
    'PasteOccluders',
    'RandomBoneLengths',
    'RandomCutOff',
    'RandomFrameRate',
    'RandomHalfPerson',
    'RandomScaleRotation',
    'RandomVirtualCamera',
    'RecombineBodies',
    'ReverseTime',
    'SeededAlbumentation',
    'VirtualCamera',
]
