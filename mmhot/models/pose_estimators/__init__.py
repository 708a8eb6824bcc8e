"""Estimators: what a config's ``model`` names."""

from .sequence_pose_lifter import SequencePoseLifter

__all__ = ['SequencePoseLifter']
