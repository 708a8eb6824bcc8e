"""Toe lock: toes and heels rest while their ankle does, and a little longer.

Contacts are predicted for ankles only. The toe also rests for a while after its ankle
(push-off), and the heel before it (heel strike), as long as they stay near their place.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mmhot.chain.poses.offset_fit import Offsets, fit_offsets
from mmhot.geometry.smooth_fits import sight_precision
from mmhot.skeletons.joint_angles import unit_vectors


@dataclass(frozen=True)
class ToeErrors:
    """Standard deviations and limits of toes and heels.

    Pairs are across and along the line of sight.
    """

    # m; error of lifted toes and heels. Higher values move them farther.
    end: tuple[float, float] = (0.015, 0.06)
    length: float = 0.002  # m; distances between toe, heel and ankle
    # Seconds that a toe may rest after its ankle, and a heel before it
    max_rest: float = 0.25
    # m; a toe or heel that is farther from its place at rest no longer rests.
    max_away: tuple[float, float] = (0.05, 0.15)


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
        errors (ToeErrors): Standard deviations and limits.

    Returns:
        np.ndarray: Toe and heel in camera axes, meters, (T, 2, 3).
    """
    ankle = points[:, :1]
    ends = points[:, 1:]
    front, back, sole = (
        np.median(np.linalg.norm(points[:, i] - points[:, j], axis=-1))
        for i, j in combinations(range(3), 2)
    )
    toe_rests = prolong_rest(ends[:, 0], stands, seconds, errors)
    backwards = prolong_rest(ends[::-1, 1], stands[::-1], -seconds[::-1], errors)
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
        rests=np.stack([toe_rests, backwards[::-1]], 1),
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


def prolong_rest(
    places: np.ndarray,
    stands: np.ndarray,
    seconds: np.ndarray,
    errors: ToeErrors = ToeErrors(),
) -> np.ndarray:
    """Prolong the contacts of an ankle as long as a toe stays where it rested.

    Each contact lasts up to ``max_rest`` longer.

    Args:
        places (np.ndarray): The toe in camera axes, meters, (T, 3).
        stands (np.ndarray): Probability that the ankle stands, (T,).
        seconds (np.ndarray): Timestamps, (T,).
        errors (ToeErrors): Limits of the rest.

    Returns:
        np.ndarray: Probability that the toe rests, (T,).

    Example:
        The ankle stands for two of six frames, the toe leaves in the last one:

        >>> toe = np.array([[0, 0, 4]] * 5 + [[0.2, 0, 4]])
        >>> prolong_rest(toe, np.array([1.0, 0.9, 0, 0, 0, 0]), np.arange(6) / 25)
        array([1. , 0.9, 0.9, 0.9, 0.9, 0. ])
    """
    rests = stands.copy()
    edges = np.flatnonzero(np.diff(stands > 0.5, prepend=False))
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        stop = np.searchsorted(seconds, seconds[end] + errors.max_rest)
        place = np.median(places[start:end], axis=0)
        away = places[end:stop] - place
        precision = sight_precision(place[None], errors.max_away)[0]
        is_near = np.einsum('ti,ij,tj->t', away, precision, away) < 1
        held = slice(end, end + np.logical_and.accumulate(is_near).sum())
        rests[held] = np.maximum(rests[held], stands[end - 1])
    return rests
