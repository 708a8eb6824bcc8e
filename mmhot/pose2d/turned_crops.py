"""Second estimates of 2D poses in turned crops.

Quarter turns are for people who lie or are upside down; crops that are aligned with the
torso for people who are tilted.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import cv2
import numpy as np

from mmhot.geometry.crops import map_points, unmap_points, warp_smoothly
from mmhot.pose2d.interfaces import (
    BoxArrays,
    Crop,
    EstimatePoses,
    Images,
    PoseEstimator,
    Prior,
    crops_of,
    split_poses,
)
from mmhot.structures.people import (
    NUM_BODY,
    Pose,
    are_upright,
    mean_confidence,
    quarter_turns,
    torso_of,
)

_NUM_TURNS = 4
_LEFT = np.array([[0, 1], [-1, 0]])  # quarter turn


@dataclass(frozen=True)
class TurnSettings:
    """When crops are turned, and how; chosen on photos, see the card of the weights.

    A good upright pose stays: raised arms look like legs, and turned crops of them are
    wrong with a high confidence. In videos, gains at small tilts are less than the two
    estimates differ between frames.
    """

    fall: float = 0.2  # drop of a person's confidence that triggers turns in videos
    good_turned: float = 0.85  # mean confidence of turned torsos that need no more
    good_upright: float = 0.65  # the same of upright ones
    # of people who were turned before: 3 of 36 upside down in photos of sports exceed
    # .65 in their upright crops, .74 .74 .76, where the turned ones have .89 .70 .99
    good_return: float = 0.75  # confidence of upright crops from which they win,
    max_loss: float = 0.2  # unless the turned crop's is higher by more than this
    min_gain: float = 0.15  # of the body's mean confidence in a crop turned otherwise
    min_turned: float = 0.6  # least mean confidence there
    min_tilt: float = 15.0  # of torsos that are aligned, degrees from vertical
    min_video_tilt: float = 30.0  # the same in videos
    patch_size: float = 1.8  # side of a turned patch, longer sides of the box
    aligned_size: float = 2.2  # the same of an aligned patch
    max_side: int = 768  # larger aligned patches are reduced, pixels
    margin: float = 0.15  # around the keypoints, share of their extent's longer side
    min_score: float = 0.3  # of keypoints that determine the box
    min_keypoints: int = 6  # of these, else all do
    near: float = 0.15  # distance of keypoints that are averaged, lengths of the torso


_SETTINGS = TurnSettings()


class TurnedCrops(PoseEstimator):
    """Estimate people of another estimator again in turned crops, where it helps.

    2D models have seen few people who lie or are upside down. For people with a low
    confidence the crop is turned by 90, 180 and 270 degrees, and the pose with the
    highest confidence kept if it clearly wins.

    In videos, people are first estimated in the crop turned like their last pose, and
    in the upright one, which wins if it shows an upright person with a confidence of
    ``good_return`` and nearly that of the other. Crops are turned further only if the
    confidence of a person falls. People who are still tilted are estimated again, see
    :func:`align_tilted`. Confidences of the estimator must be calibrated.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self.estimator = estimator
        self.name, self.skeleton = estimator.name, estimator.skeleton
        self.has_score_curve = estimator.has_score_curve
        self.prefers_batches = estimator.prefers_batches
        self.identity = {**estimator.identity, 'turns': list(astuple(_SETTINGS))}

    def __call__(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        priors = [Prior.unknown(len(of_image)) for of_image in boxes]
        tilt = _SETTINGS.min_tilt
        return self._estimate(self.estimator, images, boxes, priors, tilt)

    def estimate_fast(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate poses without turned crops."""
        return self.estimator.estimate_fast(images, boxes)

    def estimate_video(
        self, images: Images, boxes: BoxArrays, priors: list[Prior]
    ) -> list[Pose]:
        """Estimate poses; crops are turned if the confidence of a person falls."""
        estimate, tilt = self.estimator.estimate_fast, _SETTINGS.min_video_tilt
        return self._estimate(estimate, images, boxes, priors, tilt)

    def _estimate(
        self,
        estimate: EstimatePoses,
        images: Images,
        boxes: BoxArrays,
        priors: list[Prior],
        min_tilt: float,
    ) -> list[Pose]:
        people = crops_of(images, boxes)
        if not people:
            return estimate(images, boxes)
        confidence, turns = map(np.concatenate, zip(*priors, strict=True))
        poses = points, scores = self._estimate_first(estimate, people, turns)
        # False where the confidence in other frames is unknown
        as_before = scores.mean(1) >= confidence - _SETTINGS.fall
        is_turned = quarter_turns(points) > 0
        needed = np.where(is_turned, _SETTINGS.good_turned, _SETTINGS.good_upright)
        uncertain = np.flatnonzero((mean_confidence(scores) < needed) & ~as_before)
        if len(uncertain):
            self._turn_further(estimate, people, poses, turns, uncertain)
        poses = align_tilted(estimate, people, poses, min_tilt, turns)
        return split_poses(*poses, boxes)

    def _estimate_first(
        self, estimate: EstimatePoses, people: list[Crop], turns: np.ndarray
    ) -> Pose:
        """Estimate people in crops turned as before and, if at all, in upright ones.

        The turns (P,) of people whose upright crop wins become 0.
        """
        turned = np.flatnonzero(turns)
        pairs = [*zip(people, turns, strict=True), *((people[x], 0) for x in turned)]
        crops = [_turn(*crop, turn) for crop, turn in pairs]
        (points, upright), (scores, upright_scores) = (
            np.split(values, [len(people)])
            for values in _estimate_crops(estimate, crops)
        )
        least = mean_confidence(scores[turned]) - _SETTINGS.max_loss
        least = np.maximum(_SETTINGS.good_return, least)
        wins = (mean_confidence(upright_scores) >= least) & are_upright(upright)
        rows = turned[wins]
        points[rows], scores[rows] = upright[wins], upright_scores[wins]
        turns[rows] = 0
        return points, scores

    def _turn_further(
        self,
        estimate: EstimatePoses,
        people: list[Crop],
        poses: Pose,
        turns: np.ndarray,
        uncertain: np.ndarray,
    ) -> None:
        """Replace poses of people by those in crops turned otherwise, if better."""
        crops = [
            _turn(image, box, turn)
            for person in uncertain
            for image, box in [people[person]]
            for turn in range(_NUM_TURNS)
            if turn != turns[person]
        ]
        fast, (points, scores) = self.estimator.estimate_fast, poses
        turned_points, turned_scores = _estimate_crops(fast, crops)
        confidence = turned_scores[:, :NUM_BODY].mean(1).reshape(len(uncertain), -1)
        least = scores[uncertain, :NUM_BODY].mean(1) + _SETTINGS.min_gain
        least = np.maximum(least, _SETTINGS.min_turned)
        better = np.flatnonzero(confidence.max(1) > least)
        if not len(better):
            return
        rows = better * confidence.shape[1] + confidence[better].argmax(1)
        chosen = turned_points[rows], turned_scores[rows]
        if estimate != fast:
            chosen = _estimate_crops(estimate, [crops[row] for row in rows])
        points[uncertain[better]], scores[uncertain[better]] = chosen


class _TurnedCrop(NamedTuple):
    """Turned surroundings of a person, the box (4,) and the matrix into them (2, 3)."""

    pixels: np.ndarray
    box: np.ndarray
    matrix: np.ndarray


def _estimate_crops(estimate: EstimatePoses, crops: Sequence[_TurnedCrop]) -> Pose:
    """Estimate the person of each crop: keypoints in the image, and scores."""
    poses = estimate(
        [crop.pixels for crop in crops],
        [crop.box[None].astype(np.float32) for crop in crops],
    )
    points, scores = map(np.concatenate, zip(*poses, strict=True))
    for row, crop in enumerate(crops):
        points[row] = unmap_points(crop.matrix, points[row])
    return points, scores


def _turn(image: np.ndarray, box: np.ndarray, turn: int) -> _TurnedCrop:
    """Crop the surroundings of a box, and turn them to the left."""
    matrix = np.eye(2, 3)
    if not turn:
        return _TurnedCrop(image, box, matrix)
    low, high, center, side = _measure(box)
    half = _SETTINGS.patch_size / 2 * side
    limit = np.array(image.shape[1::-1])
    first = np.floor(center - half).clip(0, limit - 1).astype(int)
    last = np.maximum(np.ceil(center + half).clip(0, limit).astype(int), first + 1)
    patch = image[first[1] : last[1], first[0] : last[0]]
    matrix[:, 2] = -first
    for _ in range(turn):
        # columns become rows, the last one first
        matrix = _LEFT @ matrix
        matrix[1, 2] += patch.shape[1] - 1
        patch = np.rot90(patch)
    corners = map_points(matrix, np.stack([low, high]))
    turned = np.concatenate([corners.min(0), corners.max(0)])
    return _TurnedCrop(np.ascontiguousarray(patch), turned, matrix)


def align_tilted(
    estimate: EstimatePoses,
    people: list[Crop],
    poses: Pose,
    min_tilt: float,
    turns: np.ndarray,
) -> Pose:
    """Estimate tilted people again in rotated crops, and combine both estimates.

    A tilted body fills little of its upright bounding box, and models have seen fewer
    of them. The second crop is rotated so that the torso is upright, and fits the
    keypoints of the first, which was turned to the left by quarter ``turns`` (P,).
    Keypoints that agree are averaged by their squared scores, of others the more
    confident is taken; scores are means.
    """
    points, scores = (values.copy() for values in poses)
    x, y = torso_of(points).T
    tilts = np.degrees(np.arctan2(x, -y))
    rest = (tilts - 90 * turns + 180) % 360 - 180
    tilted = np.flatnonzero(abs(rest) >= min_tilt)
    if not len(tilted):
        return points, scores
    crops = [_align(*people[x], points[x], scores[x], tilts[x]) for x in tilted]
    again = zip(*_estimate_crops(estimate, crops), strict=True)
    for person, second in zip(tilted, again, strict=True):
        first = points[person], scores[person]
        points[person], scores[person] = _combine(first, second)
    return points, scores


def _align(
    image: np.ndarray,
    box: np.ndarray,
    points: np.ndarray,
    scores: np.ndarray,
    tilt: float,
) -> _TurnedCrop:
    """Rotate the surroundings of a person, and find the new box."""
    low, high, center, side = _measure(box)
    side *= _SETTINGS.aligned_size
    zoom = min(_SETTINGS.max_side / side, 1.0)
    side = int(np.ceil(zoom * side))
    matrix: np.ndarray = cv2.getRotationMatrix2D(center.tolist(), float(tilt), zoom)
    matrix[:, 2] += side / 2 - center
    reliable = scores > _SETTINGS.min_score
    if reliable.sum() < _SETTINGS.min_keypoints:
        reliable[:] = True
    extent = map_points(matrix, points[reliable])
    first, last = extent.min(0), extent.max(0)
    margin = _SETTINGS.margin * (last - first).max()
    # not beyond the corners of the rotated box
    box_corners = [(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])]
    corners = map_points(matrix, np.array(box_corners))
    first = np.maximum(first - margin, corners.min(0))
    last = np.minimum(last + margin, corners.max(0))
    pixels = warp_smoothly(image, matrix, (side, side))
    return _TurnedCrop(pixels, np.concatenate([first, last]), matrix)


def _measure(box: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return both corners (2,) of a box, its center, and its longer side."""
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    return low, high, (low + high) / 2, max(*(high - low), 1)


def _combine(first: Pose, second: Pose) -> Pose:
    """Combine two estimates: keypoints (K, 2) and scores (K,)."""
    points, scores = (np.stack(pair) for pair in zip(first, second, strict=True))
    best = scores.argmax(0)
    rows = np.arange(len(best))
    distance = np.linalg.norm(points - points[best, rows], axis=-1)
    near = distance <= _SETTINGS.near * np.linalg.norm(torso_of(points[0]))
    near[best, rows] = True
    weights = np.maximum(scores, 1e-6) ** 2 * near
    mean = (points * weights[..., None]).sum(0) / weights.sum(0)[:, None]
    return mean, scores.mean(0)
