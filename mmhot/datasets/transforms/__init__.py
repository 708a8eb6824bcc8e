"""Transforms of pose windows and of crops around people."""

from .body import ApproximateJoints, RandomBoneLengths
from .clip_noise import ClipDetectorNoise
from .cut_off import RandomCutOff
from .detector_noise import DetectorNoise
from .epoch_seed import EpochSeed
from .frame_rate import RandomFrameRate
from .motion_mix import RecombineBodies, ReverseTime
from .occluders import PasteOccluders
from .person_crop import InclusiveBox, RandomHalfPerson, RandomScaleRotation
from .photograph import SeededAlbumentation
from .surroundings import ExtendPicture
from .virtual_camera import RandomVirtualCamera, VirtualCamera

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
