"""2D poses of people, interfaces of detectors and pose estimators, pose similarity."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmhot.skeletons.joints import get_skeleton

Images = list[np.ndarray]
"""BGR images, uint8 (H, W, 3)."""
BoxArrays = list[np.ndarray]
"""Boxes (P, 4) of each image, xyxy pixels."""
Boxes = tuple[np.ndarray, np.ndarray]
"""Bounding boxes (P, 4), xyxy pixels, and scores (P,) of one image."""
Poses = tuple[np.ndarray, np.ndarray]
"""Keypoints (P, K, 2) in pixels and scores (P, K) of one image."""
Crop = tuple[np.ndarray, np.ndarray]
"""An image and the box (4,) of one person in it."""
EstimatePoses = Callable[[Images, BoxArrays], list[Poses]]
"""Maps images and the boxes (P, 4) of each to their poses."""

# Tolerance of the keypoint similarity (COCO's sigma), as a share of the box size.
_SIGMA = 0.1
_MIN_COMMON_KEYPOINTS = 3
# Boxes enclose keypoints with at least this share of the person's highest score.
_ENCLOSED_SHARE = 0.4
# Steps of rounded boxes in their longer side, at least.
_STEPS = 32
# Most of the body's keypoints count, the most confident, as images truncate people.
_MOST_CONFIDENT = 12
NUM_BODY = 17
"""Keypoints of the body, the first of COCO's and of COCO-WholeBody's."""
_BODY = get_skeleton('coco-17')
_SHOULDERS, _HIPS = (
    _BODY.indices((f'left_{joint}', f'right_{joint}')) for joint in ('shoulder', 'hip')
)


@dataclass
class People:
    """The people of one frame.

    Attributes:
        bboxes (np.ndarray): x1, y1, x2, y2 in pixels, (P, 4) float32.
        bbox_scores (np.ndarray): (P,) float32.
        keypoints (np.ndarray): Pixels, (P, K, 2) float32.
        scores (np.ndarray): Confidence of the keypoints, (P, K) float32.
    """

    bboxes: np.ndarray
    bbox_scores: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.bboxes)

    @classmethod
    def none(cls, num_keypoints: int) -> 'People':
        """Return no people, of K keypoints."""
        shapes = (0, 4), (0,), (0, num_keypoints, 2), (0, num_keypoints)
        return cls(*(np.zeros(shape, np.float32) for shape in shapes))

    def take(self, rows: np.ndarray) -> 'People':
        """Select people by index or mask."""
        return People(*(values[rows] for values in vars(self).values()))

    def join(self, *others: 'People') -> 'People':
        """Append other people."""
        columns = zip(*(vars(each).values() for each in (self, *others)), strict=True)
        return People(*map(np.concatenate, columns))


class Prior(NamedTuple):
    """Results of other frames for people who are searched in a frame.

    Attributes:
        confidence (np.ndarray): Mean confidences (P,); NaN if unknown, -inf of people
            who are upright.
        turns (np.ndarray): Quarter turns to the left after which people are most
            upright, 0 to 3, int (P,).
    """

    confidence: np.ndarray
    turns: np.ndarray

    @classmethod
    def unknown(cls, number: int) -> 'Prior':
        """Return the prior of a number of people without results."""
        return cls(np.full(number, np.nan), np.zeros(number, int))

    def take(self, rows: np.ndarray) -> 'Prior':
        """Select people by index or mask."""
        return Prior(*(values[rows] for values in self))


class Detector(ABC):
    """Interface of person detectors.

    Attributes:
        name (str): Name in messages.
        identity (dict): Plain values that change with the results (file, options); they
            name the cache file.
        interval (float): Seconds of video between two frames that a slow detector
            wants to see; 0 for every frame.
        nms_thr (float): Intersection over union above which two of its boxes are taken
            for one person.
        redetects (bool): Whether :meth:`redetect` makes use of the tracked people.
    """

    name: str
    identity: dict
    interval: float = 0.0
    nms_thr: float = 0.3
    redetects: bool = False

    @abstractmethod
    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people of BGR images (H, W, 3)."""

    def redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect all people of an image, given the poses of tracked ones in it."""
        return self([image])[0]


class PoseEstimator(ABC):
    """Interface of top-down 2D pose estimators.

    Attributes:
        name, identity: As of :class:`Detector`.
        skeleton (str): Skeleton of the keypoints, see :mod:`mmhot.skeletons.joints`.
        has_score_curve (bool): Whether scores are calibrated confidences.
        prefers_batches (bool): Whether a batch takes hardly longer than one person, as
            on a GPU.
    """

    name: str
    identity: dict
    skeleton: str
    has_score_curve: bool = False
    prefers_batches: bool = False

    @abstractmethod
    def __call__(self, images: Images, boxes: BoxArrays) -> list[Poses]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""

    def estimate_fast(self, images: Images, boxes: BoxArrays) -> list[Poses]:
        """Estimate poses faster and less accurately."""
        return self(images, boxes)

    def estimate_video(
        self, images: Images, boxes: BoxArrays, priors: list[Prior]
    ) -> list[Poses]:
        """Estimate poses in frames of a video, given their results in other frames."""
        return self.estimate_fast(images, boxes)


class CropEstimator(PoseEstimator):
    """Base of 2D pose estimators that see one crop per person.

    Attributes:
        num_keypoints (int): Number of keypoints ``K``.
    """

    num_keypoints: int

    @abstractmethod
    def estimate_crops(self, crops: list[Crop], flip_test: bool) -> Iterable[Poses]:
        """Estimate keypoints (K, 2) and scores (K,) of each pair of image and box."""

    def estimate_fast(self, images: Images, boxes: BoxArrays) -> list[Poses]:
        """Estimate poses without flip test, in half the time."""
        return self(images, boxes, flip_test=False)

    def __call__(
        self, images: Images, boxes: BoxArrays, flip_test: bool = True
    ) -> list[Poses]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        crops = crops_of(images, boxes)
        keypoints = np.empty((len(crops), self.num_keypoints, 2), np.float32)
        scores = np.empty(keypoints.shape[:2], np.float32)
        for row, pose in enumerate(self.estimate_crops(crops, flip_test)):
            keypoints[row], scores[row] = pose
        return split_poses(keypoints, scores, boxes)


def crops_of(images: Images, boxes: BoxArrays) -> list[Crop]:
    """List image and box of each person of all images."""
    pairs = zip(images, boxes, strict=True)
    return [(image, box) for image, own in pairs for box in own]


def split_poses(
    keypoints: np.ndarray, scores: np.ndarray, boxes: BoxArrays
) -> list[Poses]:
    """Split the poses of the people of all images into those of each."""
    ends = np.cumsum([len(own) for own in boxes])[:-1]
    return list(zip(np.split(keypoints, ends), np.split(scores, ends), strict=True))


class FrameObserver(ABC):
    """Interface of what looks at every frame and its people, once, in order.

    Attributes:
        name (str): Name of its arrays in the cache; it changes when the results do.
    """

    name: str

    @abstractmethod
    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Look at the next frame: its number, BGR image (H, W, 3) and people."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was observed in all frames."""


