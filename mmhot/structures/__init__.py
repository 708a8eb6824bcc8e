"""Clips of 2D and 3D poses, cameras, windows and crops: data without I/O."""
