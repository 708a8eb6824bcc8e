"""Files: readers of 2D keypoints and intrinsics, writers of 3D poses, arrays."""
