"""Errors of single frames: positions that leave the path of a motion and come back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

_MOST_LISTED = 6


@dataclass(frozen=True)
class Excursion:
    """Thresholds for excursions: positions that leave the path and come back.

    They were chosen so that 458 motions of CMU have no excursion, at 25 to 240 frames
    per second and at 1.6 times their speed. Of root positions with 20 cm of noise, less
    than one in 3,000 is marked (``tools/analysis/measure_harm.py``).
    """

    # Ratio of the speed of the jumps out and back to the highest speed before, after
    # and across the excursion. Higher values find fewer excursions.
    speed_ratio: float = 4.0
    # Ratio of the distance from the path to the same distance of usual frames. Higher
    # values find fewer excursions.
    noise_ratio: float = 4.0
    # Meters; least distance from the path. Higher values find fewer excursions.
    min_distance: float = 0.1
    # Length of both jumps, as a share of the largest distance from the path. Higher
    # values find fewer excursions.
    min_jump: float = 0.8
    # Seconds from the frame before an excursion to the frame after it, at most. Higher
    # values find longer excursions.
    max_duration: float = 0.17
    # Meters per second; least speed of a jump to the first or last frames, from which
    # nothing comes back. Higher values find fewer.
    end_speed: float = 25.0
    # Seconds; window in which eight in ten frames are assumed to be usual.
    window: float = 1.0
    # Excursions per frame, at most. More are noise, which is left to the filters.
    max_share: float = 0.03


@dataclass(frozen=True)
class Repeats:
    """Thresholds for equal poses that are repeated frames."""

    # Meters; step of the fastest joint up to which a frame repeats the one before.
    # Higher values find more repeats.
    max_step: float = 1e-5
    # Meters; the same step before and after a repeated pose must exceed this. Higher
    # values find fewer repeats.
    min_motion: float = 0.005
    # Seconds for which a pose may be repeated. People who keep it for longer stand
    # still. Higher values find more repeats.
    max_duration: float = 0.25
    # Share of the frames in motion that must repeat others. Higher values find fewer
    # repeats, as single ones are no sign of a wrong frame rate.
    min_share: float = 0.03


def find_outliers(
    points: np.ndarray, seconds: np.ndarray, limits: Excursion = Excursion()
) -> np.ndarray:
    """Mark positions that leave the path of a motion and come back to it.

    The path is the line between the frames before and after. The turning point of a
    motion is no excursion, however fast it is. If a joint has many excursions, they are
    noise, and none is marked.

    Args:
        points (np.ndarray): Positions in meters, NaN where unknown, (T, K, 2 or 3).
        seconds (np.ndarray): Times of the frames in seconds, (T,).
        limits (Excursion): Thresholds for excursions.

    Returns:
        np.ndarray: (T, K) bool, False where unknown.

    A point that moves by 1 cm per frame jumps by 30 cm in frame 4, and back:

        >>> frames = np.arange(30)
        >>> points = 0.01 * frames[:, None, None] * [1.0, 0.0]
        >>> points[4] += 0.3
        >>> find_outliers(points, frames / 30).nonzero()[0].tolist()
        [4]
    """
    outliers = np.zeros(points.shape[:2], bool)
    for joint in range(points.shape[1]):
        rows = np.flatnonzero(np.isfinite(points[:, joint]).all(-1))
        found = _find_excursions(points[rows, joint], seconds[rows], limits)
        count = np.diff(found, prepend=False).sum() / 2  # number of excursions
        if count <= max(2, limits.max_share * len(rows)):
            outliers[rows[found], joint] = True
    return outliers


def find_repeats(
    points: np.ndarray, seconds: np.ndarray, limits: Repeats = Repeats()
) -> np.ndarray:
    """Mark frames that repeat the pose of the frame before.

    Files with more frames than poses have such frames while people move. People who
    stand still do not repeat frames.

    Args:
        points (np.ndarray): Positions in meters, NaN where unknown, (T, K, 3).
        seconds (np.ndarray): Times of the frames in seconds, (T,).
        limits (Repeats): Thresholds for repeated frames.

    Returns:
        np.ndarray: Mask of repeated frames, (T,).
    """
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    steps = np.where(np.isnan(steps).all(1), np.inf, np.nan_to_num(steps).max(1))
    starts = np.flatnonzero(np.append(True, steps > limits.max_step))
    lengths = np.diff(starts, append=len(points))
    into = np.append(0.0, steps[starts[1:] - 1])
    is_moving = np.minimum(into, np.append(into[1:], 0)) > limits.min_motion
    is_moving &= np.diff(seconds[starts], append=seconds[-1]) < limits.max_duration
    held = lengths[is_moving & (lengths > 1)]
    if (held - 1).sum() <= limits.min_share * lengths[is_moving].sum():
        return np.zeros(len(points), bool)
    is_held = np.repeat(lengths <= np.median(held) + 1, lengths)
    is_held[starts] = False
    return is_held


def list_frames(names: Sequence[str], counts: np.ndarray) -> str:
    """List in how many frames joints are wrong, by ``counts`` (K,), highest first."""
    order = [x for x in np.argsort(-counts, kind='stable').tolist() if counts[x]]
    listed = [f'{names[x]} in {counts[x]}' for x in order[:_MOST_LISTED]]
    more = len(order) - len(listed)
    return ', '.join(listed) + (f' and {more} other joints' if more else '')


def list_spans(frames: np.ndarray) -> str:
    """List the first spans of sorted frame numbers (N,).

    >>> list_spans(np.array([3, 4, 5, 12]))
    '3 to 5, 12'
    """
    spans = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    first = [(span[0], span[-1]) for span in spans[:_MOST_LISTED]]
    listed = [f'{x} to {y}' if x < y else f'{x}' for x, y in first]
    return ', '.join([*listed, '...'] if len(spans) > _MOST_LISTED else listed)


def _find_excursions(
    points: np.ndarray, seconds: np.ndarray, limits: Excursion
) -> np.ndarray:
    """Mark positions (N,) that leave the path of the positions around them.

    ``points`` (N, 3) are the positions of one joint in meters, at ``seconds`` (N,).
    """
    found = np.zeros(len(points), bool)
    if len(points) < 4:
        return found
    rate = 1 / float(np.median(np.diff(seconds)))
    rows = np.arange(len(points))
    reach = int(limits.max_duration * rate) - 1
    usual = np.zeros(len(points))
    apart = _from_path(points, seconds, rows[:-2], rows[1:-1], rows[2:])
    window = min(max(round(limits.window * rate), 5), len(apart))
    ranked = scipy.ndimage.rank_filter(apart, int(0.8 * window), window)
    # The first and last frames use the nearest window that is complete.
    first, last = window // 2, len(apart) - 1 - (window - 1) // 2
    usual[1:-1] = ranked[np.arange(len(apart)).clip(first, last)]
    least = np.maximum(limits.noise_ratio * usual, limits.min_distance)
    # A position that comes back may be the turning point of a motion, or be next to
    # another error. So the path and its speed are measured between the other frames.
    is_candidate = _find_returns(points, seconds, least, reach, limits.min_jump)
    clean, wrong = rows[~is_candidate], rows[is_candidate]
    after = np.searchsorted(clean, wrong)
    wrong, after = (x[(after > 0) & (after < len(clean))] for x in (wrong, after))
    start, end = clean[after - 1], clean[after]
    ends = clean[(after - 2).clip(0)], clean[(after + 1).clip(max=len(clean) - 1)]
    around = (start, end), (ends[0], start), (end, ends[1])
    pace = np.max([_speed(points, seconds, *pair) for pair in around], axis=0)
    jumps = (start, start + 1), (end - 1, end)
    jump = np.min([_speed(points, seconds, *pair) for pair in jumps], axis=0)
    apart = _from_path(points, seconds, start, wrong, end)
    is_wrong = (jump > limits.speed_ratio * pace) & (apart > limits.min_distance)
    found[wrong[is_wrong & (end - start <= 2 * (reach + 1))]] = True
    # At the ends of a clip, positions jump away but do not come back.
    for kept in (rows[~found], rows[~found][::-1]):
        speeds = _speed(points, seconds, kept[:-1], kept[1:])
        for length in range(1, min(reach, len(speeds) - 1) + 1):
            fast = max(
                limits.end_speed, limits.noise_ratio * usual[kept[length]] * rate
            )
            if speeds[length - 1] > max(fast, limits.speed_ratio * speeds[length]):
                found[kept[:length]] = True
    return found


def _find_returns(
    points: np.ndarray, seconds: np.ndarray, least: np.ndarray, reach: int, jump: float
) -> np.ndarray:
    """Mark positions (N,) between two jumps, off the line from before to after.

    Each position is farther from the line than ``least`` (N,) meters, for at most
    ``reach`` frames, and both jumps are longer than the share ``jump`` of the largest
    distance.
    """
    found = np.zeros(len(points), bool)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    large = np.flatnonzero(steps > jump * least.min())
    for length in range(1, min(reach, len(points) - 2) + 1):
        start = large[np.isin(large + length, large, assume_unique=True)]
        inside = start[:, None] + np.arange(1, length + 1)
        ends = start[:, None], start[:, None] + length + 1
        apart = _from_path(points, seconds, ends[0], inside, ends[1])
        is_back = (apart > least[inside]).all(1)
        is_back &= np.minimum(steps[start], steps[start + length]) > jump * apart.max(1)
        found[inside[is_back]] = True
    return found


def _speed(
    points: np.ndarray, seconds: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Compute mean speeds (...) between frames (...), 0 from a frame to itself."""
    way = np.linalg.norm(points[end] - points[start], axis=-1)
    return way / np.where(end == start, 1, np.abs(seconds[end] - seconds[start]))


def _from_path(
    points: np.ndarray,
    seconds: np.ndarray,
    start: np.ndarray,
    frames: np.ndarray,
    end: np.ndarray,
) -> np.ndarray:
    """Compute distances of positions from the path between two other frames.

    ``start``, ``frames`` and ``end`` are indices (...) into ``points`` (T, 2 or 3) and
    ``seconds`` (T,).
    """
    done = (seconds[frames] - seconds[start]) / (seconds[end] - seconds[start])
    path = points[start] + done[..., None] * (points[end] - points[start])
    return np.linalg.norm(points[frames] - path, axis=-1)
