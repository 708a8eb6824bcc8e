"""Backbones."""

from .htnet import HTNet
from .nanohtnet import NanoHTNet
from .whole_pose_backbone import WholePoseBackbone

__all__ = ['HTNet', 'NanoHTNet', 'WholePoseBackbone']
