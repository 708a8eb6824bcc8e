"""Datasets of clips and people, their samplers, transforms and batches."""

from .clip_dataset import Clip, ClipDataset
from .collate import stack_people
from .human36m_clips import Human36mClips
from .mocap_dataset import MocapDataset
from .rendered_people import RenderedPeople
from .samplers import PartSampler, SubjectBalancedSampler
from .transforms import *  # noqa: F403 registers; its __all__ names them

__all__ = [
    'Clip',
    'ClipDataset',
    'Human36mClips',
    'MocapDataset',
    'PartSampler',
    'RenderedPeople',
    'SubjectBalancedSampler',
    'stack_people',
]
