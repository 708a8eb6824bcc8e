"""Things before people."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.datasets.transforms.others import draw_sample


@TRANSFORMS.register_module()
class RandomOccluders(BaseTransform):
    """Paste pieces of other pictures of the dataset before a person.

    A piece is an ellipse or polygon cut from the box of somebody else, so that limbs
    which are not the person's own come near them. Keypoints behind it stay labeled.
    Works on whole pictures, before the crop; needs ``dataset``, which MMPose's
    datasets put there. Modified key: ``img``.

    Args:
        prob (float): Probability that anything is pasted. Defaults to 0.3.
        max_occluders (int): Most pieces. Defaults to 2.
        size (tuple[float, float]): Least and largest extent of a piece, as a part of
            the root of the box's area. Defaults to (0.15, 0.5).
    """

    def __init__(
        self,
        prob: float = 0.3,
        max_occluders: int = 2,
        size: tuple[float, float] = (0.15, 0.5),
    ) -> None:
        if not 0 < size[0] <= size[1]:
            raise ValueError(f'size must be two rising positive numbers, got {size}')
        self.prob, self.max_occluders, self.size = prob, max_occluders, size

    def transform(self, results: dict) -> dict:
        """Paste pieces, or none; see the class."""
        if np.random.random() < self.prob:
            results['img'] = results['img'].copy()
            for _ in range(np.random.randint(1, self.max_occluders + 1)):
                self._add_piece(results['img'], results)
        return results

    def _add_piece(self, image: np.ndarray, results: dict) -> None:
        """Paste one piece into a picture, in place."""
        box = np.asarray(results['bbox'][0])
        other = draw_sample(results['dataset'])
        size = np.random.uniform(*self.size, 2) * _extent(results)
        size = np.clip(size.astype(int), 4, image.shape[1::-1])
        piece = _cut(other['img'], other['bbox'][0], size)
        mask = _shape(size)
        left, top = (np.random.uniform(box[:2], box[2:]) - size / 2).astype(int)
        x1, y1 = max(left, 0), max(top, 0)
        x2 = min(left + size[0], image.shape[1])
        y2 = min(top + size[1], image.shape[0])
        if x1 >= x2 or y1 >= y2:
            return
        window = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
        alpha = mask[window][..., None]
        place = image[y1:y2, x1:x2]
        place[:] = place + alpha * (piece[window].astype(np.float32) - place)


def _extent(info: dict) -> float:
    """Root of the area of a person's box."""
    corner, far = np.asarray(info['bbox'][0]).reshape(2, 2)
    return float(np.sqrt(np.prod(np.maximum(far - corner, 1))))


def _cut(image: np.ndarray, box: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Cut a random part of a box and bring it to a size, (height, width, 3)."""
    corner, far = np.clip(box.reshape(2, 2), 0, np.array(image.shape[1::-1]) - 1)
    part = np.maximum((far - corner) * np.random.uniform(0.25, 0.7), 2)
    begin = np.random.uniform(corner, np.maximum(far - part, corner)).astype(int)
    end = np.minimum(begin + np.ceil(part).astype(int), image.shape[1::-1])
    piece = image[begin[1] : end[1], begin[0] : end[0]]
    return cv2.resize(piece, tuple(map(int, size)), interpolation=cv2.INTER_LINEAR)


def _shape(size: np.ndarray) -> np.ndarray:
    """Draw a soft ellipse or polygon, float32 (height, width) of 0 ... 1."""
    width, height = map(int, size)
    mask = np.zeros((height, width), np.float32)
    if np.random.random() < 0.5:
        middle, axes = (width // 2, height // 2), (width // 2 - 1, height // 2 - 1)
        cv2.ellipse(mask, middle, axes, 0, 0, 360, 1.0, -1)
    else:
        angles = np.sort(np.random.uniform(0, 2 * np.pi, np.random.randint(3, 8)))
        points = np.stack([np.cos(angles), np.sin(angles)], 1) * 0.49 + 0.5
        cv2.fillPoly(mask, [(points * size).astype(np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (3, 3), 0)
