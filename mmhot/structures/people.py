"""2D poses of the people of a frame, their boxes and similarities."""

from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.skeletons.joints import Skeleton, get_skeleton

Boxes = tuple[np.ndarray, np.ndarray]
"""Detections of one image: bounding boxes (P, 4), x1, y1, x2, y2 in pixels, and their
scores (P,)."""
Pose = tuple[np.ndarray, np.ndarray]
"""Keypoints (P, K, 2) in pixels and scores (P, K) of the people of one image, or (K, 2)
and (K,) of a crop, which shows one person."""
# Ranges are those of the seven videos of pose2d/detectors.py, and of tracks in 24.
# Share of the box size; tolerance of the keypoint similarity (COCO's sigma). Half of it
# finds 18 of 347 people twice, and changes 3 of 3,685 boxes of tracks; double finds 4
# people less.
_SIGMA = 0.1
# With fewer, boxes are compared instead of keypoints. 0 to 2 of it change no track.
_MIN_COMMON_KEYPOINTS = 3
# Share of the person's highest score; boxes enclose keypoints with at least this score.
# 0 to .5 of it have .6 % fewer wrong joints, and lose .3 % of the people; double loses
# 6 %.
_ENCLOSED_SHARE = 0.4
# Steps of rounded boxes in their longer side, at least. 0.5 to 2 of it change wrong
# joints by .4 %.
_MIN_STEPS = 32
# Body keypoints in the mean confidence: the most confident ones, as images truncate
# people. Half of it adds 18 people to 347, all keypoints lose 9 % of the people.
_MOST_CONFIDENT = 12
NUM_BODY = 17
"""Number of body keypoints, the first ones of COCO and COCO-WholeBody."""
_BODY = get_skeleton('coco-17')
_SHOULDERS = ('left_shoulder', 'right_shoulder')
_HIPS = ('left_hip', 'right_hip')


@dataclass
class People:
    """The P people of one frame.

    Attributes:
        bboxes (np.ndarray): Bounding boxes x1, y1, x2, y2 in pixels, (P, 4) float32.
        bbox_scores (np.ndarray): Confidence of the boxes, (P,) float32.
        keypoints (np.ndarray): Pixels, (P, K, 2) float32.
        scores (np.ndarray): Confidence of the keypoints, (P, K) float32.
    """

    bboxes: np.ndarray
    bbox_scores: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        """Return the number of people."""
        return len(self.bboxes)

    @classmethod
    def none(cls, num_keypoints: int) -> 'People':
        """Make an empty frame for people with K keypoints."""
        shapes = (0, 4), (0,), (0, num_keypoints, 2), (0, num_keypoints)
        return cls(*(np.zeros(shape, np.float32) for shape in shapes))

    def take(self, rows: np.ndarray) -> 'People':
        """Select people by index or mask (P,)."""
        return People(*(values[rows] for values in vars(self).values()))

    def join(self, *others: 'People') -> 'People':
        """Return these people, then the others."""
        columns = zip(*(vars(x).values() for x in (self, *others)), strict=True)
        return People(*map(np.concatenate, columns))

    def with_rows(self, rows: np.ndarray, others: 'People') -> 'People':
        """Return the people with those in rows (Q,) replaced by Q others, in order."""
        order = np.arange(len(self))
        order[rows] = len(self) + np.arange(len(others))
        return self.join(others).take(order)


