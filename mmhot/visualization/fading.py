"""How much uncertain joints fade in drawings."""

import numpy as np

from mmhot.skeletons.joints import part_of
from mmhot.structures.clips_3d import Clip3D

FADING = 0.05, 0.1
"""Expected errors, in meters, from which joints are faded: a little, and entirely."""
_TRUNK = 'shoulder', 'hip'
# Mean score of the seen joints of the trunk, below which a whole body fades. Bodies
# that the 2D model may not know have halved scores, of 0.5 at most. Higher values fade
# more.
_DOUBTED = 0.51
_BODY_FADE = 0.7  # least doubt of all joints of such a body


def doubts(clip: Clip3D, rows: np.ndarray | slice) -> np.ndarray:
    """Return how much joints of rows are to fade, 0 to 1, (R, K).

    Joints not detected in 2D (score 0) fade entirely, others by their expected error.
    Joints with an unknown error (NaN) fade as their parents do. Bodies whose trunk has
    low scores fade as a whole.
    """
    scores = clip.keypoint_scores_3d[rows]
    undetected = scores <= 0
    errors = np.zeros(undetected.shape)
    if clip.expected_error is not None:
        errors = clip.expected_error[rows].copy()
    errors[undetected & ~np.isnan(errors)] = np.inf
    for joint, parent in enumerate(clip.parents):
        of_parent = errors[:, parent] if parent >= 0 else 0.0
        is_unknown = np.isnan(errors[:, joint])
        errors[:, joint] = np.where(is_unknown, of_parent, errors[:, joint])
    low, high = FADING
    faded = ((errors - low) / (high - low)).clip(0, 1)
    trunk = scores[:, [part_of(joint) in _TRUNK for joint in clip.joint_names]]
    num_seen = (trunk > 0).sum(1, keepdims=True)
    is_doubted = trunk.sum(1, keepdims=True) < _DOUBTED * num_seen
    return np.where(is_doubted, faded.clip(_BODY_FADE), faded)
