"""How alike two sightings of people are.

A person is given as points (..., K + 2, 2): the keypoints and the box's corners.
"""

import numpy as np

# Tolerance of keypoint similarity, like COCO's sigmas: parts of a person's size.
_SIGMA = 0.1
# Fewer keypoints than that are too few to go by.
_FEWEST = 3
# Keypoints say where somebody is whose confidence is this part of the surest one's.
_SURE = 0.4


def compare_people(
    first: np.ndarray, second: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare boxes and keypoints.

    Args:
        first (np.ndarray): Points, (..., K + 2, 2).
        second (np.ndarray): Others, (..., K + 2, 2).
        known (np.ndarray): Which points count, (..., K + 2).

    Returns:
        tuple[np.ndarray, np.ndarray]: Intersection over union of the boxes, and object
        keypoint similarity as COCO has it; that of the boxes once more where hardly
        any keypoint counts. Both (...), from 0 to 1.
    """
    overlap = _overlap(box_of(first), box_of(second))
    size = np.maximum(box_size(box_of(first)), box_size(box_of(second)))[..., None]
    apart = ((first - second)[..., :-2, :] ** 2).sum(-1)
    alike = np.exp(-apart / (2 * (2 * _SIGMA * size) ** 2))
    counts = known[..., :-2]
    number = counts.sum(-1)
    similar = (alike * counts).sum(-1) / number.clip(1)
    return overlap, np.where(number < _FEWEST, overlap, similar)


def boxes_around(
    keypoints: np.ndarray, scores: np.ndarray, room: float, size: tuple[int, int]
) -> np.ndarray:
    """Boxes around people's surer keypoints, within the picture.

    Args:
        keypoints (np.ndarray): Pixels, those that are not finite do not count,
            (P, K, 2).
        scores (np.ndarray): Their confidences, (P, K).
        room (float): Around them, as a part of their extent.
        size (tuple[int, int]): Width and height of the picture.

    Returns:
        np.ndarray: x1, y1, x2, y2 in pixels, float32 (P, 4); NaN without a keypoint.
    """
    real = np.isfinite(keypoints).all(-1)
    scores = np.where(real, scores, -np.inf)
    sure = real & (scores >= _SURE * scores.max(axis=1, keepdims=True, initial=0))
    low = np.where(sure[..., None], keypoints, np.inf).min(1)
    high = np.where(sure[..., None], keypoints, -np.inf).max(1)
    margin = room * (high - low).max(axis=1, keepdims=True)
    with np.errstate(invalid='ignore'):
        low, high = np.clip([low - margin, high + margin], 0, size)
    boxes = np.concatenate([low, high], 1).astype(np.float32)
    boxes[~real.any(1)] = np.nan
    return boxes


def box_of(points: np.ndarray) -> np.ndarray:
    """Return the box (..., 4) among points (..., K + 2, 2)."""
    return points[..., -2:, :].reshape(*points.shape[:-2], 4)


def box_size(boxes: np.ndarray) -> np.ndarray:
    """Return the side of squares as large as boxes (..., 4)."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clip(1)
    return np.sqrt(sides.prod(-1))


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    start = np.maximum(boxes[..., :2], others[..., :2])
    end = np.minimum(boxes[..., 2:], others[..., 2:])
    both = (end - start).clip(0).prod(-1)
    return both / (box_size(boxes) ** 2 + box_size(others) ** 2 - both)
