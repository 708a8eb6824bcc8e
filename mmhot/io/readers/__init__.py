"""Readers of 2D keypoints and camera intrinsics."""
