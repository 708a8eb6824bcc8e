"""People found by the 2D model itself, which looks everywhere.

For those who have no detector: the model looks into boxes of several sizes all over the
picture, and again into boxes around what it was sure of. It takes some hundred boxes a
picture, so it is used on every tenth frame unless told otherwise (``det_every``), and
people are followed in between.
"""

from dataclasses import dataclass

import numpy as np

from mmhot.video.people import PoseEstimator

from .identity import identify

# Heights of boxes as parts of the picture's shorter side, and their proportions.
_HEIGHTS = (1.0, 0.63, 0.4, 0.25)
_PROPORTIONS = 0.75
# Boxes beside and above each other overlap by all but this part.
_STEP = 0.4
# Confidence of who is looked at again, after a glance and after a look: people in bad
# boxes are a bit less unsure than nobody is.
_MAYBE = (0.2, 0.3)
_BATCH = 32
_ROOM = 0.2
# Keypoints count whose confidence is this part of the surest one's.
_SURE = 0.4
# Of two boxes of which one covers so much of the other, one is of the same person.
_SAME = 0.6


@dataclass
class ScanningDetector:
    """Finds people with a 2D model alone.

    Args:
        estimator (PoseEstimator): The model; its method ``glance``, if it has one, is
            a quicker look that is good enough for the first time.
        min_score (float): Mean confidence of the keypoints of people. Defaults to
            0.65: of the weights that come with this package, things have up to that.
    """

    estimator: PoseEstimator
    min_score: float = 0.65

    interval = 10

    @property
    def name(self) -> str:
        """For people to read."""
        return f'scan by {self.estimator.name}'

    @property
    def identity(self) -> dict:
        """What results depend on."""
        return identify('scan', '', model=self.estimator.identity, min=self.min_score)

    def __call__(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (P, 4), xyxy pixels, and scores (P,) of each BGR image."""
        return [self._search(image) for image in images]

    def _search(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        boxes = boxes_everywhere(*image.shape[1::-1])
        glance = getattr(self.estimator, 'glance', self.estimator)
        looks = (glance, self.estimator, self.estimator)
        for look, least in zip(looks, (*_MAYBE, self.min_score), strict=True):
            boxes, scores = self._look(image, boxes, look)
            kept = scores > least
            boxes, scores = _distinct(boxes[kept], scores[kept])
        return boxes, scores

    @staticmethod
    def _look(
        image: np.ndarray, boxes: np.ndarray, estimator: PoseEstimator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (P, 4) around what is in boxes, and mean confidences (P,)."""
        around, scores = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
        for first in range(0, len(boxes), _BATCH):
            [(points, sure)] = estimator([image], [boxes[first : first + _BATCH]])
            around.append(_around(points, sure, image.shape[1::-1]))
            scores.append(sure.mean(1))
        return np.concatenate(around), np.concatenate(scores)


def boxes_everywhere(width: int, height: int) -> np.ndarray:
    """Boxes of several sizes that cover a picture, float32 (N, 4)."""
    boxes = []
    for part in _HEIGHTS:
        tall = part * min(height, width / _PROPORTIONS)
        size = np.array([tall * _PROPORTIONS, tall])
        room = np.array([width, height]) - size
        counts = np.ceil(room / (size * _STEP) - 1e-6).astype(int) + 1
        x, y = (np.linspace(0, end, n) for end, n in zip(room, counts, strict=True))
        corners = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
        boxes.append(np.concatenate([corners, corners + size], 1))
    return np.concatenate(boxes).astype(np.float32)


def _around(
    points: np.ndarray, scores: np.ndarray, picture: tuple[int, int]
) -> np.ndarray:
    """Boxes (P, 4) around the surer keypoints, within the picture."""
    sure = scores >= _SURE * scores.max(axis=1, keepdims=True)
    places = np.where(sure[..., None], points, np.nan)
    low, high = np.nanmin(places, 1), np.nanmax(places, 1)
    room = _ROOM * (high - low).max(1, keepdims=True)
    low, high = np.maximum(low - room, 0), np.minimum(high + room, picture)
    return np.concatenate([low, high], 1).astype(np.float32)


def _distinct(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the less sure of those that cover each other, the surest first."""
    order = np.argsort(-scores, kind='stable')
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(-1)
    area = shared.diagonal()
    same = shared > _SAME * np.minimum(area[:, None], area)
    kept = []
    for person in order:
        if not same[person, kept].any():
            kept.append(person)
    return boxes[kept], scores[kept]
