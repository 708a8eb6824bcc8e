"""Positions that people cannot have reached, in single frames of a motion."""

from dataclasses import dataclass

import numpy as np

from mmhot.geometry.windows import moving_rank


@dataclass(frozen=True)
class Reach:
    """How far points move, and for how long they may be wrong.

    Chosen on 409 motions of CMU, of which less than 1 in 10,000 positions is left out.
    Larger values leave out fewer positions, a larger ``wrong`` those of longer errors.
    """

    spike: float = 5.0  # times the usual distance from the middle of both neighbors
    least_spike: float = 0.06  # m
    around: float = 1.0  # seconds, in which it is usual
    alone: float = 1.4  # times the distance of both neighbors
    steps: float = 2.5  # times the speed of nine of ten steps
    speeds: tuple[float, float] = (2.0, 11.0)  # of it at least and at most, m/s
    error: float = 0.1  # of positions, m
    wrong: float = 0.25  # half the longest time for which points are wrong, seconds


_REACH = Reach()


def find_reachable(points: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Mark the positions of a motion that are not outliers.

    An outlier is a single position that is far from both neighbors, as those around it
    are not. Of the others, the longest chain is right of which each position can be
    reached from the one before. Where the next half second does not lead back, the
    chain begins anew.

    Args:
        points (np.ndarray): Positions in meters, NaN where unknown, (T, K, 3).
        seconds (np.ndarray): Times of the frames, (T,).

    Returns:
        np.ndarray: (T, K) bool, True where unknown.
    """
    right = np.ones(points.shape[:2], bool)
    for joint in range(points.shape[1]):
        rows = np.flatnonzero(np.isfinite(points[:, joint]).all(-1))
        for find in (_find_spikes, _find_jumps):
            if len(rows) > 2:
                wrong = find(points[rows, joint], seconds[rows])
                right[rows[wrong], joint] = False
                rows = rows[~wrong]
    return right


def _find_spikes(points: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Mark positions (N,) of (N, 3) that are far from the middle of both neighbors."""
    share = (seconds[1:-1] - seconds[:-2]) / (seconds[2:] - seconds[:-2])
    middle = points[:-2] + share[:, None] * (points[2:] - points[:-2])
    apart = np.linalg.norm(points[1:-1] - middle, axis=-1)
    window = round(_REACH.around / float(np.median(np.diff(seconds))))
    window = min(max(window, 5), len(apart))
    usual = moving_rank(apart, window, int(0.6 * window))
    is_spike = apart > np.maximum(_REACH.spike * usual, _REACH.least_spike)
    # neighbors of a spike are half as far from the middle, those of a jump as far
    padded = np.pad(apart, 1)
    is_spike &= apart > _REACH.alone * np.maximum(padded[:-2], padded[2:])
    return np.pad(is_spike, 1)


def _find_jumps(points: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Mark positions (N,) of (N, 3) that are not of the longest chain."""
    count, distances = len(points), np.linalg.norm(np.diff(points, axis=0), axis=-1)
    times = np.diff(seconds)
    speed = np.clip(_REACH.steps * np.percentile(distances / times, 90), *_REACH.speeds)
    if (distances <= speed * times + _REACH.error).all():
        return np.zeros(count, bool)
    # a chain costs the positions that it leaves out, long steps, and new beginnings
    new = _REACH.wrong / float(np.median(times))
    longest = int(2 * new) + 1
    costs, before = np.arange(count, dtype=float), np.full(count, -1)
    for row in range(1, count):
        start = max(row - longest, 0)
        apart = np.linalg.norm(points[start:row] - points[row], axis=-1)
        limit = speed * (seconds[row] - seconds[start:row]) + _REACH.error
        left_out = np.arange(row - start - 1, -1, -1)
        chains = costs[start:row] + left_out + (apart / limit) ** 2
        chains[apart > limit] = np.inf
        chains[-1] = min(chains[-1], costs[row - 1] + new)
        best = int(chains.argmin())
        if chains[best] <= costs[row]:
            costs[row], before[row] = chains[best], start + best
    wrong = np.ones(count, bool)
    row = int((costs + np.arange(count - 1, -1, -1)).argmin())
    while row >= 0:
        wrong[row], row = False, before[row]
    return wrong
