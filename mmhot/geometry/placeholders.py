"""Places that stand for missing points, such as (1, 1) or -9999.

Programs write a fixed place, the middle or the size of the image, or the last known
place. Such a point contradicts the others: it repeats exactly one place while they
move, and jumps to it, is too far away, or is where another point is, too. Programs that
lose a person hold the last pose, until it jumps.
"""

import numpy as np

from mmhot.errors import ignored_warnings

# Chosen on 52 motions of CMU as positions, in pixels, rounded, relative to the hips and
# with feet locked to the floor: no point is found, but in 2 of people of 130 whole
# pixels. Varied on 18 of them, in 12 forms: half of _SPREAD or _MAX_REPEATED_DISTANCE
# finds points in 62 of 216 clips, half of _MIN_MOVED in 4, of _MIN_TWINS in 1, and half
# or twice the others in none. Twice _SPREAD, _MIN_JUMP or _MIN_STEP finds .67 to .78 of
# the placeholders in the middle of the image, instead of all.
_SPREAD = 4.0  # length of a body, in median distances of its points from their median
_MAX_DISTANCE = 20.0  # body lengths from the median of the other points
_MAX_REPEATED_DISTANCE = 1.5  # the same of points that repeat a place
_MIN_ROWS = 3  # rows with one place; frames that are repeated 30 times a second have 2
_MIN_MOVED = 1.0  # body lengths by which the distance of a point that stays changes
# Step to or from a repeated place: relative to the point's other fast steps (95 %), and
# in body lengths
_MIN_JUMP = 2.0
_MIN_STEP = 0.1
_MIN_USUAL = 0.2  # share of steps from which fast ones are found
_MIN_TWINS = 10  # rows in which another point has the same place


@ignored_warnings()  # NumPy warns of people without points
def find_placeholders(points: np.ndarray) -> np.ndarray:
    """Mark the points of one person that are placeholders.

    A person who does not move at all has none.

    Args:
        points (np.ndarray): Pixels or positions, NaN where missing, (T, K, C).

    Returns:
        np.ndarray: Mask, (T, K).
    """
    found = np.zeros(points.shape[:2], bool)
    center = np.nanmedian(points, 1)
    away = np.linalg.norm(points - center[:, None], axis=-1)
    body = _SPREAD * np.nanmedian(away)
    if not body > 0:
        return found
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1) / body
    held = np.append(False, np.nanmax(steps, 1) == 0)
    pose_jumps = _jumps(np.nanmedian(steps, 1), held)
    for rows in np.split(np.arange(len(points)), np.flatnonzero(~held)):
        found[rows[1:]] = len(rows) > _MIN_ROWS and pose_jumps[rows[-1]]
    moves = np.median(np.nan_to_num(steps), 1) > 0  # whether most points move
    moves = np.append(moves, moves[-1:])
    sorted_x = np.sort(points[..., 0], 0)
    repeats = (sorted_x[_MIN_ROWS - 1 :] == sorted_x[: 1 - _MIN_ROWS]).any(0)
    for joint in np.flatnonzero(repeats):
        places, place, counts = np.unique(
            points[:, joint], axis=0, return_inverse=True, return_counts=True
        )
        place = place.ravel()
        jumps = _jumps(steps[:, joint], counts[place] >= _MIN_ROWS)
        order = np.argsort(place, kind='stable')
        for rows in np.split(order, np.cumsum(counts)[:-1]):
            if len(rows) < _MIN_ROWS or not moves[rows].mean() > 0.5:
                continue
            twins = (points[rows] == points[rows[0], joint]).all(-1).sum(1) - 1
            found[rows, joint] |= (
                jumps[rows].any()
                or np.median(away[rows, joint]) > _MAX_REPEATED_DISTANCE * body
                or np.ptp(away[rows, joint]) > _MIN_MOVED * body
                or (points.shape[-1] == 2 and np.sum(twins > 0) >= _MIN_TWINS)
            )
    others = np.where(found[..., None], np.nan, points)
    center = np.nanmedian(others, 1, keepdims=True)
    is_far = np.linalg.norm(others - center, axis=-1) > _MAX_DISTANCE * body
    # Rows in which most points are far have another unit.
    found |= is_far & (is_far.mean(1, keepdims=True) < 0.5)
    return found & np.isfinite(points).all(-1)


def _jumps(steps: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    """Mark rows to which, or from which, a point jumps, (T,).

    Args:
        steps (np.ndarray): Steps from row to row in body lengths, (T - 1,).
        repeats (np.ndarray): Rows that have a place of other rows, (T,). Their steps
            are not usual, unless most rows repeat, as whole pixels do.
    """
    is_usual = ~(repeats[1:] | repeats[:-1])
    chosen = steps[is_usual] if is_usual.mean() > _MIN_USUAL else steps
    usual = np.nanpercentile(np.append(chosen, 0), 95)
    is_jump = steps > max(_MIN_JUMP * usual, _MIN_STEP)
    return np.append(is_jump, False) | np.append(False, is_jump)
