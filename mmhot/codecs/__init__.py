"""Codecs: from pixels to what a lifter reads, and from its output to metres."""

from .camera_pose_lifting import CameraPoseLifting
from .person_centred_pose_lifting import PersonCentredPoseLifting

__all__ = ['CameraPoseLifting', 'PersonCentredPoseLifting']
