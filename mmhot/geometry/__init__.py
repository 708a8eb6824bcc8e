"""Algorithms on arrays: windows, least squares, crops, checks of keypoints."""