def compare_people(
    first: np.ndarray, second: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare people, given as keypoints and two box corners, (..., K + 2, 2).

    Returns the intersection over union of the boxes (...), and COCO's object keypoint
    similarity (...) of those that are ``valid``, or again the former if these are few.
    """
    overlap = box_iou(box_of(first), box_of(second))
    size = np.maximum(box_size(box_of(first)), box_size(box_of(second)))[..., None]
    squared = ((first - second)[..., :-2, :] ** 2).sum(-1)
    similarity = np.exp(-squared / (2 * (2 * _SIGMA * size) ** 2))
    valid = valid[..., :-2]
    count = valid.sum(-1)
    mean = (similarity * valid).sum(-1) / count.clip(1)
    return overlap, np.where(count < _MIN_COMMON_KEYPOINTS, overlap, mean)


def compare_all(first: Poses, second: Poses) -> np.ndarray:
    """Compute similarities (P, Q) of people, pairs of all keypoints and their boxes."""
    one, other = (
        np.concatenate([keypoints, boxes.reshape(-1, 2, 2)], 1)
        for keypoints, boxes in (first, second)
    )
    return compare_people(one[:, None], other, np.ones(one.shape[1], bool))[1]


def boxes_around(
    keypoints: np.ndarray, scores: np.ndarray, padding: float, size: tuple[int, int]
) -> np.ndarray:
    """Compute boxes around the confident keypoints of people, clipped to the image.

    Args:
        keypoints (np.ndarray): Pixels, those that are not finite ignored, (P, K, 2).
        scores (np.ndarray): Their confidence, (P, K).
        padding (float): Margin as a share of the longer side.
        size (tuple[int, int]): Width and height of the image in pixels.

    Returns:
        np.ndarray: Pixels, float32 (P, 4); NaN without a keypoint.
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
    """Round boxes (P, 4) to a 32nd to a 64th of their longer side.

    Models place keypoints a bit differently in other crops, and the next boxes are
    those around the keypoints: without it any small difference grows from frame to
    frame.
    """
    side = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    step = 2 ** np.floor(np.log2(side / _STEPS))
    return (np.round(boxes / step) * step).astype(np.float32)


def mean_confidence(scores: np.ndarray) -> np.ndarray:
    """Average the scores (P, K) of each person's most confident body keypoints."""
    return np.sort(scores[:, :NUM_BODY], axis=1)[:, -_MOST_CONFIDENT:].mean(1)


def are_upright(keypoints: np.ndarray) -> np.ndarray:
    """Mark people (P,) whose hips are below their shoulders; none without these."""
    right, up = torso_of(keypoints).T * [[1], [-1]]
    return up > abs(right)


def quarter_turns(keypoints: np.ndarray) -> np.ndarray:
    """Return the quarter turns to the left (P,) after which torsos are most upright."""
    x, y = torso_of(keypoints).T
    turns = np.round(np.arctan2(x, -y) / (np.pi / 2))
    return np.nan_to_num(turns).astype(int) % 4


def torso_of(keypoints: np.ndarray) -> np.ndarray:
    """Return vectors (..., 2) from the hips to the shoulders of keypoints (..., K, 2).

    The body's keypoints come first in COCO's skeletons; NaN without them.
    """
    if keypoints.shape[-2] < NUM_BODY:
        return np.full((*keypoints.shape[:-2], 2), np.nan)
    return keypoints[..., _SHOULDERS, :].mean(-2) - keypoints[..., _HIPS, :].mean(-2)


def box_of(points: np.ndarray) -> np.ndarray:
    """Return the box (..., 4) at the end of points (..., K + 2, 2)."""
    return points[..., -2:, :].reshape(*points.shape[:-2], 4)


def box_size(boxes: np.ndarray) -> np.ndarray:
    """Return the square root of the area of boxes (..., 4)."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clip(1)
    return np.sqrt(sides.prod(-1))


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the intersection over union (...) of boxes (..., 4)."""
    both = _intersection(first, second)
    return both / (box_size(first) ** 2 + box_size(second) ** 2 - both)


def box_overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the intersection (...) of boxes (..., 4), per area of the smaller one."""
    smaller = np.minimum(box_size(first), box_size(second))
    return _intersection(first, second) / smaller**2


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    start = np.maximum(first[..., :2], second[..., :2])
    end = np.minimum(first[..., 2:], second[..., 2:])
    return (end - start).clip(0).prod(-1)
