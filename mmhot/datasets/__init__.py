"""Datasets of clips and people, their samplers, transforms and batches."""

from mmhot.datasets.clip_dataset import Clip, ClipDataset
from mmhot.datasets.collate import stack_people
from mmhot.datasets.human36m_clips import Human36mClipDataset
from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.multi_view import MultiViewDataset
from mmhot.datasets.rendered_people import RenderedPeopleDataset
from mmhot.datasets.samplers import PartSampler, SubjectBalancedSampler
from mmhot.datasets.transforms import *  # noqa: F403 registers; its __all__ names them

__all__ = [
    'Clip',
    'ClipDataset',
    'Human36mClipDataset',
    'MocapDataset',
    'MultiViewDataset',
    'PartSampler',
    'RenderedPeopleDataset',
    'SubjectBalancedSampler',
    'stack_people',
]
