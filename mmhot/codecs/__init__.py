"""Codecs: encode keypoints as network inputs and targets, decode network outputs."""

from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.codecs.pose_lifting import (
    CameraPoseLifting,
    ImageSpacePoseLifting,
    PersonCenteredPoseLifting,
)

__all__ = [
    'CameraPoseLifting',
    'GTPTLabel',
    'ImageSpacePoseLifting',
    'PersonCenteredPoseLifting',
]
