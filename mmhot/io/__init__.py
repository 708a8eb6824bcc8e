"""Keypoint files in, lifted poses out. NumPy only."""
