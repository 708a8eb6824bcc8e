"""Toe lock: toes and heels of standing feet stay in place.

Contacts are known of ankles only. Toe and heel rest while their ankle does; the toe
also after that, at push-off, and the heel before, at heel strike, while they stay near
that place.
"""

from itertools import combinations

import numpy as np

from mmhot.lifting.offset_fit import Offsets, fit_offsets
from mmhot.lifting.smooth_fits import sight_precision

# Standard deviations of toes and heels across and along the line of sight, meters.
_ERROR = (0.015, 0.06)
_LENGTH_ERROR = 0.002
# Seconds that a toe rests at most after its ankle, and a heel before; farthest distance
# of such a point from where it rested, across and along the line of sight, meters.
_LONGEST, _AWAY = 0.25, (0.05, 0.15)


def hold_foot(
    points: np.ndarray, stands: np.ndarray, seconds: np.ndarray
) -> np.ndarray:
    """Keep toe and heel of a foot in place while they rest.

    Args:
        points (np.ndarray): Ankle, toe and heel in camera axes, meters, (T, 3, 3).
        stands (np.ndarray): Probability that the ankle stands, (T,).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: New toe and heel, (T, 2, 3), at constant distances from the ankle
        and from each other.
    """
    ankle, ends = points[:, :1], points[:, 1:]
    front, back, sole = (
        np.median(np.linalg.norm(points[:, i] - points[:, j], axis=-1))
        for i, j in combinations(range(3), 2)
    )
    toe_rests = _prolong(ends[:, 0], stands, seconds)
    heel_rests = _prolong(ends[::-1, 1], stands[::-1], -seconds[::-1])[::-1]
    zeros = np.zeros(ends.shape[:2])
    known = Offsets(
        mean=ends - ankle,
        precision=np.stack(
            [sight_precision(x, _ERROR) for x in ends.swapaxes(0, 1)], 1
        ),
        joints=np.repeat(ankle, 2, 1),
        rays=np.zeros((*zeros.shape, 2)),
        weights=zeros,
        lengths={(0, -1): front, (1, -1): back, (0, 1): sole},
        seconds=seconds,
        flat=zeros[:, 0],
        up=np.zeros(3),
        rests=np.stack([toe_rests, heel_rests], 1),
        length_error=_LENGTH_ERROR,
    )
    toe, heel = np.moveaxis(fit_offsets(known), 1, 0)
    toe /= np.linalg.norm(toe, axis=-1, keepdims=True)
    heel -= (heel * toe).sum(-1, keepdims=True) * toe
    heel /= np.linalg.norm(heel, axis=-1, keepdims=True)
    cosine = np.clip((front**2 + back**2 - sole**2) / (2 * front * back), -1, 1)
    heel = cosine * toe + np.sqrt(1 - cosine**2) * heel
    return ankle + np.stack([front * toe, back * heel], 1)


def _prolong(places: np.ndarray, stands: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Prolong contacts (T,) while points (T, 3) stay where they rested."""
    rests, on = stands.copy(), stands > 0.5
    edges = np.flatnonzero(np.diff(on, prepend=False))
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        stop = np.searchsorted(seconds, seconds[end] + _LONGEST)
        place = np.median(places[start:end], axis=0)
        away = places[end:stop] - place
        precision = sight_precision(place[None], _AWAY)[0]
        near = np.einsum('ti,ij,tj->t', away, precision, away) < 1
        held = slice(end, end + np.logical_and.accumulate(near).sum())
        rests[held] = np.maximum(rests[held], stands[end - 1])
    return rests
