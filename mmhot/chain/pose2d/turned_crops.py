"""Second estimates of 2D poses in turned crops.

People who lie or are upside down are estimated in crops that are turned by quarter
turns, and tilted people in crops that are aligned with the torso.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import cv2
import numpy as np

from mmhot.chain.pose2d.interfaces import (
    BoxArrays,
    Crop,
    Images,
    PoseEstimator,
    PoseFunction,
    Prior,
    crops_of,
    split_poses,
)
from mmhot.geometry.crops import map_points, unmap_points, warp_smoothly
from mmhot.structures.people import (
    NUM_BODY,
    Pose,
    are_upright,
    mean_confidence,
    quarter_turns,
    torso_of,
)

_NUM_TURNS = 4
_LEFT = np.array([[0, 1], [-1, 0]])  # quarter turn to the left of points (x, y)


@dataclass(frozen=True)
class TurnSettings:
    """Thresholds that decide when and how crops are turned.

    They were chosen on photos, see the card of the weights. Good upright poses are kept
    because raised arms look like legs, and poses in turned crops of them are wrong with
    a high confidence. In videos, only larger tilts are aligned: at small ones the gain
    is less than the difference between the two estimates from frame to frame.
    """

    # Ranges are those of the videos of :class:`Verification` in detectors.py, and of 62
    # people in photographs as they are and turned by 40, 90 and 180 degrees; points are
    # hundredths of COCO's keypoint similarity.
    # Drop of a person's mean confidence, compared with other frames of the video, that
    # triggers more turns. 0 to 10 of it change 7 of 182 frames by .1 % of a person.
    max_drop: float = 0.2
    # A pose with an upright torso is kept without further turns if the body's mean
    # confidence is at least this; one with a turned torso if it cannot rise further by
    # ``min_gain``. With this value for both, .6 % more joints of five videos are wrong.
    # Half of it loses 1 point if photographs are upside down; double is equal.
    good_upright: float = 0.65
    # The upright crop replaces a crop that is turned as before if its mean confidence
    # reaches this. In photos of sports, the upright crops of 3 of 36 people upside down
    # exceed 0.65 (0.74, 0.74, 0.76; their turned crops reach 0.89, 0.70, 0.99). Half of
    # it loses .5 % of the people in videos, double changes one frame.
    upright_again: float = 0.75
    # The turned crop is kept if its mean confidence is higher than the upright one's by
    # more than this. 0 to 10 of it change no frame of the videos; the tests have people
    # who change between both.
    max_loss: float = 0.2
    # Least rise of the body's mean confidence by another turn. 0 to 1 of it differ by 1
    # point; with double photographs that lie lose 1.8 points, and .2 % more joints of
    # the videos are wrong.
    min_gain: float = 0.15
    # Degrees; a crop is aligned with the torso if the angle between both is at least
    # this. 0 to 1 of it differ by .1 points, double loses .7 in upright photographs.
    min_tilt: float = 15.0
    # Degrees; the same threshold in videos. With half of it .4 % fewer joints of 19
    # videos are wrong, and .3 % of the people are lost; with double .2 % fewer.
    min_video_tilt: float = 30.0
    # Side of a turned patch, in longer sides of the box. Half of it loses 1 point in
    # turned photographs, double changes no joint of the videos.
    patch_size: float = 1.8
    # Side of an aligned patch, in longer sides of the box. Half of it loses 1 point in
    # turned photographs, double wins .1.
    aligned_size: float = 2.2
    # Pixels; aligned patches with a longer side are scaled down to it. 0.5 to 10 of it
    # change less than .1 % of the joints of the videos.
    max_side: int = 768
    # Margin between the keypoints and the new box, as a share of the longer side of
    # their extent. Half of it loses .7 points in photographs, double wins .3.
    margin: float = 0.15
    # The new box encloses keypoints with a higher confidence than this. With all of
    # them, .2 % fewer joints of five videos are wrong.
    min_score: float = 0.3
    # If fewer keypoints are this confident, all of them determine the box.
    min_keypoints: int = 6
    # Largest distance between two estimates of a keypoint that are averaged, in torso
    # lengths. With 0, or if all are averaged, .1 to .4 % fewer joints are wrong, and
    # .6 to .9 % fewer people are found.
    max_averaged: float = 0.15


_SETTINGS = TurnSettings()


class TurnedCrops(PoseEstimator):
    """Repeat another estimator's estimates in turned crops, where that helps.

    2D models have seen few people who lie or are upside down. For people with a low
    confidence the crop is turned by 90, 180 and 270 degrees. The pose with the highest
    confidence is kept if it clearly wins.

    In videos, people are first estimated in the crop turned like their last pose, and
    in the upright crop. The upright crop wins if it shows an upright person with a
    confidence of at least ``upright_again``, and at most ``max_loss`` below that of the
    turned crop. Crops are turned further only if the confidence of a person falls.
    People who are still tilted are estimated again, see :func:`align_tilted`.
    Confidences of the estimator must be calibrated.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self.estimator = estimator
        self.name = estimator.name
        self.skeleton = estimator.skeleton
        self.has_score_curve = estimator.has_score_curve
        self.prefers_batches = estimator.prefers_batches
        self.identity = {**estimator.identity, 'turns': list(astuple(_SETTINGS))}

    def __call__(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        priors = [Prior.unknown(len(image_boxes)) for image_boxes in boxes]
        return self._estimate(self.estimator, images, boxes, priors, _SETTINGS.min_tilt)

    def estimate_fast(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate poses without turned crops."""
        return self.estimator.estimate_fast(images, boxes)

    def estimate_video(
        self, images: Images, boxes: BoxArrays, priors: list[Prior]
    ) -> list[Pose]:
        """Estimate poses; crops are turned if the confidence of a person falls."""
        fast = self.estimator.estimate_fast
        return self._estimate(fast, images, boxes, priors, _SETTINGS.min_video_tilt)

    def _estimate(
        self,
        estimate: PoseFunction,
        images: Images,
        boxes: BoxArrays,
        priors: list[Prior],
        min_tilt: float,
    ) -> list[Pose]:
        """Estimate people in crops turned as before, turned further, and aligned.

        Args:
            estimate (PoseFunction): The other estimator, with or without flip test.
            images (Images): BGR images, uint8 (H, W, 3).
            boxes (BoxArrays): Boxes (P, 4) of each image, xyxy pixels.
            priors (list[Prior]): Results of the same people in other frames.
            min_tilt (float): Least angle between torso and crop for an alignment,
                degrees.
        """
        people = crops_of(images, boxes)
        if not people:
            return estimate(images, boxes)
        confidence, turns = map(np.concatenate, zip(*priors, strict=True))
        poses, turns = self._estimate_first(estimate, people, turns)
        points, scores = poses
        is_turned = quarter_turns(points) > 0
        needed = np.where(is_turned, 1 - _SETTINGS.min_gain, _SETTINGS.good_upright)
        # Comparisons are False where the confidence in other frames is unknown (NaN).
        as_before = scores.mean(1) >= confidence - _SETTINGS.max_drop
        uncertain = np.flatnonzero((mean_confidence(scores) < needed) & ~as_before)
        if len(uncertain):
            poses = self._turn_further(estimate, people, poses, turns, uncertain)
        poses = align_tilted(estimate, people, poses, min_tilt, turns)
        return split_poses(*poses, boxes)

    def _estimate_first(
        self, estimate: PoseFunction, people: list[Crop], turns: np.ndarray
    ) -> tuple[Pose, np.ndarray]:
        """Estimate people in crops with their last turns (P,), and in upright crops.

        Returns the better poses, and their turns (P,): 0 where the upright crop wins.
        """
        turned = np.flatnonzero(turns)
        crops = [_turn(x, turn) for x, turn in zip(people, turns, strict=True)]
        crops += [_turn(people[row], 0) for row in turned]
        points, scores = _estimate_crops(estimate, crops)
        points, upright = np.split(points, [len(people)])
        scores, upright_scores = np.split(scores, [len(people)])
        least = mean_confidence(scores[turned]) - _SETTINGS.max_loss
        least = np.maximum(_SETTINGS.upright_again, least)
        wins = (mean_confidence(upright_scores) >= least) & are_upright(upright)
        points[turned[wins]] = upright[wins]
        scores[turned[wins]] = upright_scores[wins]
        is_upright = np.isin(np.arange(len(people)), turned[wins])
        return (points, scores), np.where(is_upright, 0, turns)

    def _turn_further(
        self,
        estimate: PoseFunction,
        people: list[Crop],
        poses: Pose,
        turns: np.ndarray,
        uncertain: np.ndarray,
    ) -> Pose:
        """Try the other quarter turns of uncertain people, and keep better poses.

        Args:
            estimate (PoseFunction): The estimator of the poses that are kept. The turns
                are tried without flip test.
            people (list[Crop]): Image and box (4,) of each person.
            poses (Pose): First estimates, keypoints (P, K, 2) in pixels of the image,
                and scores (P, K).
            turns (np.ndarray): Quarter turns that were tried already, (P,).
            uncertain (np.ndarray): Indices of the people, (U,).

        Returns:
            Pose: Keypoints (P, K, 2) and scores (P, K).
        """
        crops = [
            _turn(people[person], turn)
            for person in uncertain
            for turn in range(_NUM_TURNS)
            if turn != turns[person]
        ]
        fast = self.estimator.estimate_fast
        points, scores = (values.copy() for values in poses)
        turned = _estimate_crops(fast, crops)
        confidence = turned[1][:, :NUM_BODY].mean(1).reshape(len(uncertain), -1)
        least = scores[uncertain, :NUM_BODY].mean(1) + _SETTINGS.min_gain
        better = np.flatnonzero(confidence.max(1) > least)
        if not len(better):
            return poses
        rows = better * confidence.shape[1] + confidence[better].argmax(1)
        chosen = turned[0][rows], turned[1][rows]
        if estimate != fast:
            chosen = _estimate_crops(estimate, [crops[row] for row in rows])
        points[uncertain[better]], scores[uncertain[better]] = chosen
        return points, scores


class _TurnedCrop(NamedTuple):
    """Turned patch around a person.

    ``pixels`` (h, w, 3) is BGR, ``box`` (4,) the person's box in the patch as xyxy
    pixels, and ``matrix`` (2, 3) maps points of the image into the patch.
    """

    pixels: np.ndarray
    box: np.ndarray
    matrix: np.ndarray


def _estimate_crops(estimate: PoseFunction, crops: Sequence[_TurnedCrop]) -> Pose:
    """Estimate the person of each crop: keypoints in the image, and scores."""
    poses = estimate(
        [crop.pixels for crop in crops],
        [crop.box[None].astype(np.float32) for crop in crops],
    )
    points, scores = map(np.concatenate, zip(*poses, strict=True))
    for row, crop in enumerate(crops):
        points[row] = unmap_points(crop.matrix, points[row])
    return points, scores


def _turn(person: Crop, turn: int) -> _TurnedCrop:
    """Crop the surroundings of a person, and turn them to the left ``turn`` times."""
    image, box = person
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
        # Columns become rows, and the last column becomes the first row.
        matrix = _LEFT @ matrix
        matrix[1, 2] += patch.shape[1] - 1
        patch = np.rot90(patch)
    corners = map_points(matrix, np.stack([low, high]))
    turned = np.concatenate([corners.min(0), corners.max(0)])
    return _TurnedCrop(np.ascontiguousarray(patch), turned, matrix)


def align_tilted(
    estimate: PoseFunction,
    people: list[Crop],
    poses: Pose,
    min_tilt: float,
    turns: np.ndarray,
) -> Pose:
    """Estimate tilted people again in rotated crops, and combine both estimates.

    A tilted body fills little of its upright bounding box, and models have seen few
    tilted bodies. The second crop is rotated so that the torso is upright, and fits the
    keypoints of the first crop. Where both estimates of a keypoint agree, they are
    averaged with their squared scores as weights; elsewhere the more confident one is
    kept. Scores are the means of both.

    Args:
        estimate (PoseFunction): Estimates poses in boxes of images.
        people (list[Crop]): Image and box (4,) of each person.
        poses (Pose): First estimates, keypoints (P, K, 2) in pixels of the image, and
            scores (P, K).
        min_tilt (float): Least angle between torso and crop of people who are estimated
            again, degrees.
        turns (np.ndarray): Quarter turns to the left of the first crops, (P,).

    Returns:
        Pose: Keypoints (P, K, 2) and scores (P, K).
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
    """Rotate the surroundings of a person by ``tilt`` degrees, and find the new box.

    The person has keypoints (K, 2) in pixels of the image, and their scores (K,).
    """
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
    first = extent.min(0)
    last = extent.max(0)
    margin = _SETTINGS.margin * (last - first).max()
    # The new box stays within the corners of the rotated box.
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
    near = distance <= _SETTINGS.max_averaged * np.linalg.norm(torso_of(points[0]))
    near[best, rows] = True
    weights = np.maximum(scores, 1e-6) ** 2 * near
    mean = (points * weights[..., None]).sum(0) / weights.sum(0)[:, None]
    return mean, scores.mean(0)
