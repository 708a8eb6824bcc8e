"""What a 2D source finds in a frame."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass
class People:
    """The people of one frame.

    Attributes:
        bboxes (np.ndarray): x1, y1, x2, y2 in pixels, (P, 4) float32.
        bbox_scores (np.ndarray): (P,) float32.
        keypoints (np.ndarray): Pixels, (P, K, 2) float32.
        scores (np.ndarray): Their confidences, (P, K) float32.
    """

    bboxes: np.ndarray
    bbox_scores: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        """Return how many."""
        return len(self.bboxes)

    def take(self, rows: np.ndarray) -> 'People':
        """Return some of them, by index or mask."""
        return People(
            self.bboxes[rows],
            self.bbox_scores[rows],
            self.keypoints[rows],
            self.scores[rows],
        )


class Detector(Protocol):
    """Finds people's boxes.

    Attributes:
        name (str): For people to read.
        identity (dict): What results depend on: plain values, of its file and options.

    One that takes long may have ``interval``, the seconds between those frames of a
    film that it sees, and ``again``, which takes an image and the boxes (P, 4) of those
    who were followed there, and returns one image's boxes and scores, theirs too. One
    whose boxes may overlap, as it tells people apart by more, has ``nms_thr``, the
    intersection over union from which two of its boxes are one person's.
    """

    name: str
    identity: dict

    def __call__(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (P, 4), xyxy pixels, and scores (P,) of each BGR image."""
        ...


class PoseEstimator(Protocol):
    """Finds the keypoints of people whose boxes are known.

    Attributes:
        name (str): For people to read.
        identity (dict): What results depend on: plain values, of its file and options.
        skeleton (str): Of its keypoints, see `mmhot.skeletons`.
    """

    name: str
    identity: dict
    skeleton: str

    def __call__(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints (P, K, 2) and scores (P, K) for the boxes (P, 4) of each image."""
        ...
