"""Where 2D keypoints come from, one module a kind."""

from .choose import PoseSource, open_pose_source

__all__ = ['PoseSource', 'open_pose_source']
