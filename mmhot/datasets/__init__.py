"""Datasets of clips and people, with their transforms, samplers and collation."""

from mmhot.datasets import (
    data_loading,
    human36m_dataset,
    mocap_dataset,
    multi_view,
    other_skeletons,
    transforms,
)

__all__ = [
    'data_loading',
    'human36m_dataset',
    'mocap_dataset',
    'multi_view',
    'other_skeletons',
    'transforms',
]
