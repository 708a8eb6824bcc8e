"""Codecs: from pixels to what a model reads or learns, and back from its output."""

from .camera_pose_lifting import CameraPoseLifting
from .gtpt_label import GTPTLabel
from .image_space_pose_lifting import ImageSpacePoseLifting
from .person_centred_pose_lifting import PersonCentredPoseLifting

__all__ = [
    'CameraPoseLifting',
    'GTPTLabel',
    'ImageSpacePoseLifting',
    'PersonCentredPoseLifting',
]
