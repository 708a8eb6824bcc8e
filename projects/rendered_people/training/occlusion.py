"""Occluded and truncated people: pasted occluders, and cuts through the body."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from projects.rendered_people.training.image_augmentation import draw_sample

# Margin around the keypoints that are left, as a fraction of the box's longer side.
_MARGIN = 0.1
# Largest usual slope of an occluder's edge, and the share of occluders that end above
# the person's feet.
_SLOPE, _BAND = 0.15, 0.25
_ABSENT = -1


@TRANSFORMS.register_module()
class RandomOccluders(BaseTransform):
    """Paste pieces of other images of the dataset in front of a person.

    A piece is an ellipse or polygon from another person's box, so that limbs of other
    people come close. Occluded keypoints stay labeled. Works on whole images, before
    the crop; needs ``dataset``, a key of MMPose's datasets. Modified key: ``img``.

    Args:
        prob (float): Probability of at least one occluder. Defaults to 0.3.
        max_occluders (int): Most occluders. Defaults to 2.
        size (tuple[float, float]): Least and largest extent of a piece, as a fraction
            of the square root of the box's area. Defaults to (0.15, 0.5).
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
        """Paste occluders; see the class."""
        if np.random.random() < self.prob:
            results['img'] = results['img'].copy()
            for _ in range(np.random.randint(1, self.max_occluders + 1)):
                self._paste(results['img'], results)
        return results

    def _paste(self, image: np.ndarray, results: dict) -> None:
        """Paste one occluder into an image, in place."""
        box = np.asarray(results['bbox'][0])
        other = draw_sample(results['dataset'])
        extent = np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1)))
        size = np.random.uniform(*self.size, 2) * float(extent)
        size = np.clip(size.astype(int), 4, image.shape[1::-1])
        piece = _cut_piece(other['img'], other['bbox'][0], size)
        mask = _draw_mask(size)
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


