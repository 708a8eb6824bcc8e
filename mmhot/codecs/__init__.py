"""Codecs: encode keypoints as network inputs and targets, decode network outputs."""
