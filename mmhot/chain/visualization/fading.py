"""How much uncertain joints fade in drawings."""

import numpy as np

from mmhot.skeletons.joints import part_of
from mmhot.structures.clips_3d import Clip3D

FADING = (0.05, 0.1)
"""Expected errors in meters: joints begin to fade at one, and vanish at the other."""
_TRUNK = ('shoulder', 'hip')
# Mean score of the detected joints of the trunk. With less, the whole body fades.
# Bodies that the 2D model may not know have halved scores, 0.5 at most. Higher values
# fade more bodies.
_MIN_TRUNK_SCORE = 0.51
_MIN_BODY_DOUBT = 0.7  # smallest doubt of the joints of a body that fades as a whole


def doubts(clip: Clip3D, rows: np.ndarray | slice) -> np.ndarray:
    """Return how much joints fade in drawings.

    Joints that were not detected in 2D (score 0) fade entirely, others by their
    expected error. Joints with an unknown error (NaN) fade as their parents do. If the
    trunk has low scores, the whole body fades.

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
    faded = ((errors - low) / (high - low)).clip(0, 1)
    trunk = scores[:, [part_of(joint) in _TRUNK for joint in clip.joint_names]]
    num_seen = (trunk > 0).sum(1, keepdims=True)
    is_doubted = trunk.sum(1, keepdims=True) < _MIN_TRUNK_SCORE * num_seen
    return np.where(is_doubted, faded.clip(_MIN_BODY_DOUBT), faded)
