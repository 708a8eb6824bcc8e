"""Norfair's tracker with box and keypoint similarity and a Kalman filter for people.

`Norfair <https://github.com/tryolabs/norfair>`_ predicts, matches, and starts and ends
tracks; it is imported with this module, which takes a second or two.
"""

from collections.abc import Sequence
from typing import Any

import norfair
import numpy as np
from norfair.distances import Distance
from norfair.filter import FilterFactory, OptimizedKalmanFilter

from mmhot.video.people import People, box_of, box_size, compare_people

# Keypoints with a lower confidence are not compared.
_MIN_SCORE = 0.3
# Faces and hands, which skeletons list last, take time and add nothing.
_MAX_KEYPOINTS = 33
# Share of the box's intersection over union in the similarity; the rest is keypoints.
_BOX_SHARE = 0.3
_MAX_DISTANCE = 0.7
# Keypoint similarity and box overlap from which two boxes are one person.
_DUPLICATE_SIMILARITY, _DUPLICATE_OVERLAP = 0.9, 0.5
# In sizes of the person: standard deviation of a keypoint, and of its speed per second.
_KEYPOINT_NOISE = 0.05
_ACCELERATION = 1.0
# Standard deviation of the speed of a new person, sizes per second.
_INITIAL_SPEED = 1.5


class PersonTracker(norfair.Tracker):
    """Track people with Norfair.

    Args:
        fps (float): Frames per second.
        delay (int): Frames after which a new track is confirmed.
        max_gap (int): Frames for which an occluded person is predicted.
    """

    def __init__(self, fps: float, delay: int, max_gap: int) -> None:
        super().__init__(
            distance_function='euclidean',
            distance_threshold=_MAX_DISTANCE,
            hit_counter_max=max_gap,
            initialization_delay=delay,
            pointwise_hit_counter_max=max_gap,
            detection_threshold=_MIN_SCORE,
            filter_factory=_PersonFilters(fps),
            past_detections_length=0,
        )
        # the argument takes distances of all pairs at once only by SciPy's names
        self.distance_function = _PersonDistance()

    def found_in(self, index: int | None) -> list[Any]:
        """Return the tracked objects that were detected in a frame."""
        return [
            person
            for person in self.tracked_objects
            if person.last_detection.data[0] == index
        ]

    def reset(self) -> None:
        """Drop all tracks; IDs go on counting."""
        self.tracked_objects = []


class _PersonFilter(OptimizedKalmanFilter):
    """Kalman filter that predicts occluded people with one rigid velocity."""

    missed = 0

    def predict(self) -> None:
        speed = self.x[self.dim_z :].reshape(-1, 2)
        if self.missed:
            speed[:] = np.median(speed, 0)
        self.missed += 1
        super().predict()

    def update(self, *args, **kwargs) -> None:
        self.missed = 0
        super().update(*args, **kwargs)


class _PersonFilters(FilterFactory):
    """Make filters whose noise is proportional to the size of the person."""

    def __init__(self, fps: float) -> None:
        super().__init__()
        self._fps = fps

    def create_filter(self, initial_detection: np.ndarray) -> _PersonFilter:
        size = box_size(box_of(initial_detection))
        made = _PersonFilter(
            2 * initial_detection.size,
            initial_detection.size,
            pos_variance=(_KEYPOINT_NOISE * size) ** 2,
            vel_variance=(_INITIAL_SPEED * size / self._fps) ** 2,
            q=(_ACCELERATION * size) ** 2 / self._fps**3,
            r=(_KEYPOINT_NOISE * size) ** 2,
        )
        made.x[: made.dim_z] = initial_detection.reshape(-1, 1)
        return made


class _PersonDistance(Distance):
    """Distance of detections and predictions, from 0 to 1."""

    def get_distances(self, objects: Sequence, candidates: Sequence) -> np.ndarray:
        """Compute the distances of candidates (rows) and objects (columns)."""
        if not objects or not candidates:
            return np.zeros((len(candidates), len(objects)))
        detected = np.stack([candidate.points for candidate in candidates])[:, None]
        scores = np.stack([candidate.scores for candidate in candidates])[:, None]
        predicted = np.stack([person.estimate for person in objects])[None]
        known = np.stack([x.detected_at_least_once_points for x in objects])[None]
        both = (scores > _MIN_SCORE) & known
        overlap, similarity = compare_people(detected, predicted, both)
        return 1 - _BOX_SHARE * overlap - (1 - _BOX_SHARE) * similarity


def make_detections(people: People, index: int) -> list[norfair.Detection]:
    """Convert the people of a frame to detections of keypoints and box corners.

    Duplicates and people without a confident keypoint or finite box are dropped. Their
    ``data`` is the frame's number and the row.
    """
    keypoints = people.keypoints[:, :_MAX_KEYPOINTS].astype(np.float64)
    scores = np.nan_to_num(people.scores[:, :_MAX_KEYPOINTS].astype(np.float64))
    scores = np.where(np.isfinite(keypoints).all(-1), scores, 0)
    corners = people.bboxes.reshape(-1, 2, 2).astype(np.float64)
    middle = corners.mean(1, keepdims=True)
    keypoints = np.where(np.isfinite(keypoints), keypoints, middle)
    points = np.concatenate([keypoints, corners], 1)
    valid = np.isfinite(corners).all((1, 2)) & (scores > 0).any(1)
    scores = np.concatenate([scores, np.ones((len(scores), 2))], 1)
    rows = np.flatnonzero(valid)
    kept: list[int] = []
    for row in rows[np.argsort(-people.bbox_scores[rows], kind='stable')]:
        both = (scores[kept] > _MIN_SCORE) & (scores[row] > _MIN_SCORE)
        overlap, similarity = compare_people(points[kept], points[row], both)
        duplicate = similarity >= _DUPLICATE_SIMILARITY
        if not (duplicate & (overlap >= _DUPLICATE_OVERLAP)).any():
            kept.append(row)
    return [
        norfair.Detection(points[row], scores[row], data=(index, row))
        for row in sorted(kept)
    ]