def compare_people(
    first: np.ndarray, second: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare people by their boxes and keypoints.

    Args:
        first (np.ndarray): Keypoints, then two corners of the box, in pixels,
            (..., K + 2, 2).
        second (np.ndarray): The same for the people to compare with.
        valid (np.ndarray): Points that are compared, (..., K + 2) bool.

    Returns:
        tuple[np.ndarray, np.ndarray]: Intersection over union of the boxes, (...), and
        COCO's object keypoint similarity, (...). With fewer than 3 valid keypoints, the
        intersection over union replaces the similarity.
    """
    overlap = box_iou(box_of(first), box_of(second))
    size = np.maximum(box_size(box_of(first)), box_size(box_of(second)))[..., None]
    squared = ((first - second)[..., :-2, :] ** 2).sum(-1)
    similarity = np.exp(-squared / (2 * (2 * _SIGMA * size) ** 2))
    valid = valid[..., :-2]
    count = valid.sum(-1)
    mean = (similarity * valid).sum(-1) / count.clip(1)
    return overlap, np.where(count < _MIN_COMMON_KEYPOINTS, overlap, mean)


def compare_all(first: People, second: People) -> np.ndarray:
    """Compute the keypoint similarity of P people to Q people, (P, Q)."""
    one, other = (
        np.concatenate([people.keypoints, people.bboxes.reshape(-1, 2, 2)], 1)
        for people in (first, second)
    )
    return compare_people(one[:, None], other, np.ones(one.shape[1], bool))[1]


def boxes_around(
    keypoints: np.ndarray, scores: np.ndarray, padding: float, size: tuple[int, int]
) -> np.ndarray:
    """Compute boxes around the confident keypoints of people.

    Args:
        keypoints (np.ndarray): Pixels, (P, K, 2); those that are not finite are
            ignored.
        scores (np.ndarray): Confidence, (P, K).
        padding (float): Margin of a box, as a share of its longer side.
        size (tuple[int, int]): Width and height of the image, to which boxes are
            clipped.

    Returns:
        np.ndarray: x1, y1, x2, y2 in pixels, (P, 4) float32; NaN without a keypoint.
    """
    finite = np.isfinite(keypoints).all(-1)
    scores = np.where(finite, scores, -np.inf)
    least = _ENCLOSED_SHARE * scores.max(axis=1, keepdims=True, initial=0)
    enclosed = (finite & (scores >= least))[..., None]
    low = np.where(enclosed, keypoints, np.inf).min(1)
    high = np.where(enclosed, keypoints, -np.inf).max(1)
    margin = padding * (high - low).max(axis=1, keepdims=True)
    with np.errstate(invalid='ignore'):
        low, high = np.clip([low - margin, high + margin], 0, size)
    boxes = np.concatenate([low, high], 1).astype(np.float32)
    boxes[~finite.any(1)] = np.nan
    return boxes


def round_boxes(boxes: np.ndarray) -> np.ndarray:
    """Round boxes (P, 4) to steps of 1/64 to 1/32 of their longer side.

    Keypoints depend slightly on the crop, and the next box is the one around the
    keypoints. Without rounding, small differences grow from frame to frame.
    """
    side = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    step = 2 ** np.floor(np.log2(side / _MIN_STEPS))
    return (np.round(boxes / step) * step).astype(np.float32)


def mean_confidence(scores: np.ndarray) -> np.ndarray:
    """Average the 12 highest scores of each person's body, (P, K) to (P,)."""
    return np.sort(scores[:, :NUM_BODY], axis=1)[:, -_MOST_CONFIDENT:].mean(1)


def are_upright(keypoints: np.ndarray) -> np.ndarray:
    """Mark people with hips below their shoulders, (P,) bool.

    ``keypoints`` (P, K, 2) are pixels. People without hips or shoulders are not marked.
    """
    right, up = torso_of(keypoints).T * [[1], [-1]]
    return up > abs(right)


def quarter_turns(keypoints: np.ndarray) -> np.ndarray:
    """Return the quarter turns to the left after which torsos are most upright, (P,).

    ``keypoints`` (P, K, 2) are pixels. People without hips or shoulders have 0.
    """
    x, y = torso_of(keypoints).T
    turns = np.round(np.arctan2(x, -y) / (np.pi / 2))
    return np.nan_to_num(turns).astype(int) % 4


def torso_of(keypoints: np.ndarray, skeleton: Skeleton = _BODY) -> np.ndarray:
    """Return vectors from the middle of the hips to that of the shoulders, (..., 2).

    Args:
        keypoints (np.ndarray): Pixels, (..., K, 2).
        skeleton (Skeleton): Skeleton of the first keypoints, such as COCO's body.

    Returns:
        np.ndarray: Pixels; NaN if the skeleton has no hips and shoulders.
    """
    is_known = {*_SHOULDERS, *_HIPS} <= {*skeleton.joints}
    if not is_known or keypoints.shape[-2] < skeleton.num_keypoints:
        return np.full((*keypoints.shape[:-2], 2), np.nan)
    ends = (keypoints[..., skeleton.indices(x), :] for x in (_SHOULDERS, _HIPS))
    shoulders, hips = (end.mean(-2) for end in ends)
    return shoulders - hips


def box_of(points: np.ndarray) -> np.ndarray:
    """Return the box (..., 4) in the last two of points (..., K + 2, 2)."""
    return points[..., -2:, :].reshape(*points.shape[:-2], 4)


def box_size(boxes: np.ndarray) -> np.ndarray:
    """Return the square root of the area of boxes (..., 4), (...), at least 1."""
    return np.sqrt((boxes[..., 2:] - boxes[..., :2]).clip(1).prod(-1))


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the intersection over union (...) of boxes (..., 4)."""
    both = _intersection(first, second)
    return both / (box_size(first) ** 2 + box_size(second) ** 2 - both)


def match_boxes(
    overlap: np.ndarray, least: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Match boxes so that the sum of overlaps is largest.

    Args:
        overlap (np.ndarray): Overlap of each of P boxes with each of Q, (P, Q).
        least (float): Pairs with less overlap are left out.

    Returns:
        tuple[np.ndarray, np.ndarray]: Row and column of each pair, (M,) each.
    """
    rows, columns = scipy.optimize.linear_sum_assignment(overlap, maximize=True)
    is_pair = overlap[rows, columns] >= least
    return rows[is_pair], columns[is_pair]


def box_overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the share (...) of the smaller box that two boxes (..., 4) cover."""
    smaller = np.minimum(box_size(first), box_size(second))
    return _intersection(first, second) / smaller**2


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the area (...) that boxes (..., 4) share."""
    start = np.maximum(first[..., :2], second[..., :2])
    end = np.minimum(first[..., 2:], second[..., 2:])
    return (end - start).clip(0).prod(-1)
