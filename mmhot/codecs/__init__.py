"""Codecs: encode keypoints as network inputs and targets, decode network outputs."""

from mmhot.codecs.camera_pose_lifting import CameraPoseLifting
from mmhot.codecs.gtpt_label import GTPTLabel
from mmhot.codecs.image_space_pose_lifting import ImageSpacePoseLifting
from mmhot.codecs.person_centered_pose_lifting import PersonCenteredPoseLifting

__all__ = [
    'CameraPoseLifting',
    'GTPTLabel',
    'ImageSpacePoseLifting',
    'PersonCenteredPoseLifting',
]
