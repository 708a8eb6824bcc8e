"""Interfaces of person detectors and 2D pose estimators."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from mmhot.structures.people import Boxes, People, Pose

Images = list[np.ndarray]
"""BGR images, uint8 (H, W, 3)."""
BoxArrays = list[np.ndarray]
"""Bounding boxes (P, 4), xyxy pixels, of each image, without scores."""
Crop = tuple[np.ndarray, np.ndarray]
"""An image, and the box (4,) of one person in it, xyxy pixels."""
PoseFunction = Callable[[Images, BoxArrays], list[Pose]]
"""Function that estimates the poses in the boxes (P, 4) of each image."""


class Prior(NamedTuple):
    """Results of other frames for the people who are searched in a frame.

    Attributes:
        confidence (np.ndarray): Mean confidence of each person's pose, (P,). A clearly
            lower one in the frame makes estimators try turned crops, too. NaN, for
            people without results, always allows this; -inf, for upright ones, never.
        turns (np.ndarray): Quarter turns to the left that make people most upright, 0
            to 3, int (P,).
    """

    confidence: np.ndarray
    turns: np.ndarray

    @classmethod
    def unknown(cls, number: int) -> 'Prior':
        """Return the prior of a number of people without results."""
        return cls(np.full(number, np.nan), np.zeros(number, int))

    def take(self, rows: np.ndarray) -> 'Prior':
        """Select people by index or mask (P,)."""
        return Prior(*(values[rows] for values in self))


class Detector(ABC):
    """Interface of person detectors.

    Attributes:
        name (str): Name in messages.
        identity (dict): Plain values (file, options) that differ if results may differ;
            they are part of the name of the cache file.
        interval (float): Seconds of a video from one detection to the next; 0 to detect
            people in every frame.
        nms_thr (float): Default of the inferencer's ``nms_thr``: boxes with a larger
            intersection over union show one person.
        redetects (bool): Whether :meth:`redetect` uses the tracked people.

    Example::

        class CenterDetector(mmhot.Detector):
            name, identity = 'center', {'name': 'center'}

            def __call__(self, images):
                return [(np.float32([[99, 9, 299, 459]]), np.ones(1)) for _ in images]
    """

    name: str
    identity: dict
    interval: float = 0.0
    nms_thr: float = 0.3
    redetects: bool = False

    @abstractmethod
    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people in images.

        Args:
            images (Images): BGR images, uint8 (H, W, 3), upright.

        Returns:
            list[Boxes]: For each image, boxes (P, 4) and scores (P,) from 0 to 1. Boxes
            are x1, y1, x2, y2 in pixels, from the top left of the image.
        """

    def redetect(self, image: np.ndarray, tracked: People) -> Boxes:
        """Detect all people in an image, given the people tracked in it.

        Args:
            image (np.ndarray): BGR image, uint8 (H, W, 3).
            tracked (People): People who were found in this image by tracking.

        Returns:
            Boxes: Boxes (P, 4) and scores (P,), as for a call.
        """
        return self([image])[0]


class PoseEstimator(ABC):
    """Interface of top-down 2D pose estimators.

    Attributes:
        name, identity: As in :class:`Detector`.
        skeleton (str): Skeleton of the keypoints, see :mod:`mmhot.skeletons.joints`.
        has_score_curve (bool): Whether scores are calibrated confidences.
        prefers_batches (bool): Whether many people take hardly longer than one, as on a
            GPU. In videos, all frames are then estimated and none interpolated.

    Example::

        class BoxEstimator(mmhot.PoseEstimator):
            name, skeleton, identity = 'boxes', 'coco-17', {'name': 'boxes'}

            def __call__(self, images, boxes):
                centers = [(x[:, None, :2] + x[:, None, 2:]) / 2 for x in boxes]
                return [(x.repeat(17, 1), np.ones((len(x), 17))) for x in centers]
    """

    name: str
    identity: dict
    skeleton: str
    has_score_curve: bool = False
    prefers_batches: bool = False

    @abstractmethod
    def __call__(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate the poses of people in boxes.

        Args:
            images (Images): BGR images, uint8 (H, W, 3), upright.
            boxes (BoxArrays): For each image, boxes (P, 4), x1, y1, x2, y2 in pixels.

        Returns:
            list[Pose]: For each image, keypoints (P, K, 2) in pixels of the image, NaN
            where missing, and scores (P, K) from 0 to 1.
        """

    def estimate_fast(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate poses faster and less accurately, if the model can.

        Arguments and results are as in a call.
        """
        return self(images, boxes)

    def estimate_video(
        self, images: Images, boxes: BoxArrays, priors: list[Prior]
    ) -> list[Pose]:
        """Estimate poses in frames of a video.

        Args:
            images (Images): BGR images, uint8 (H, W, 3).
            boxes (BoxArrays): For each image, boxes (P, 4) in pixels.
            priors (list[Prior]): For each image, results of the same people in other
                frames.

        Returns:
            list[Pose]: Keypoints (P, K, 2) and scores (P, K) of each image.
        """
        return self.estimate_fast(images, boxes)


class CropEstimator(PoseEstimator):
    """Base of 2D pose estimators that see one crop per person.

    Attributes:
        num_keypoints (int): Number of keypoints ``K``.
    """

    num_keypoints: int

    @abstractmethod
    def estimate_crops(self, crops: list[Crop], flip_test: bool) -> Iterable[Pose]:
        """Estimate the pose of one person in each crop.

        Args:
            crops (list[Crop]): Pairs of an image and a box (4,).
            flip_test (bool): Whether to average with the mirrored crop, if the model
                has a flip test.

        Returns:
            Iterable[Pose]: Keypoints (K, 2) in pixels of the image, and scores (K,).
        """

    def estimate_fast(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate poses without flip test, which halves the time."""
        return self(images, boxes, flip_test=False)

    def __call__(
        self, images: Images, boxes: BoxArrays, flip_test: bool = True
    ) -> list[Pose]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        crops = crops_of(images, boxes)
        keypoints = np.empty((len(crops), self.num_keypoints, 2), np.float32)
        scores = np.empty(keypoints.shape[:2], np.float32)
        for row, pose in enumerate(self.estimate_crops(crops, flip_test)):
            keypoints[row], scores[row] = pose
        return split_poses(keypoints, scores, boxes)


def crops_of(images: Images, boxes: BoxArrays) -> list[Crop]:
    """List the image and the box (4,) of each person in all images."""
    pairs = zip(images, boxes, strict=True)
    return [(image, box) for image, image_boxes in pairs for box in image_boxes]


def split_poses(
    keypoints: np.ndarray, scores: np.ndarray, boxes: BoxArrays
) -> list[Pose]:
    """Split keypoints (P, K, 2) and scores (P, K) of all people by image.

    The boxes of each image, (P, 4), give the number of its people.
    """
    ends = np.cumsum([len(image_boxes) for image_boxes in boxes])[:-1]
    return list(zip(np.split(keypoints, ends), np.split(scores, ends), strict=True))
