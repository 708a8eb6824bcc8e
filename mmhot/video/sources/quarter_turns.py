"""Quarter turns: people who lie or are upside down, seen upright by the 2D model.

Models have seen few such people. Where one is unsure of somebody, it looks again at the
crop turned by 90, 180 and 270 degrees; its confidence says which look to keep.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Poses = list[tuple[np.ndarray, np.ndarray]]
Estimate = Callable[[list[np.ndarray], list[np.ndarray]], Poses]
# Side of the square that is cut out around a box, of its longer side: crops are padded,
# and as wide as the model's input.
_REACH = 1.8
_TURNS = (1, 2, 3)


@dataclass(frozen=True)
class QuarterTurns:
    """Keep the turn of an unsure person's crop in which a model is surest.

    Scores must be confidences of a model that is calibrated. The numbers were chosen on
    photographs of sports and of everyday life (see the card of the weights): people
    who are partly hidden are unsure in every turn, and stay upright.

    Args:
        unsure (float): Mean confidence of a person's keypoints below which the model
            looks again. Defaults to 0.8.
        gain (float): By how much a turn must be surer than upright. Defaults to 0.1.
        sure (float): Least mean confidence of a turn that is kept. Defaults to 0.6.
    """

    unsure: float = 0.8
    gain: float = 0.1
    sure: float = 0.6

    def __call__(
        self, estimate: Estimate, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> Poses:
        """Find keypoints in boxes.

        Args:
            estimate (Callable): Takes images and boxes, returns keypoints (P, K, 2)
                and scores (P, K) of each image.
            images (list[np.ndarray]): BGR, (H, W, 3).
            boxes (list[np.ndarray]): Of each image, x1, y1, x2, y2 pixels, (P, 4).

        Returns:
            list[tuple[np.ndarray, np.ndarray]]: As ``estimate`` does.
        """
        poses = [
            (points.copy(), scores.copy()) for points, scores in estimate(images, boxes)
        ]
        unsure = [
            (image, person)
            for image, (_, scores) in enumerate(poses)
            for person in np.flatnonzero(scores.mean(1) < self.unsure)
        ]
        if not unsure:
            return poses
        looks = [
            (image, person, turn, *_turn(images[image], boxes[image][person], turn))
            for image, person in unsure
            for turn in _TURNS
        ]
        found = estimate([look[3] for look in looks], [look[4] for look in looks])
        upright = {
            (image, person): poses[image][1][person].mean() for image, person in unsure
        }
        best = {key: max(own + self.gain, self.sure) for key, own in upright.items()}
        for look, (points, scores) in zip(looks, found, strict=True):
            image, person, turn, patch, _, corner = look
            if scores[0].mean() <= best[image, person]:
                continue
            best[image, person] = scores[0].mean()
            poses[image][0][person] = _turn_back(points[0], patch.shape, turn) + corner
            poses[image][1][person] = scores[0]
        return poses


def _turn(
    image: np.ndarray, box: np.ndarray, turn: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a box's surroundings out and turn them to the left.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: The turned patch, the box (1, 4) in
        it, and the corner of the patch in the image, x and y.
    """
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    half = _REACH / 2 * max(*(high - low), 1)
    center = (low + high) / 2
    limit = np.array(image.shape[1::-1])
    first = np.floor(center - half).clip(0, limit - 1).astype(int)
    last = np.maximum(np.ceil(center + half).clip(0, limit).astype(int), first + 1)
    patch = image[first[1] : last[1], first[0] : last[0]]
    corners = np.stack([low, high]) - first
    for _ in range(turn):
        # a column becomes a row, the last first
        corners = np.stack([corners[:, 1], patch.shape[1] - 1 - corners[:, 0]], 1)
        patch = np.rot90(patch)
    turned = np.concatenate([corners.min(0), corners.max(0)])
    return np.ascontiguousarray(patch), turned[None].astype(np.float32), first


def _turn_back(points: np.ndarray, shape: tuple[int, ...], turn: int) -> np.ndarray:
    """Points (K, 2) of a turned patch of a shape, in the patch before it was turned."""
    height, width = shape[:2]
    for _ in range(turn):
        points = np.stack([height - 1 - points[:, 1], points[:, 0]], 1)
        height, width = width, height
    return points
