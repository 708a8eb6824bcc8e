"""Codecs of lifters for MMPose; :mod:`mmhot.codecs.pose_lifting` has the arithmetic."""

from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS

from mmhot.codecs.pose_lifting import (
    CameraEncoding,
    ImageSpaceEncoding,
    PersonCenteredEncoding,
)


@KEYPOINT_CODECS.register_module()
class CameraPoseLifting(CameraEncoding, BaseKeypointCodec):
    """Codec of VideoPose3D, MixSTE, MHFormer, HTNet and NanoHTNet."""


@KEYPOINT_CODECS.register_module()
class ImageSpacePoseLifting(ImageSpaceEncoding, BaseKeypointCodec):
    """Codec of MotionBERT and MotionAGFormer."""


@KEYPOINT_CODECS.register_module()
class PersonCenteredPoseLifting(PersonCenteredEncoding, BaseKeypointCodec):
    """Codec with a virtual camera centered on the person."""
