"""Reading and writing of files: keypoints, poses, arrays, images and checkpoints."""
