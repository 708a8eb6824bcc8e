"""Second estimates of 2D poses in turned crops.

Quarter turns are for people who lie or are upside down; crops that are aligned with the
torso for people who are tilted.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import cv2
import numpy as np

from mmhot.structures.crops import map_points, unmap_points, warp_smoothly
from mmhot.video.people import (
    NUM_BODY,
    EstimatePoses,
    PoseEstimator,
    Poses,
    Prior,
    mean_confidence,
    quarter_turns,
    torso_of,
)

# Side of the square patch around a box that is turned, per longer side of the box:
# crops are padded, and as wide as the model's input.
_PATCH_SIZE = 1.8
_TURNS = range(4)
_ALIGNED_SIZE = 2.2  # side of the rotated patch, per longer side of the box
_MAX_SIDE = 768  # larger patches are reduced, pixels
_MARGIN = 0.15  # around the keypoints, per longer side of their extent
_MIN_SCORE, _MIN_KEYPOINTS = 0.3, 6  # of keypoints that determine the box
_NEAR = 0.15  # distance of keypoints that are averaged, per length of the torso
# Fall of a person's mean confidence from which the crop is turned in videos.
_FALL = 0.2
# Angle of torsos, degrees, from which people in videos are estimated again: below it,
# the two estimates differ more between frames than they gain.
_MIN_TILT = 30.0


@dataclass(frozen=True)
class QuarterTurns:
    """Repeat the estimation in turned crops for people with a low confidence.

    2D models have seen few people who lie or are upside down. For these the crop is
    turned by 90, 180 and 270 degrees, and the pose with the highest confidence kept if
    it clearly wins. A good upright pose stays: raised arms look like legs, and turned
    crops of them are wrong with a high confidence.
    In videos, people are first estimated in the crop turned like their last pose.
    Scores must be calibrated confidences. Then people who are still tilted are
    estimated again, see :func:`align_tilted`. The
    thresholds were chosen on photos of sports and everyday life (see the card of the
    weights).

    Args:
        min_upright (float): Mean confidence of a person's most confident keypoints, see
            :func:`~mmhot.video.people.mean_confidence`, below which crops are turned.
            Defaults to 0.85.
        good_upright (float): The same mean, from which poses with an upright torso
            stay. Defaults to 0.65.
        min_gain (float): Least gain of the body's mean confidence over the first crop.
            Defaults to 0.15.
        min_turned (float): Least mean confidence of the body in another crop. Defaults
            to 0.6.
        min_tilt (float): Angle between torso and vertical, degrees, from which people
            are estimated again. Infinite if keypoints are not COCO's. Defaults to 15.
    """

    min_upright: float = 0.85
    good_upright: float = 0.65
    min_gain: float = 0.15
    min_turned: float = 0.6
    min_tilt: float = 15.0

    def __call__(
        self,
        estimate: EstimatePoses,
        estimate_fast: EstimatePoses,
        images: list[np.ndarray],
        boxes: list[np.ndarray],
        least: list[np.ndarray] | None = None,
        turns: list[np.ndarray] | None = None,
        min_tilt: float = 0.0,
    ) -> list[Poses]:
        """Estimate the poses in boxes, and again those of some people.

        Args:
            estimate (Callable): 2D pose estimator.
            estimate_fast (Callable): The same in less time, to choose the turn.
            images (list[np.ndarray]): BGR images (H, W, 3).
            boxes (list[np.ndarray]): Boxes (P, 4) of each.
            least (list[np.ndarray], optional): Mean confidences (P,) from which crops
                are not turned further; NaN if unknown.
            turns (list[np.ndarray], optional): Quarter turns to the left (P,) of the
                first crops. None by default.
            min_tilt (float): Least angle, if larger than :attr:`min_tilt`.
        """
        if turns is None:
            turns = [np.zeros(len(own), int) for own in boxes]
        poses = _estimate_turned(estimate, images, boxes, turns)
        poses = self._improve(
            estimate, estimate_fast, images, boxes, poses, least, turns
        )
        min_tilt = max(min_tilt, self.min_tilt)
        if np.isinf(min_tilt):
            return poses
        return align_tilted(estimate, images, boxes, poses, min_tilt, turns)

    def _improve(
        self,
        estimate: EstimatePoses,
        estimate_fast: EstimatePoses,
        images: list[np.ndarray],
        boxes: list[np.ndarray],
        poses: list[Poses],
        least: list[np.ndarray] | None,
        turns: list[np.ndarray],
    ) -> list[Poses]:
        """Estimate people of a low confidence again, in crops turned otherwise."""
        crops = [
            _crop(images, boxes, image, person, turn)
            for image, pose in enumerate(poses)
            for person in np.flatnonzero(
                self._are_uncertain(pose, None if least is None else least[image])
            )
            for turn in _TURNS
            if turn != turns[image][person]
        ]
        best: dict[tuple[int, int], tuple[float, _Crop, Poses]] = {}
        for crop, turned in zip(crops, _estimate(estimate_fast, crops), strict=True):
            place, confidence = (crop.image, crop.person), _mean(turned[1][0])
            first = _mean(poses[crop.image][1][crop.person])
            needed = max(first + self.min_gain, self.min_turned)
            if confidence > best.get(place, (needed,))[0]:
                best[place] = confidence, crop, turned
        _, chosen, estimated = zip(*best.values(), strict=True) if best else ((),) * 3
        if estimate != estimate_fast:
            estimated = _estimate(estimate, chosen)
        _put_back(poses, chosen, estimated)
        return poses

    def _are_uncertain(self, poses: Poses, least: np.ndarray | None) -> np.ndarray:
        points, scores = poses
        confidence = mean_confidence(scores)
        needed = np.where(quarter_turns(points), self.min_upright, self.good_upright)
        uncertain = confidence < needed
        if least is not None:
            uncertain &= ~(scores.mean(1) >= least)
        return uncertain


class TurnedCrops(PoseEstimator):
    """Estimate people of another estimator again in turned crops, where it helps.

    Args:
        estimator (PoseEstimator): Estimator with calibrated confidences.
        turns (QuarterTurns): Whose crops are turned, and which poses are kept.
    """

    def __init__(
        self,
        estimator: PoseEstimator,
        turns: QuarterTurns = QuarterTurns(),
    ) -> None:
        self.estimator, self.turns = estimator, turns
        self.name, self.skeleton = estimator.name, estimator.skeleton
        self.has_score_curve = estimator.has_score_curve
        self.is_thread_safe = estimator.is_thread_safe
        self.identity = {**estimator.identity, 'turns': asdict(turns)}

    def __call__(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[Poses]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        model = self.estimator
        return self.turns(model, model.estimate_fast, images, boxes)

    def estimate_fast(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[Poses]:
        """Estimate poses without turned crops."""
        return self.estimator.estimate_fast(images, boxes)

    def estimate_video(
        self,
        images: list[np.ndarray],
        boxes: list[np.ndarray],
        priors: list[Prior],
        flip_test: bool = False,
    ) -> list[Poses]:
        """Estimate poses; crops are turned if the confidence of a person falls."""
        model = self.estimator
        estimate = model if flip_test else model.estimate_fast
        least = [prior.confidence - _FALL for prior in priors]
        turns = [prior.turns for prior in priors]
        return self.turns(
            estimate, model.estimate_fast, images, boxes, least, turns, _MIN_TILT
        )


class _Crop(NamedTuple):
    """Turned surroundings of a person, its box (1, 4) there, and its corner (x, y)."""

    image: int
    person: int
    turn: int
    patch: np.ndarray
    box: np.ndarray
    corner: np.ndarray


def _mean(scores: np.ndarray) -> float:
    """Average the scores (K,) of the body's keypoints."""
    return float(scores[:NUM_BODY].mean())


