"""Errors of single frames: positions that leave the path of a motion and come back.

An excursion is a jump away from the path and a jump back, within a fraction of a
second. It is found where both jumps are much faster than the motion around them. Frames
that repeat the pose before them are found, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

_MOST_LISTED = 6  # joints or spans in a message


@dataclass(frozen=True)
class Excursion:
    """Thresholds for excursions: positions that leave the path and come back.

    They were chosen so that 458 motions of CMU have no excursion, at 25 to 240 frames
    per second and at 1.6 times their speed. Of root positions with 20 cm of noise, less
    than one in 3,000 is marked. Ranges are those of outliers in poses, and of keypoints
    with the errors of a detector (``tools/analysis/audit_numbers.py``).
    """

    # Ratio of the speed of both jumps to the highest speed before, after and across the
    # excursion. Half of it leaves 17 % less error in poses, double 17 % more, and 7 %
    # more error of places from keypoints.
    speed_ratio: float = 4.0
    # Ratio of the distance from the path to the same distance of usual frames. Results
    # stay below it, but half of it marks 181 of 75,000 joints with 20 cm of noise in
    # depth; double leaves 36 % more error in poses.
    noise_ratio: float = 4.0
    # Meters; distance from the path. Results stay from 0.5 to 1 of it; double leaves
    # 21 % more.
    min_distance: float = 0.1
    # Length of both jumps, as a share of the largest distance from the path. Results
    # stay from 0.5 to 1 of it; without it keypoints lose 6 %.
    min_jump: float = 0.8
    # Seconds from the frame before an excursion to the frame after it. Results stay
    # from 0.5 to 10 of it; half of that of keypoints loses 9 %.
    max_duration: float = 0.17
    # Meters per second; speed of a jump to the first or last frames, from which no jump
    # leads back. Results stay from 1 to 10 of it; half of it leaves 24 % less.
    end_speed: float = 25.0
    # Seconds; length of the window in which usual distances from the path are measured.
    # Results stay from 1 to 10 of it; with half of it most excursions stay.
    window: float = 1.0
    # Share of frames in this window that are assumed to be usual. Results stay below
    # it, but half of it marks 486 of 75,000 joints with 20 cm of noise in depth.
    usual_share: float = 0.8
    # Excursions per frame; more of them are noise, which is left to the filters. With
    # .03 to .1, noise of 2 cm, or 20 cm in depth, has 2 marks in 294,134 joints; with
    # .03, one joint of a hundred astray counted as noise.
    max_share: float = 0.1


@dataclass(frozen=True)
class Repeats:
    """Thresholds for equal poses that are repeated frames.

    Ranges are those of motions in which every sixth frame is repeated.
    """

    # Meters; the same step before and after a repeated pose, while people move. Results
    # stay from 0 to 2 of it.
    min_motion: float = 0.005
    # Seconds for which a pose may be repeated. People who keep it for longer stand
    # still. Results stay from 0.5 to 10 of it.
    max_duration: float = 0.25
    # Share of the frames in motion that repeat others, as single ones are no sign of a
    # wrong frame rate. Results stay from 0 to 2 of it.
    min_share: float = 0.03


def find_outliers(
    points: np.ndarray, seconds: np.ndarray, limits: Excursion = Excursion()
) -> np.ndarray:
    """Mark positions that leave the path of a motion and come back to it.

    The path is the line between the frames before and after. The turning point of a
    motion is not an excursion, however fast it is. If a joint has many excursions, they
    are noise, and none is marked.

    Args:
        points (np.ndarray): Positions in meters, NaN where unknown, (T, K, 2 or 3).
        seconds (np.ndarray): Times of the frames in seconds, (T,).
        limits (Excursion): Thresholds for excursions.

    Returns:
        np.ndarray: Positions in excursions, (T, K) bool; False where unknown.

    Example:
        A point that moves by 1 cm per frame jumps by 30 cm in frame 4, and back.

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
        np.ndarray: Repeated frames, (T,) bool.
    """
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    steps = np.where(np.isnan(steps).all(1), np.inf, np.nan_to_num(steps).max(1))
    starts = np.flatnonzero(np.append(True, steps > 0))
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
    """List in how many frames joints or people are wrong, the most frequent one first.

    Args:
        names (Sequence[str]): Names of the K joints or people.
        counts (np.ndarray): Number of wrong frames of each, (K,).

    >>> list_frames(['nose', 'left_knee', 'left_wrist'], np.array([2, 0, 7]))
    'left_wrist in 7, nose in 2'
    """
    order = [x for x in np.argsort(-counts, kind='stable').tolist() if counts[x]]
    listed = [f'{names[x]} in {counts[x]}' for x in order[:_MOST_LISTED]]
    more = len(order) - len(listed)
    return ', '.join(listed) + (f' and {more} others' if more else '')


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
    """Mark positions of one joint that leave the path of the positions around them.

    ``points`` (N, 2 or 3) are in meters, at ``seconds`` (N,). Returns (N,) bool.
    """
    found = np.zeros(len(points), bool)
    if len(points) < 4:
        return found
    rate = 1 / float(np.median(np.diff(seconds)))
    reach = int(limits.max_duration * rate) - 1  # frames of the longest excursion
    usual = _usual_distances(points, seconds, limits, rate)
    least = np.maximum(limits.noise_ratio * usual, limits.min_distance)
    # A position that comes back may be the turning point of a motion, or be next to
    # another error. So the path and its speed are measured between the other frames.
    is_candidate = _find_returns(points, seconds, least, reach, limits.min_jump)
    clean = np.flatnonzero(~is_candidate)
    wrong = np.flatnonzero(is_candidate)
    # The two clean frames before each candidate, and the two after it. The first and
    # the last frame are clean.
    places = np.searchsorted(clean, wrong) + np.array([[-2], [-1], [0], [1]])
    before, start, end, after = clean[places.clip(0, len(clean) - 1)]
    around = (start, end), (before, start), (end, after)
    pace = np.max([_speed(points, seconds, *pair) for pair in around], axis=0)
    jumps = (start, start + 1), (end - 1, end)
    jump = np.min([_speed(points, seconds, *pair) for pair in jumps], axis=0)
    apart = _from_path(points, seconds, start, wrong, end)
    is_wrong = (jump > limits.speed_ratio * pace) & (apart > limits.min_distance)
    found[wrong[is_wrong & (end - start <= 2 * (reach + 1))]] = True
    noise_speeds = limits.noise_ratio * usual * rate
    kept = np.flatnonzero(~found)
    found |= _find_ends(points, seconds, kept, noise_speeds, reach, limits)
    # The same backwards in time, for the last positions
    found |= _find_ends(points, seconds, kept[::-1], noise_speeds, reach, limits)
    return found


def _usual_distances(
    points: np.ndarray, seconds: np.ndarray, limits: Excursion, rate: float
) -> np.ndarray:
    """Return the distance from the path of usual frames around each frame, (N,).

    It is a high quantile in a window, as most of its frames are usual. Positions are
    (N, 2 or 3), ``seconds`` (N,), and ``rate`` is in frames per second.
    """
    rows = np.arange(len(points))
    apart = _from_path(points, seconds, rows[:-2], rows[1:-1], rows[2:])
    window = min(max(round(limits.window * rate), 5), len(apart))
    rank = int(limits.usual_share * window)
    ranked = scipy.ndimage.rank_filter(apart, rank, window)
    # The first and last frames use the nearest window that is complete.
    first = window // 2
    last = len(apart) - 1 - (window - 1) // 2
    return np.pad(ranked[rows[:-2].clip(first, last)], 1)


def _find_ends(
    points: np.ndarray,
    seconds: np.ndarray,
    kept: np.ndarray,
    noise_speeds: np.ndarray,
    reach: int,
    limits: Excursion,
) -> np.ndarray:
    """Mark the first positions that jump away and do not come back, (N,) bool.

    ``kept`` are rows in no other excursion, ``noise_speeds`` (N,) are in m/s, and
    ``reach`` is the number of frames of the longest excursion.
    """
    found = np.zeros(len(points), bool)
    speeds = _speed(points, seconds, kept[:-1], kept[1:])
    for length in range(1, min(reach, len(speeds) - 1) + 1):
        usual = limits.speed_ratio * speeds[length]
        fast = max(limits.end_speed, noise_speeds[kept[length]], usual)
        if speeds[length - 1] > fast:
            found[kept[:length]] = True
    return found


def _find_returns(
    points: np.ndarray, seconds: np.ndarray, least: np.ndarray, reach: int, jump: float
) -> np.ndarray:
    """Mark positions between two jumps, off the line from before to after, (N,) bool.

    For at most ``reach`` frames each position is farther from the line than ``least``
    (N,) meters, and both jumps are longer than the share ``jump`` of the largest
    distance.
    """
    found = np.zeros(len(points), bool)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    large = np.flatnonzero(steps > jump * least.min())
    for length in range(1, min(reach, len(points) - 2) + 1):
        start = large[np.isin(large + length, large, assume_unique=True)]
        inside = start[:, None] + np.arange(1, length + 1)
        before = start[:, None]
        apart = _from_path(points, seconds, before, inside, before + length + 1)
        is_back = (apart > least[inside]).all(1)
        is_back &= np.minimum(steps[start], steps[start + length]) > jump * apart.max(1)
        found[inside[is_back]] = True
    return found


def _speed(
    points: np.ndarray, seconds: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Compute mean speeds (...) between frames (...); 0 from a frame to itself."""
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