def _cut_piece(image: np.ndarray, box: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Cut a random part of a box and resize it, (height, width, 3)."""
    low, high = np.clip(box.reshape(2, 2), 0, np.array(image.shape[1::-1]) - 1)
    part = np.maximum((high - low) * np.random.uniform(0.25, 0.7), 2)
    begin = np.random.uniform(low, np.maximum(high - part, low)).astype(int)
    end = np.minimum(begin + np.ceil(part).astype(int), image.shape[1::-1])
    piece = image[begin[1] : end[1], begin[0] : end[0]]
    return cv2.resize(piece, tuple(map(int, size)), interpolation=cv2.INTER_LINEAR)


def _draw_mask(size: np.ndarray) -> np.ndarray:
    """Draw a soft ellipse or polygon, float32 (height, width) of 0 ... 1."""
    width, height = map(int, size)
    mask = np.zeros((height, width), np.float32)
    if np.random.random() < 0.5:
        center, axes = (width // 2, height // 2), (width // 2 - 1, height // 2 - 1)
        cv2.ellipse(mask, center, axes, 0, 0, 360, 1.0, -1)
    else:
        angles = np.sort(np.random.uniform(0, 2 * np.pi, np.random.randint(3, 8)))
        points = np.stack([np.cos(angles), np.sin(angles)], 1) * 0.49 + 0.5
        cv2.fillPoly(mask, [(points * size).astype(np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (3, 3), 0)


@TRANSFORMS.register_module()
class RandomTruncation(BaseTransform):
    """Truncate people at the image border or behind a wide occluder.

    The box becomes that of the visible part, as annotators and detectors draw it, so
    that an upper body fills the crop. Keypoints outside of the image are known to be
    absent, visibility -1; occluded ones are hidden. Works before the box's center and
    scale are computed; needs ``dataset``, a key of MMPose's datasets, for occluders.
    Modified keys: ``img``, ``img_shape``, ``bbox``, ``keypoints_visible``.

    Args:
        prob (float): Probability of a truncation. Defaults to 0.3.
        hidden (float): Share of truncations by an occluder. Defaults to 0.4.
        below (float): Share of truncations by the lower image border; the others are
            by any border. Defaults to 0.7.
        left (tuple[float, float]): Least and largest fraction of the box's extent that
            is left. Defaults to (0.2, 0.85).
        min_keypoints (int): Fewest visible keypoints to be left. Defaults to 4.
        hidden_weight (float): ``keypoints_visible`` of hidden keypoints. Defaults
            to 0.5.

    Raises:
        ValueError: If a share is not from 0 to 1, or ``left`` not two rising shares.
    """

    def __init__(
        self,
        prob: float = 0.3,
        hidden: float = 0.4,
        below: float = 0.7,
        left: tuple[float, float] = (0.2, 0.85),
        min_keypoints: int = 4,
        hidden_weight: float = 0.5,
    ) -> None:
        for name, share in (('prob', prob), ('hidden', hidden), ('below', below)):
            if not 0 <= share <= 1:
                raise ValueError(f'{name} must be from 0 to 1, got {share}')
        if not 0 < left[0] <= left[1] < 1:
            raise ValueError(f'left must be two rising shares, got {left}')
        self.prob, self.hidden, self.below, self.left = prob, hidden, below, left
        self.min_keypoints, self.hidden_weight = min_keypoints, hidden_weight

    def transform(self, results: dict) -> dict:
        """Truncate; see the class."""
        if np.random.random() >= self.prob or len(results['bbox']) != 1:
            return results
        if np.random.random() < self.hidden:
            return self._occlude(results)
        side = 3 if np.random.random() < self.below else np.random.randint(4)
        return self._crop(results, side)

    def _crop(self, results: dict, side: int) -> dict:
        """End the image at a side: 0 left, 1 top, 2 right, 3 bottom."""
        box, axis = results['bbox'][0], side % 2
        low, high = box[axis], box[axis + 2]
        kept = np.random.uniform(*self.left) * (high - low)
        line = round(float(low + kept if side > 1 else high - kept))
        along = results['keypoints'][0, :, axis]
        is_left = along < line if side > 1 else along >= line
        length = results['img'].shape[1 - axis]
        if not (0 < line < length and self._is_enough(results, is_left)):
            return results
        image = results['img']
        if side > 1:
            image = np.ascontiguousarray(image[:line] if axis else image[:, :line])
            results['img_shape'] = image.shape[:2]
        else:
            # black instead of removed pixels: what is left keeps its coordinates
            image = image.copy()
            removed = image[:line] if axis else image[:, :line]
            removed[:] = 0
        results['img'] = image
        self._relabel(results, is_left, _ABSENT)
        results['bbox'] = _visible_box(results, is_left, side, line)
        return results

    def _occlude(self, results: dict) -> dict:
        """Draw a wide occluder in front of the lower part."""
        x1, y1, x2, y2 = results['bbox'][0]
        left = np.random.uniform(*self.left) * (y2 - y1)
        slope = np.random.normal(0, _SLOPE / 2)
        points = results['keypoints'][0]
        edge = y1 + left + slope * (points[:, 0] - (x1 + x2) / 2)
        is_band = np.random.random() < _BAND
        depth = np.random.uniform(0.1, 0.3) * (y2 - y1) if is_band else np.inf
        is_behind = (points[:, 1] > edge) & (points[:, 1] < edge + depth)
        is_seen = ~is_behind if is_band else points[:, 1] <= edge
        if not self._is_enough(results, is_seen):
            return results
        height, width = results['img'].shape[:2]
        reach = np.random.uniform(0.1, 1.5, 2) * (x2 - x1)
        ends = np.array((x1 - reach[0], x2 + reach[1])).clip(0, width)
        top = y1 + left + slope * (ends - (x1 + x2) / 2)
        # without a band, the occluder ends below the feet
        bottom = top + min(depth, y2 - y1 - left + np.random.uniform(0, 0.5) * height)
        corners = np.stack([[*ends, *ends[::-1]], [*top, *bottom[::-1]]], 1)
        mask = np.zeros((height, width), np.float32)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1.0, cv2.LINE_AA)
        texture = self._draw_texture(results, (width, height))
        image = results['img'].astype(np.float32)
        image += mask[..., None] * (texture - image)
        results['img'] = np.rint(image).astype(np.uint8)
        self._relabel(results, is_seen, self.hidden_weight)
        if not is_band:
            line = min(float(top.max()), y2)
            results['bbox'] = _visible_box(results, is_seen, 3, line)
        return results

    def _draw_texture(self, results: dict, size: tuple[int, int]) -> np.ndarray:
        """Draw a color, or a piece of another image, float32 (H, W, 3)."""
        width, height = size
        color = np.random.uniform(0, 255, 3)
        color = color.mean() + 0.6 * (color - color.mean())
        light = np.linspace(1, np.random.uniform(0.5, 1.3), height)[:, None, None]
        plain = (light * color).clip(0, 255) * np.ones((1, width, 1))
        if np.random.random() < 0.5:
            return plain.astype(np.float32)
        other = draw_sample(results['dataset'])['img']
        rows, columns = (max(length // 3, 1) for length in other.shape[:2])
        top = np.random.randint(other.shape[0] - rows + 1)
        left = np.random.randint(other.shape[1] - columns + 1)
        piece = other[top : top + rows, left : left + columns]
        piece = cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR)
        return (0.7 * piece + 0.3 * plain).astype(np.float32)

    def _is_enough(self, results: dict, is_left: np.ndarray) -> bool:
        visible = results['keypoints_visible'][0] > self.hidden_weight
        return bool((visible & is_left).sum() >= self.min_keypoints)

    def _relabel(self, results: dict, is_left: np.ndarray, flag: float) -> None:
        visible = results['keypoints_visible'].copy()
        is_lost = ~is_left & (visible[0] > 0)
        lost = visible[0, is_lost]
        visible[0, is_lost] = flag if flag < 0 else np.minimum(lost, flag)
        results['keypoints_visible'] = visible


def _visible_box(
    results: dict, is_left: np.ndarray, side: int, line: float
) -> np.ndarray:
    """Box (1, 4) that ends at the cut and, across it, fits the keypoints left."""
    box = results['bbox'][0].astype(np.float32).copy()
    margin = _MARGIN * (box[2:] - box[:2]).max()
    known = is_left & (results['keypoints_visible'][0] > 0)
    across = 1 - side % 2
    points = results['keypoints'][0, known, across]
    box[across] = max(box[across], points.min() - margin)
    box[across + 2] = min(box[across + 2], points.max() + margin)
    box[side] = line
    return box[None]
