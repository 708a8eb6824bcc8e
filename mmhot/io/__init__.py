"""Files: readers of 2D keypoints, writers of 3D poses, images."""
