"""Where 2D keypoints come from, one module a kind."""

from mmhot.video.sources.pose_source import PoseSource, open_pose_source

__all__ = ['PoseSource', 'open_pose_source']
