"""Transforms of pose windows and of crops around people."""

from mmhot.datasets.transforms.detector_noise import (
    RandomClipDetectorNoise,
    RandomDetectorNoise,
)
from mmhot.datasets.transforms.image_augmentation import (
    ExtendImageBorder,
    SeededAlbumentation,
)
from mmhot.datasets.transforms.motion_augmentation import (
    RandomBodyRecombination,
    RandomFrameRate,
    RandomTimeReversal,
)
from mmhot.datasets.transforms.occlusion import RandomOccluders, RandomTruncation
from mmhot.datasets.transforms.person_crop import (
    InclusiveBBox,
    RandomBBoxScaleRotation,
    RandomHalfWholeBody,
)
from mmhot.datasets.transforms.skeleton_augmentation import (
    RandomBoneLengths,
    RandomJointDefinition,
)
from mmhot.datasets.transforms.virtual_camera import (
    ProjectToRandomCamera,
    ProjectToVirtualCamera,
)

__all__ = [
    'ExtendImageBorder',
    'InclusiveBBox',
    'ProjectToRandomCamera',
    'ProjectToVirtualCamera',
    'RandomBBoxScaleRotation',
    'RandomBodyRecombination',
    'RandomBoneLengths',
    'RandomClipDetectorNoise',
    'RandomDetectorNoise',
    'RandomFrameRate',
    'RandomHalfWholeBody',
    'RandomJointDefinition',
    'RandomOccluders',
    'RandomTimeReversal',
    'RandomTruncation',
    'SeededAlbumentation',
]
