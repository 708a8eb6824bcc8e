"""Datasets of clips, their samplers and transforms."""

from .clip_dataset import Clip, ClipDataset
from .mocap_dataset import MocapDataset
from .rendered_people import RenderedPeople
from .samplers import SubjectBalancedSampler
from .transforms import *  # noqa: F403 registers; its __all__ names them

__all__ = [
    'Clip',
    'ClipDataset',
    'MocapDataset',
    'RenderedPeople',
    'SubjectBalancedSampler',
]
