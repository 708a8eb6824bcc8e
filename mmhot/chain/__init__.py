"""The chain from frames to 3D poses: its steps, clips and streams."""