def _crop(
    images: list[np.ndarray],
    boxes: list[np.ndarray],
    image: int,
    person: int,
    turn: int,
) -> _Crop:
    """Turn the surroundings of a person to the left."""
    return _Crop(image, person, turn, *_turn(images[image], boxes[image][person], turn))


def _estimate_turned(
    estimate: EstimatePoses,
    images: list[np.ndarray],
    boxes: list[np.ndarray],
    turns: list[np.ndarray],
) -> list[Poses]:
    """Estimate people in crops after quarter turns (P,), as one batch."""
    crops = [
        _crop(images, boxes, image, person, own[person])
        for image, own in enumerate(turns)
        for person in np.flatnonzero(own)
    ]
    upright = [own[turn == 0] for own, turn in zip(boxes, turns, strict=True)]
    found = estimate(
        [*images, *(crop.patch for crop in crops)],
        [*upright, *(crop.box for crop in crops)],
    )
    poses = []
    for turn, own in zip(turns, found[: len(images)], strict=True):
        pose = tuple(np.zeros((len(turn), *x.shape[1:]), x.dtype) for x in own)
        for every, some in zip(pose, own, strict=True):
            every[turn == 0] = some
        poses.append(pose)
    _put_back(poses, crops, found[len(images) :])
    return poses


