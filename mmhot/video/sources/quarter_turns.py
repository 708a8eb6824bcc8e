"""Quarter turns: 2D poses of people who lie or are upside down, from turned crops."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmhot.video.people import Poses

# Side of the square patch around a box that is turned, per longer side of the box:
# crops are padded, and as wide as the model's input.
_PATCH_SIZE = 1.8
_TURNS = (1, 2, 3)


@dataclass(frozen=True)
class QuarterTurns:
    """Repeat the estimation in turned crops for people with a low confidence.

    2D models have seen few people who lie or are upside down. For these the crop is
    turned by 90, 180 and 270 degrees, and the pose with the highest confidence kept.
    Scores must be calibrated confidences. The thresholds were chosen on photos of
    sports and everyday life (see the card of the weights).

    Args:
        min_upright (float): Mean confidence of a person's keypoints below which crops
            are turned. Defaults to 0.8.
        min_gain (float): Least gain of confidence over upright. Defaults to 0.1.
        min_turned (float): Least mean confidence of a turned crop. Defaults to 0.6.
    """

    min_upright: float = 0.8
    min_gain: float = 0.1
    min_turned: float = 0.6

    def __call__(
        self,
        estimate: Callable[[list[np.ndarray], list[np.ndarray]], list[Poses]],
        images: list[np.ndarray],
        boxes: list[np.ndarray],
    ) -> list[Poses]:
        """Estimate the poses in boxes, as ``estimate``, a 2D pose estimator, does."""
        return self.improve(estimate, images, boxes, estimate(images, boxes))

    def improve(
        self,
        estimate: Callable[[list[np.ndarray], list[np.ndarray]], list[Poses]],
        images: list[np.ndarray],
        boxes: list[np.ndarray],
        poses: list[Poses],
        least: list[np.ndarray] | None = None,
    ) -> list[Poses]:
        """Estimate people of a low confidence again.

        Args:
            estimate (Callable): 2D pose estimator.
            images (list[np.ndarray]): BGR images (H, W, 3).
            boxes (list[np.ndarray]): Boxes (P, 4) of each.
            poses (list[Poses]): Their poses upright.
            least (list[np.ndarray], optional): Mean confidences (P,) from which people
                are left as they are, in place of ``min_upright`` if lower.
        """
        poses = [(points.copy(), scores.copy()) for points, scores in poses]
        if least is None:
            least = [np.full(len(scores), self.min_upright) for _, scores in poses]
        # of each turned crop: image, person, turn, patch, box, corner
        turned = [
            (image, person, turn, *_turn(images[image], boxes[image][person], turn))
            for image, (_, scores) in enumerate(poses)
            for person in np.flatnonzero(
                scores.mean(1) < np.fmin(least[image], self.min_upright)
            )
            for turn in _TURNS
        ]
        if not turned:
            return poses
        estimated = estimate([each[3] for each in turned], [each[4] for each in turned])
        best = {
            (image, person): max(
                poses[image][1][person].mean() + self.min_gain, self.min_turned
            )
            for image, person, *_ in turned
        }
        for crop, (points, scores) in zip(turned, estimated, strict=True):
            image, person, turn, patch, _, corner = crop
            if scores[0].mean() <= best[image, person]:
                continue
            best[image, person] = scores[0].mean()
            poses[image][0][person] = _turn_back(points[0], patch.shape, turn) + corner
            poses[image][1][person] = scores[0]
        return poses


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
