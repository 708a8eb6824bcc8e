"""Skeletons: joints, bones, flips, and mappings from one skeleton to another."""

from mmhot.skeletons.joints import (
    SKELETONS,
    Skeleton,
    convert_keypoints,
    get_skeleton,
)

__all__ = ['SKELETONS', 'Skeleton', 'convert_keypoints', 'get_skeleton']
