"""Datasets of clips and people, their samplers, transforms and batches."""

from mmhot.datasets.clip_dataset import Clip, ClipDataset
from mmhot.datasets.collate import stack_people
from mmhot.datasets.human36m_clips import Human36mClips
from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.rendered_people import RenderedPeople
from mmhot.datasets.samplers import PartSampler, SubjectBalancedSampler
from mmhot.datasets.transforms import *  # noqa: F403 registers; its __all__ names them

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
