"""Which joints are not drawn, and how much uncertain ones fade."""

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.structures.clips_3d import Clip3D

_NUM_LIFTED = 17  # joints after these, such as toes, are computed from them
FADING = (0.05, 0.1)
"""Expected errors in meters: joints begin to fade at one, and vanish at the other."""
# Seconds before and after a detection in which a joint is drawn. Gaps up to twice that
# length, which are interpolated from both ends, are drawn as a whole.
_REACH = 0.5


def undetected(clip: Clip3D) -> np.ndarray:
    """Mark joints that are not drawn, as no detection is near in time.

    Added points, such as toes, are drawn if they or their parents were detected.

    Returns:
        np.ndarray: (N, K) bool.
    """
    seen = clip.keypoint_scores_3d > 0
    window = 2 * round(_REACH * clip.fps) + 1
    for track in clip.track_ids:
        rows = clip.track == track
        seen[rows] = scipy.ndimage.maximum_filter1d(seen[rows], window, axis=0)
    for joint in range(_NUM_LIFTED, seen.shape[1]):
        seen[:, joint] |= seen[:, clip.parents[joint]]
    return ~seen


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
