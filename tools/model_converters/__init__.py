"""Converters of the papers' own checkpoints to configs and weights of MMPose."""
