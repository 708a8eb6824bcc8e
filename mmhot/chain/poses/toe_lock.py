"""Toe lock: toes and heels rest while their ankle does.

Contacts are predicted for ankles only.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mmhot.chain.poses.offset_fit import Offsets, fit_offsets
from mmhot.geometry.smooth_fits import sight_precision
from mmhot.skeletons.joint_angles import unit_vectors


@dataclass(frozen=True)
class ToeErrors:
    """Standard deviations of toes and heels."""

    # m; error of lifted toes and heels, across and along the line of sight. 0.5 to 2 of
    # it change their path by 2 %.
    end: tuple[float, float] = (0.015, 0.06)
    # m; distances between toe, heel and ankle; 0.5 to 10 of it are equal.
    length: float = 0.002


def hold_foot(
    points: np.ndarray,
    stands: np.ndarray,
    seconds: np.ndarray,
    errors: ToeErrors = ToeErrors(),
) -> np.ndarray:
    """Keep toe and heel of a foot in place while they rest.

    The distances between ankle, toe and heel become constant.

    Args:
        points (np.ndarray): Ankle, toe and heel in camera axes, meters, (T, 3, 3).
        stands (np.ndarray): Probability that the ankle stands, (T,).
        seconds (np.ndarray): Timestamps, (T,).
        errors (ToeErrors): Standard deviations.

    Returns:
        np.ndarray: Toe and heel in camera axes, meters, (T, 2, 3).
    """
    ankle = points[:, :1]
    ends = points[:, 1:]
    front, back, sole = (
        np.median(np.linalg.norm(points[:, i] - points[:, j], axis=-1))
        for i, j in combinations(range(3), 2)
    )
    unseen = np.zeros(ends.shape[:2])
    precision = [sight_precision(x, errors.end) for x in ends.swapaxes(0, 1)]
    problem = Offsets(
        mean=ends - ankle,
        precision=np.stack(precision, 1),
        joints=np.repeat(ankle, 2, 1),
        rays=np.zeros((*unseen.shape, 2)),
        weights=unseen,
        links=np.array([[1, 0], [0, 1], [1, -1]]),
        lengths=np.array([front, back, sole]),
        seconds=seconds,
        flat=unseen[:, 0],
        up=np.zeros(3),
        rests=np.stack([stands, stands], 1),
        length_error=errors.length,
    )
    toe, heel = np.moveaxis(fit_offsets(problem), 1, 0)
    # Exact lengths: the law of cosines gives the angle between toe and heel. Toes that
    # are never seen may be at the ankle, where the lengths are 0.
    toe = unit_vectors(toe)
    heel = unit_vectors(heel - (heel * toe).sum(-1, keepdims=True) * toe)
    product = max(2 * front * back, 1e-9)
    cosine = np.clip((front**2 + back**2 - sole**2) / product, -1, 1)
    heel = cosine * toe + np.sqrt(1 - cosine**2) * heel
    return ankle + np.stack([front * toe, back * heel], 1)
