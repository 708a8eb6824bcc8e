"""Expected error of each joint in each frame: evidence of doubt, and a fitted model.

The model is a generalized linear one for each joint: the logarithm of the expected
distance from the ground truth is linear in the evidence. Both sides of the body share
their coefficients.
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
    'flip disagreement',
    'mean flip disagreement',
    'correction by bone lengths',
    'mean correction',
    'confidence',
    'mean confidence',
    'distance from the root',
    'share of the bone along the line of sight',
    'share of the shoulders along the line of sight',
    'constant',
)
"""Evidence; disagreement and corrections are logarithms of meters."""

# Coefficients of the evidence for the logarithm of the expected error in meters.
# fmt: off
_COEFFICIENTS = {
    'hip': (-0.08, 0.16, 0.18, 0.56, -0.42, -1.26, 11.16, 0.22, 0.03, -0.25),
    'knee': (0.09, 0.55, 0.10, 0.39, -1.22, -0.51, -1.88, -0.94, -0.18, 4.79),
    'foot': (0.24, 0.55, 0.14, 0.46, -1.09, 0.08, 0.99, -0.53, -0.15, 4.28),
    'spine': (0.02, 0.60, 0.14, 0.21, -0.97, -0.25, -3.13, -0.24, -0.32, 2.68),
    'thorax': (0.02, 0.70, -0.04, 0.36, 0.04, -1.13, 2.99, -0.54, -0.51, 1.29),
    'neck_base': (-0.04, 0.78, -0.06, -0.12, -0.59, -1.63, 3.21, -0.45, -0.56, -0.61),
    'head': (-0.05, 0.50, 0.11, 0.08, -0.26, -1.28, 1.16, -0.17, -0.32, 0.49),
    'shoulder': (-0.01, 0.77, -0.14, 0.16, -0.61, -1.63, 0.24, 0.24, -0.78, 2.16),
    'elbow': (0.17, 0.43, 0.17, 0.36, -1.32, -0.87, 0.89, -0.66, -0.32, 3.99),
    'wrist': (0.09, 0.65, 0.28, 0.11, -1.07, -0.58, 0.21, -0.08, -0.10, 3.83),
}
# fmt: on


def gather_evidence(
    poses: np.ndarray,
    first: np.ndarray,
    doubt: np.ndarray,
    scores: np.ndarray,
    sights: np.ndarray,
    fps: float,
) -> np.ndarray:
    """Compute the evidence of a person in consecutive frames.

    Args:
        poses (np.ndarray): Root-relative result, meters, (T, 17, 3).
        first (np.ndarray): The same before bones got their lengths, (T, 17, 3).
        doubt (np.ndarray): Half the distances of the mirrored input's joints from
            those of the plain one, meters, (T, 17).
        scores (np.ndarray): Confidence of the 2D keypoints, (T, 17).
        sights (np.ndarray): Directions from the camera to the person, (T, 3).
        fps (float): Frames per second.

    Returns:
        np.ndarray: (T, 17, E), in the order of :data:`EVIDENCE`.
    """
    sigma = _SMOOTHING * fps
    corrected = np.linalg.norm(poses - first, axis=-1)
    scores = np.minimum(scores, _CONFIDENT)
    doubt, corrected, scores = (
        gaussian_filter1d(np.float64(values), sigma, axis=0, mode='nearest')
        for values in (doubt, corrected, scores)
    )
    doubt, corrected = (np.log(each + _LEAST) for each in (doubt, corrected))
    left, right = np.moveaxis(poses[:, _SHOULDERS], 1, 0)
    shoulders = _share_along((left - right)[:, None], sights)
    evidence = [
        *_with_mean(doubt),
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
