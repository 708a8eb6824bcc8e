"""Datasets of clips and people, with their transforms, samplers and collation."""

from mmhot.datasets import transforms
from mmhot.datasets.clip_dataset import Clip, ClipDataset
from mmhot.datasets.data_loading import SubjectBalancedSampler
from mmhot.datasets.human36m_dataset import (
    Human36mClipDataset,
    MotionBERTDataset,
    VideoPose3DDataset,
)
from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.datasets.multi_view import MultiViewDataset
from mmhot.datasets.other_skeletons import MPIINF3DHPClipDataset

__all__ = [
    'Clip',
    'ClipDataset',
    'Human36mClipDataset',
    'MPIINF3DHPClipDataset',
    'MocapDataset',
    'MotionBERTDataset',
    'MultiViewDataset',
    'SubjectBalancedSampler',
    'VideoPose3DDataset',
    'transforms',
]
