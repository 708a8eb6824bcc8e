"""Readers of 2D keypoints, 3D poses and camera intrinsics."""
