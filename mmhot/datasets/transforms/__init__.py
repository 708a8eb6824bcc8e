"""Transforms of pose windows and of crops around people."""

from mmhot.datasets.transforms.body import ApproximateJoints, RandomBoneLengths
from mmhot.datasets.transforms.clip_noise import RandomClipDetectorNoise
from mmhot.datasets.transforms.cut_off import RandomCutOff
from mmhot.datasets.transforms.detector_noise import RandomDetectorNoise
from mmhot.datasets.transforms.epoch_seed import SeedTransforms
from mmhot.datasets.transforms.frame_rate import RandomFrameRate
from mmhot.datasets.transforms.motion_mix import (
    RandomBodyRecombination,
    RandomTimeReversal,
)
from mmhot.datasets.transforms.occluders import RandomOccluders
from mmhot.datasets.transforms.person_crop import (
    InclusiveBBox,
    RandomBBoxScaleRotation,
    RandomHalfWholeBody,
)
from mmhot.datasets.transforms.photograph import SeededAlbumentation
from mmhot.datasets.transforms.surroundings import ExtendImageBorder
from mmhot.datasets.transforms.virtual_camera import (
    ProjectToRandomCamera,
    ProjectToVirtualCamera,
)

__all__ = [
    'ApproximateJoints',
    'RandomClipDetectorNoise',
    'RandomDetectorNoise',
    'SeedTransforms',
    'ExtendImageBorder',
    'InclusiveBBox',
    'RandomOccluders',
    'RandomBoneLengths',
    'RandomCutOff',
    'RandomFrameRate',
    'RandomHalfWholeBody',
    'RandomBBoxScaleRotation',
    'ProjectToRandomCamera',
    'RandomBodyRecombination',
    'RandomTimeReversal',
    'SeededAlbumentation',
    'ProjectToVirtualCamera',
]
