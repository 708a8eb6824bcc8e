"""People found by a small detector and the 2D model together.

The detector that comes with mmhot was trained for hours, not days: it suspects most
people, and much that is none. The 2D model looks at each suspect, and at what it found
there once more; how sure both are tells people from things. That is tens of boxes a
picture, so it is done every 0.2 s, at least on every fifth frame, unless told otherwise
(``det_every``), and people are followed in between.
"""

from dataclasses import dataclass

import numpy as np

from mmhot.skeletons.joints import get_skeleton
from mmhot.video.people import Detector, PoseEstimator
from mmhot.video.pose_similarity import boxes_around, compare_people
from mmhot.video.sources.model_digests import identify

# To be raised when other boxes are found: cached boxes are kept with it.
_RULES = 1

# Suspects are boxes that the detector gives at least this score, so many a picture.
SUSPECTED = 0.15
_MOST = 40
# Of the detector's score and the two mean confidences the latter tell more.
_POWERS = (0.25, 0.5)
# Who is less than this after the first look is not looked at again.
_MAYBE = 0.2
_BATCH = 32
_ROOM = 0.1
# Of the body's keypoints, the first of COCO's skeletons, so many count: people whom the
# picture cuts off lack the others.
_BODY, _SUREST = 17, 12
# Of two boxes of which one covers so much of the other, with keypoints so similar, one
# is of the same person.
_SAME, _ALIKE = 0.6, 0.2


@dataclass
class ScanningDetector:
    """Finds people by a detector whose boxes a 2D model looks into.

    Args:
        estimator (PoseEstimator): The model; its method ``glance``, if it has one, is
            a quicker look that is good enough here.
        detector (Detector): Suspects people.
        min_score (float): Least score of people, of the detector's ``s`` and the mean
            confidences ``c`` of two looks: ``s ** 0.25 * (c1 * c2) ** 0.5``. Defaults
            to 0.62.
        min_known (float): Least mean confidence of people who were followed. Defaults
            to 0.6.
    """

    estimator: PoseEstimator
    detector: Detector
    min_score: float = 0.62
    min_known: float = 0.6

    interval = 0.2
    # those who are the same are told by their keypoints
    nms_thr = 1.0

    @property
    def name(self) -> str:
        """For people to read."""
        return f'{self.detector.name}, checked by {self.estimator.name}'

    @property
    def identity(self) -> dict:
        """What results depend on."""
        both = {'model': self.estimator.identity, 'detector': self.detector.identity}
        least = {'min': self.min_score, 'known': self.min_known}
        return identify('scan', str(_RULES), **both, **least)

    def __call__(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (P, 4), xyxy pixels, and scores (P,) of each BGR image."""
        suspects = self.detector(images)
        found = [
            self._check(image, *own)
            for image, own in zip(images, suspects, strict=True)
        ]
        return [_distinct(*each) for each in found]

    def again(
        self, image: np.ndarray, known: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Look for people where some were followed.

        Args:
            image (np.ndarray): BGR, (H, W, 3).
            known (np.ndarray): Boxes of those, (P, 4). They need not be suspected
                again: the 2D model says whether they are still there.

        Returns:
            tuple[np.ndarray, np.ndarray]: Boxes (P', 4) and scores (P',) of everybody.
        """
        [suspects] = self.detector([image])
        found = self._check(image, *suspects)
        boxes, sure, points = self._look(image, known)
        kept = sure >= self.min_known
        followed = boxes[kept], sure[kept], points[kept]
        joined = (np.concatenate(pair) for pair in zip(found, followed, strict=True))
        return _distinct(*joined)

    def _check(
        self, image: np.ndarray, boxes: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes, scores and keypoints of those suspects who are people."""
        suspects = np.argsort(-scores, kind='stable')[:_MOST]
        boxes, scores = boxes[suspects], scores[suspects]
        boxes, sure, _ = self._look(image, boxes)
        own, look = _POWERS
        scores = scores**own * sure**look
        kept = scores * sure**look > _MAYBE
        boxes, scores = boxes[kept], scores[kept]
        _, sure, points = self._look(image, boxes)
        scores = scores * sure**look
        kept = scores >= self.min_score
        return boxes[kept], scores[kept], points[kept]

    def _look(
        self, image: np.ndarray, boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (P, 4) around who is in boxes, how sure that is (P,), keypoints."""
        if not len(boxes):
            joints = get_skeleton(self.estimator.skeleton).num_keypoints
            none = np.zeros(0, np.float32)
            return boxes, none, np.zeros((0, joints, 2), np.float32)
        look = getattr(self.estimator, 'glance', self.estimator)
        keypoints, scores = [], []
        for first in range(0, len(boxes), _BATCH):
            [(points, sure)] = look([image], [boxes[first : first + _BATCH]])
            keypoints.append(points)
            scores.append(sure)
        keypoints, scores = np.concatenate(keypoints), np.concatenate(scores)
        around = boxes_around(keypoints, scores, _ROOM, image.shape[1::-1])
        return around, _sureness(scores), keypoints


def _sureness(scores: np.ndarray) -> np.ndarray:
    """How sure keypoints (P, K) are that somebody is there, (P,)."""
    return np.sort(scores[:, :_BODY], axis=1)[:, -_SUREST:].mean(1)


def _distinct(
    boxes: np.ndarray, scores: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (P, 4) and scores (P,) without the less sure of those who are the same.

    The surest come first.
    """
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(-1)
    area = shared.diagonal()
    same = shared > _SAME * np.minimum(area[:, None], area)
    corners = boxes.reshape(-1, 2, 2)
    seen = np.concatenate([points, corners], 1)
    _, similar = compare_people(seen[:, None], seen, np.ones(seen.shape[:2], bool))
    same &= similar >= _ALIKE
    kept: list[int] = []
    for person in np.argsort(-scores, kind='stable'):
        if not same[person, kept].any():
            kept.append(person)
    return boxes[kept], scores[kept]