def _put_back(
    poses: list[Poses], crops: Sequence[_Crop], found: Sequence[Poses]
) -> None:
    """Replace the poses of people by those of their crops."""
    for crop, (points, scores) in zip(crops, found, strict=True):
        points = _turn_back(points[0], crop.patch.shape, crop.turn)
        poses[crop.image][0][crop.person] = points + crop.corner
        poses[crop.image][1][crop.person] = scores[0]


def _estimate(estimate: EstimatePoses, crops: Sequence[_Crop]) -> list[Poses]:
    """Estimate the person of each crop."""
    if not crops:
        return []
    return estimate([crop.patch for crop in crops], [crop.box for crop in crops])


def _turn(
    image: np.ndarray, box: np.ndarray, turn: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crop the surroundings of a box and turn them to the left.

    Returns the patch, the box (1, 4) in it, and the corner (x, y) of the patch.
    """
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    half = _PATCH_SIZE / 2 * max(*(high - low), 1)
    center = (low + high) / 2
    limit = np.array(image.shape[1::-1])
    first = np.floor(center - half).clip(0, limit - 1).astype(int)
    last = np.maximum(np.ceil(center + half).clip(0, limit).astype(int), first + 1)
    patch = image[first[1] : last[1], first[0] : last[0]]
    corners = np.stack([low, high]) - first
    for _ in range(turn):
        # columns become rows, the last one first
        corners = np.stack([corners[:, 1], patch.shape[1] - 1 - corners[:, 0]], 1)
        patch = np.rot90(patch)
    turned = np.concatenate([corners.min(0), corners.max(0)])
    return np.ascontiguousarray(patch), turned[None].astype(np.float32), first


def _turn_back(points: np.ndarray, shape: tuple[int, ...], turn: int) -> np.ndarray:
    """Map points (K, 2) of a turned patch of a shape into the upright patch."""
    height, width = shape[:2]
    for _ in range(turn):
        points = np.stack([height - 1 - points[:, 1], points[:, 0]], 1)
        height, width = width, height
    return points


class _Patch(NamedTuple):
    """Surroundings of a tilted person, rotated so that the torso is upright."""

    image: int
    person: int
    pixels: np.ndarray
    matrix: np.ndarray
    box: np.ndarray


def align_tilted(
    estimate: EstimatePoses,
    images: list[np.ndarray],
    boxes: list[np.ndarray],
    poses: list[Poses],
    min_tilt: float,
    turns: list[np.ndarray] | None = None,
) -> list[Poses]:
    """Estimate tilted people again in rotated crops, and combine both estimates.

    A tilted body fills little of its upright bounding box, and models have seen fewer
    of them. The second crop is rotated so that the torso is upright, and fits the
    keypoints of the first.

    Args:
        estimate (Callable): 2D pose estimator of COCO's keypoints.
        images (list[np.ndarray]): BGR images (H, W, 3).
        boxes (list[np.ndarray]): Boxes (P, 4) of each.
        poses (list[Poses]): Their poses: keypoints (P, K, 2), scores (P, K).
        min_tilt (float): Angle between torso and vertical, degrees, from which people
            are estimated again.
        turns (list[np.ndarray], optional): Quarter turns to the left (P,) of the first
            crops, whose vertical counts. None by default.

    Returns:
        list[Poses]: The poses; keypoints that agree are averaged by their squared
        scores, of others the more confident is taken; scores are means.
    """
    poses = [(points.copy(), scores.copy()) for points, scores in poses]
    patches = [
        _align(image, person, images[image], boxes[image][person], pose, tilt[person])
        for image, pose in enumerate(poses)
        for tilt in [_tilts(pose[0])]
        for rest in [tilt if turns is None else tilt - 90 * turns[image]]
        for person in np.flatnonzero(np.abs((rest + 180) % 360 - 180) >= min_tilt)
    ]
    if not patches:
        return poses
    found = estimate([patch.pixels for patch in patches], [p.box for p in patches])
    for patch, (points, scores) in zip(patches, found, strict=True):
        all_points, all_scores = poses[patch.image]
        second = unmap_points(patch.matrix, points[0]), scores[0]
        first = all_points[patch.person], all_scores[patch.person]
        all_points[patch.person], all_scores[patch.person] = _combine(first, second)
    return poses


def _tilts(points: np.ndarray) -> np.ndarray:
    """Angles of torsos to the vertical, degrees, clockwise, (P,)."""
    x, y = torso_of(points).T
    return np.degrees(np.arctan2(x, -y))


def _align(
    image: int,
    person: int,
    pixels: np.ndarray,
    box: np.ndarray,
    poses: Poses,
    tilt: float,
) -> _Patch:
    """Rotate the surroundings of a person, and find the new box."""
    points, scores = (each[person] for each in poses)
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    center = (low + high) / 2
    side = _ALIGNED_SIZE * max(*(high - low), 1)
    zoom = min(_MAX_SIDE / side, 1.0)
    side = int(np.ceil(zoom * side))
    matrix = cv2.getRotationMatrix2D(center.tolist(), float(tilt), zoom)
    matrix[:, 2] += side / 2 - center
    reliable = scores > _MIN_SCORE
    if reliable.sum() < _MIN_KEYPOINTS:
        reliable[:] = True
    extent = map_points(matrix, points[reliable])
    first, last = extent.min(0), extent.max(0)
    margin = _MARGIN * (last - first).max()
    # not beyond the corners of the rotated box
    corners = [(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])]
    corners = map_points(matrix, np.array(corners))
    first = np.maximum(first - margin, corners.min(0))
    last = np.minimum(last + margin, corners.max(0))
    rotated = warp_smoothly(pixels, matrix, (side, side))
    new = np.concatenate([first, last])[None].astype(np.float32)
    return _Patch(image, person, rotated, matrix, new)


def _combine(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Combine two estimates: keypoints (K, 2) and scores (K,)."""
    points, scores = (np.stack(pair) for pair in zip(first, second, strict=True))
    best = scores.argmax(0)
    rows = np.arange(len(best))
    distance = np.linalg.norm(points - points[best, rows], axis=-1)
    near = distance <= _NEAR * np.linalg.norm(torso_of(points[0]))
    near[best, rows] = True
    weights = np.maximum(scores, 1e-6) ** 2 * near
    mean = (points * weights[..., None]).sum(0) / weights.sum(0)[:, None]
    return mean, scores.mean(0)
