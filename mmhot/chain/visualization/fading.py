"""How much uncertain joints fade in drawings."""

import numpy as np

from mmhot.structures.clips_3d import Clip3D

FADING = (0.05, 0.1)
"""Expected errors in meters: joints begin to fade at one, and vanish at the other."""


def doubts(clip: Clip3D, rows: np.ndarray | slice) -> np.ndarray:
    """Return how much joints fade in drawings.

    Joints that were not detected in 2D (score 0) fade entirely, others by their
    expected error. Joints with an unknown error (NaN) fade as their parents do.

    Args:
        clip (Clip3D): Poses.
        rows (np.ndarray | slice): Indices of R rows of the clip.

    Returns:
        np.ndarray: Doubts from 0, certain, to 1, (R, K).
    """
    scores = clip.keypoint_scores_3d[rows]
    is_undetected = scores <= 0
    errors = np.zeros(scores.shape)
    if clip.expected_error is not None:
        errors = clip.expected_error[rows].copy()
    errors[is_undetected & ~np.isnan(errors)] = np.inf
    for joint, parent in enumerate(clip.parents):
        is_unknown = np.isnan(errors[:, joint])
        errors[is_unknown, joint] = errors[is_unknown, parent] if parent >= 0 else 0
    low, high = FADING
    return ((errors - low) / (high - low)).clip(0, 1)
