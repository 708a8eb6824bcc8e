"""Expected error of each joint in each frame: evidence of doubt, and a fitted model.

The model is a generalized linear one for each joint: the logarithm of the expected
distance from the ground truth is linear in the evidence. Both sides of the body share
their coefficients. ``tools/lab/fit_expected_error.py`` fits and tests it.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
_PARENTS = np.maximum(_H36M.parents, 0)
_SHOULDERS = _H36M.indices(['left_shoulder', 'right_shoulder'])
# Distances are smoothed over this time (seconds, standard deviation) and, before their
# logarithm is taken, increased by 2 mm.
_SMOOTHING, _LEAST = 0.08, 0.002
# 2D models differ in how close to 1 the confidence of visible joints comes.
_CONFIDENT = 0.8
# Evidence far from that of the fit is no reason for errors of meters.
_LARGEST = 0.5

EVIDENCE = (
    'distance of the second lifter',
    'mean distance of the second lifter',
    'correction by averaging and bone lengths',
    'mean correction',
    'confidence',
    'mean confidence',
    'distance from the root',
    'share of the bone along the line of sight',
    'share of the shoulders along the line of sight',
    'constant',
)
"""Evidence; distances of lifters are logarithms of meters."""

# Coefficients of the evidence for the logarithm of the expected error in meters.
# fmt: off
_COEFFICIENTS = {
    'hip': (0.10, -0.09, 0.27, 0.56, -0.44, -0.69, 7.67, 0.26, 0.02, -0.57),
    'knee': (0.09, 0.27, 0.05, 0.48, -1.41, 0.19, -0.27, -0.81, -0.09, 1.78),
    'foot': (0.17, 0.29, 0.10, 0.41, -1.30, 0.74, 0.34, -0.27, 0.10, 1.31),
    'spine': (0.22, -0.01, 0.12, 0.50, -0.68, -0.11, -1.75, -0.29, -0.28, 0.96),
    'thorax': (0.13, 0.14, -0.15, 0.78, 0.18, -0.72, 2.67, -0.51, -0.46, -0.27),
    'neck_base': (0.10, 0.32, 0.01, 0.08, -0.30, -1.30, 2.69, -0.41, -0.49, -1.41),
    'head': (0.16, 0.24, -0.07, 0.23, -0.14, -0.82, 1.38, 0.01, -0.20, -1.23),
    'shoulder': (0.05, 0.30, -0.10, 0.37, -0.68, -1.06, 0.63, 0.23, -0.73, 0.38),
    'elbow': (0.13, 0.40, 0.05, 0.44, -1.41, -0.16, 0.67, -0.62, -0.23, 2.22),
    'wrist': (0.13, 0.36, 0.15, 0.22, -1.26, -0.14, 0.25, 0.15, 0.01, 1.46),
}
# fmt: on


def gather_evidence(
    poses: np.ndarray,
    first: np.ndarray,
    distance: np.ndarray,
    scores: np.ndarray,
    sights: np.ndarray,
    fps: float,
) -> np.ndarray:
    """Compute the evidence of a person in consecutive frames.

    Args:
        poses (np.ndarray): Root-relative result, meters, (T, 17, 3).
        first (np.ndarray): The same by the first lifter alone, (T, 17, 3).
        distance (np.ndarray): Distances of the second lifter's joints from the first's,
            after alignment, meters, (T, 17).
        scores (np.ndarray): Confidence of the 2D keypoints, (T, 17).
        sights (np.ndarray): Directions from the camera to the person, (T, 3).
        fps (float): Frames per second.

    Returns:
        np.ndarray: (T, 17, E), in the order of :data:`EVIDENCE`.
    """
    sigma = _SMOOTHING * fps
    corrected = np.linalg.norm(poses - first, axis=-1)
    scores = np.minimum(scores, _CONFIDENT)
    second, corrected, scores = (
        gaussian_filter1d(np.float64(values), sigma, axis=0, mode='nearest')
        for values in (distance, corrected, scores)
    )
    second, corrected = (np.log(each + _LEAST) for each in (second, corrected))
    left, right = np.moveaxis(poses[:, _SHOULDERS], 1, 0)
    shoulders = _share_along((left - right)[:, None], sights)
    evidence = [
        *_with_mean(second),
        *_with_mean(corrected),
        *_with_mean(scores),
        np.linalg.norm(poses, axis=-1),
        _share_along(poses - poses[:, _PARENTS], sights),
        shoulders,
        np.ones(1),
    ]
    return np.stack([np.broadcast_to(each, scores.shape) for each in evidence], -1)


def expect_errors(evidence: np.ndarray) -> np.ndarray:
    """Predict the distance of joints from the ground truth.

    Args:
        evidence (np.ndarray): Of :func:`gather_evidence`, (T, 17, E).

    Returns:
        np.ndarray: Meters, 0 for the root, (T, 17) float32.
    """
    table = np.array([_COEFFICIENTS[part_of(joint)] for joint in _H36M.joints[1:]])
    logarithms = (evidence[:, 1:] * table).sum(-1).clip(max=np.log(_LARGEST))
    return np.pad(np.exp(logarithms), ((0, 0), (1, 0))).astype(np.float32)


def part_of(joint: str) -> str:
    """Return the name of a joint without its side."""
    return joint.removeprefix('left_').removeprefix('right_')


def _with_mean(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values, values.mean(1, keepdims=True)


def _share_along(vectors: np.ndarray, sights: np.ndarray) -> np.ndarray:
    """Return the shares of vectors (T, K, 3) along directions (T, 3), 0 to 1."""
    sights = sights / np.linalg.norm(sights, axis=-1, keepdims=True)
    along = np.abs((vectors * sights[:, None]).sum(-1))
    return along / np.linalg.norm(vectors, axis=-1).clip(1e-3)
