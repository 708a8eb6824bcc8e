"""Quarter turns: 2D poses of people who lie or are upside down, from turned crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmhot.profiling import span
from mmhot.video.people import NUM_BODY, EstimatePoses, Poses, mean_confidence
from mmhot.video.sources.aligned_crops import align_tilted

# Side of the square patch around a box that is turned, per longer side of the box:
# crops are padded, and as wide as the model's input.
_PATCH_SIZE = 1.8
_TURNS = (1, 2, 3)


@dataclass(frozen=True)
class QuarterTurns:
    """Repeat the estimation in turned crops for people with a low confidence.

    2D models have seen few people who lie or are upside down. For these the crop is
    turned by 90, 180 and 270 degrees, and the pose with the highest confidence kept.
    Scores must be calibrated confidences. Then people who are still tilted are
    estimated again, see :func:`~mmhot.video.sources.aligned_crops.align_tilted`. The
    thresholds were chosen on photos of sports and everyday life (see the card of the
    weights).

    Args:
        min_upright (float): Mean confidence of a person's most confident keypoints, see
            :func:`~mmhot.video.people.mean_confidence`, below which crops are turned.
            Defaults to 0.85.
        min_gain (float): Least gain of the body's mean confidence over upright.
            Defaults to 0.05.
        min_turned (float): Least mean confidence of the body in a turned crop. Defaults
            to 0.6.
        min_tilt (float): Angle between torso and vertical, degrees, from which people
            are estimated again. Infinite if keypoints are not COCO's. Defaults to 15.
    """

    min_upright: float = 0.85
    min_gain: float = 0.05
    min_turned: float = 0.6
    min_tilt: float = 15.0

    def __call__(
        self,
        estimate: EstimatePoses,
        estimate_fast: EstimatePoses,
        images: list[np.ndarray],
        boxes: list[np.ndarray],
    ) -> list[Poses]:
        """Estimate the poses in boxes (P, 4) of BGR images; see :meth:`improve`."""
        poses = estimate(images, boxes)
        poses = self.improve(estimate, estimate_fast, images, boxes, poses)
        return self.align(estimate, images, boxes, poses)

    def align(
        self,
        estimate: EstimatePoses,
        images: list[np.ndarray],
        boxes: list[np.ndarray],
        poses: list[Poses],
        min_tilt: float = 0.0,
    ) -> list[Poses]:
        """Estimate tilted people again in crops that are rotated with them.

        Args:
            estimate (Callable): 2D pose estimator.
            images (list[np.ndarray]): BGR images (H, W, 3).
            boxes (list[np.ndarray]): Boxes (P, 4) of each.
            poses (list[Poses]): Their poses upright.
            min_tilt (float): Least angle, if larger than :attr:`min_tilt`.
        """
        min_tilt = max(min_tilt, self.min_tilt)
        if np.isinf(min_tilt):
            return poses
        return align_tilted(estimate, images, boxes, poses, min_tilt)

    @span('quarter turns')
    def improve(
        self,
        estimate: EstimatePoses,
        estimate_fast: EstimatePoses,
        images: list[np.ndarray],
        boxes: list[np.ndarray],
        poses: list[Poses],
        least: list[np.ndarray] | None = None,
    ) -> list[Poses]:
        """Estimate people of a low confidence again.

        Args:
            estimate (Callable): 2D pose estimator.
            estimate_fast (Callable): The same in less time, to choose the turn.
            images (list[np.ndarray]): BGR images (H, W, 3).
            boxes (list[np.ndarray]): Boxes (P, 4) of each.
            poses (list[Poses]): Their poses upright.
            least (list[np.ndarray], optional): Mean confidences (P,) from which people
                are left as they are; NaN if unknown.
        """
        poses = [(points.copy(), scores.copy()) for points, scores in poses]
        crops = [
            _Crop(
                image, person, turn, *_turn(images[image], boxes[image][person], turn)
            )
            for image, (_, scores) in enumerate(poses)
            for person in np.flatnonzero(
                self._are_uncertain(scores, None if least is None else least[image])
            )
            for turn in _TURNS
        ]
        best: dict[tuple[int, int], tuple[float, _Crop, Poses]] = {}
        for crop, turned in zip(crops, _estimate(estimate_fast, crops), strict=True):
            place, confidence = (crop.image, crop.person), _mean(turned[1][0])
            upright = _mean(poses[crop.image][1][crop.person])
            needed = max(upright + self.min_gain, self.min_turned)
            if confidence > best.get(place, (needed,))[0]:
                best[place] = confidence, crop, turned
        _, chosen, estimated = zip(*best.values(), strict=True) if best else ((),) * 3
        if estimate != estimate_fast:
            estimated = _estimate(estimate, chosen)
        for crop, (points, scores) in zip(chosen, estimated, strict=True):
            points = _turn_back(points[0], crop.patch.shape, crop.turn)
            poses[crop.image][0][crop.person] = points + crop.corner
            poses[crop.image][1][crop.person] = scores[0]
        return poses

    def _are_uncertain(
        self, scores: np.ndarray, least: np.ndarray | None
    ) -> np.ndarray:
        uncertain = mean_confidence(scores) < self.min_upright
        if least is not None:
            uncertain &= ~(scores.mean(1) >= least)
        return uncertain


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
