"""Keypoints as a file states them, and the checks that every format shares.

Messages here do not name the file: `read_keypoints` puts its name in front.
"""

from dataclasses import dataclass, replace

import numpy as np

# A heatmap's peak can lie a hair under zero where nothing was found.
LOWEST_SCORE = -0.1
LARGEST_FRAME = 10_000_000
# Detectors guess joints outside the picture, but not this many pictures away.
FARTHEST_PICTURES = 100


@dataclass
class Rows:
    """People found in pictures, one row each; None is what the file does not say.

    Attributes:
        keypoints (np.ndarray): Pixels, (N, K, 2).
        scores (np.ndarray | None): Confidence, (N, K).
        frame (np.ndarray): Frame numbers, (N,).
        track (np.ndarray | None): Person numbers, (N,).
        bboxes (np.ndarray | None): Boxes as x1, y1, x2, y2, (N, 4).
        width (float | None): Picture width.
        height (float | None): Picture height.
        fps (float | None): Frames per second.
        skeleton (str | None): Name of the skeleton.
        joint_names (tuple[str] | None): Names of the K joints.
    """

    keypoints: np.ndarray
    scores: np.ndarray | None
    frame: np.ndarray
    track: np.ndarray | None = None
    bboxes: np.ndarray | None = None
    width: float | None = None
    height: float | None = None
    fps: float | None = None
    skeleton: str | None = None
    joint_names: tuple[str, ...] | None = None


def checked(rows: Rows) -> Rows:
    """Check the numbers and mark what is missing.

    A joint is missing where its position or score is NaN, its score is not above
    zero, or it lies at exactly (0, 0), which is how COCO and several detectors write
    a joint that was not found. It comes back as NaN with score 0.

    Args:
        rows (Rows): As read, shapes already right.

    Returns:
        Rows: Float32 keypoints, scores and boxes, int64 frames and tracks.
    """
    frame = whole_numbers('frame', rows.frame)
    if frame.min() < 0 or frame.max() > LARGEST_FRAME:
        bad = frame.min() if frame.min() < 0 else frame.max()
        raise ValueError(f'frame must be within 0..{LARGEST_FRAME}, got {bad}')
    track = None if rows.track is None else whole_numbers('track', rows.track)

    keypoints = np.array(rows.keypoints, np.float64)
    scores = np.ones(keypoints.shape[:2]) if rows.scores is None else rows.scores
    scores = np.array(scores, np.float64)
    _require(~np.isinf(keypoints), 'keypoints', 'infinite values', frame)
    _require(~np.isinf(scores), 'scores', 'infinite values', frame)
    _require(~(scores < LOWEST_SCORE), 'scores', 'negative values', frame)
    if rows.bboxes is not None:
        _require(~np.isinf(rows.bboxes), 'boxes', 'infinite values', frame)

    missing = np.isnan(keypoints).any(-1) | (keypoints == 0).all(-1) | ~(scores > 0)
    if missing.all():
        raise ValueError('no keypoint is finite and has a score above 0')
    keypoints[missing] = np.nan
    scores[missing] = 0
    return replace(
        rows,
        keypoints=_float32(keypoints),
        scores=_float32(scores),
        frame=frame,
        track=track,
        bboxes=None if rows.bboxes is None else _float32(rows.bboxes),
    )


def check_extent(keypoints: np.ndarray, width: int, height: int) -> None:
    """Refuse keypoints that cannot be pixels of a picture of this size.

    Args:
        keypoints (np.ndarray): Pixels, (N, K, 2); NaN where missing.
        width (int): Picture width.
        height (int): Picture height.
    """
    points = keypoints[np.isfinite(keypoints).all(-1)].astype(np.float64)
    size = np.array([width, height])
    picture = f'a {width}x{height} picture'
    farthest = np.abs(points).max()
    if farthest > FARTHEST_PICTURES * size.max():
        raise ValueError(f'keypoints lie {farthest:.3g} pixels away in {picture}')
    if farthest <= 2 and size.min() > 8:
        raise ValueError(
            f'keypoints reach {farthest:.3g} at most, so they seem to be normalized: '
            f'pixels of {picture} are expected'
        )
    outside = ((points < -0.25 * size) | (points > 1.25 * size)).any(-1)
    if outside.mean() > 0.5:
        x, y = np.median(points, axis=0)
        raise ValueError(
            f'most keypoints lie outside {picture} (their middle is at {x:.0f}, '
            f'{y:.0f}): is the size WIDTHxHEIGHT?'
        )


def whole_numbers(what: str, values: np.ndarray) -> np.ndarray:
    """Return ``values`` as int64, refusing what is not a whole number."""
    values = np.asarray(values)
    if values.dtype.kind == 'f':
        # Beyond 2**53 a float does not tell its neighbors apart.
        whole = (values == np.round(values)) & (np.abs(values) < 2**53)
    else:
        whole = values <= np.iinfo(np.int64).max
    if not whole.all():
        bad = values[~whole][0]
        raise ValueError(f'{what} must hold whole numbers, got {bad}')
    return values.astype(np.int64)


def largest_person(rows: Rows) -> Rows:
    """Keep one person a frame, the largest, as one track.

    Args:
        rows (Rows): Checked rows. Boxes decide where every row has one, otherwise
            the extent of the keypoints does.

    Returns:
        Rows: At most one row a frame, all of track 0.
    """
    boxes = rows.bboxes
    if boxes is None or np.isnan(boxes).any():
        low = np.where(np.isnan(rows.keypoints), np.inf, rows.keypoints).min(1)
        high = np.where(np.isnan(rows.keypoints), -np.inf, rows.keypoints).max(1)
        side = np.where(np.isfinite(low), high - low, 0)
    else:
        side = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    # A row without any keypoint loses to all others.
    found = np.isfinite(rows.keypoints).any((1, 2))
    area = np.where(found, side.prod(-1), -1)
    order = np.lexsort((-area, rows.frame))
    first = np.r_[True, np.diff(rows.frame[order]) > 0]
    return replace(take(rows, order[first]), track=np.zeros(first.sum(), np.int64))


def take(rows: Rows, index: np.ndarray) -> Rows:
    """Select rows, in the order of ``index``."""
    names = ('keypoints', 'scores', 'frame', 'track', 'bboxes')
    arrays = {name: getattr(rows, name) for name in names}
    return replace(
        rows, **{k: None if v is None else v[index] for k, v in arrays.items()}
    )


def _require(good: np.ndarray, what: str, fault: str, frame: np.ndarray) -> None:
    if not good.all():
        row = np.argwhere(~good)[0, 0]
        raise ValueError(f'{what} holds {fault} (first at frame {frame[row]})')


def _float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over='ignore'):
        return np.asarray(values).astype(np.float32)
