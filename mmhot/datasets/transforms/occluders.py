"""Things before people."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.skeletons import get_skeleton

_BODY = get_skeleton('coco-17')  # with which all of COCO's skeletons begin
_TRUNK = _BODY.indices(('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip'))
# Of a limb and a head, as parts of the root of the box's area.
_THICK, _HEAD = 0.14, 0.11


class _Paste(BaseTransform):
    """Base of what pastes others into whole pictures, now and then."""

    def __init__(self, prob: float, size: tuple[float, float]) -> None:
        if not 0 < size[0] <= size[1]:
            raise ValueError(f'size must be two rising positive numbers, got {size}')
        self.prob, self.size = prob, size

    def transform(self, results: dict) -> dict:
        """Paste, or not; see the class."""
        if np.random.random() < self.prob:
            results['img'] = self.paste(results)
        return results

    def paste(self, results: dict) -> np.ndarray:
        """Return a picture of its own with others in it."""
        raise NotImplementedError


@TRANSFORMS.register_module()
class PasteOccluders(_Paste):
    """Paste pieces of other pictures of the dataset before a person.

    A piece is an ellipse or polygon cut from the box of somebody else, so that limbs
    which are not the person's own come near them. Keypoints behind it stay labelled.
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
        super().__init__(prob, size)
        self.max_occluders = max_occluders

    def paste(self, results: dict) -> np.ndarray:
        """Paste pieces; see the class."""
        image = results['img'].copy()
        for _ in range(np.random.randint(1, self.max_occluders + 1)):
            self._add_piece(image, results)
        return image

    def _add_piece(self, image: np.ndarray, results: dict) -> None:
        """Paste one piece into a picture, in place."""
        box, dataset = np.asarray(results['bbox'][0]), results['dataset']
        other = dataset.get_data_info(np.random.randint(len(dataset)))
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


@TRANSFORMS.register_module()
class PasteNeighbours(_Paste):
    """Paste other people of the dataset beside, behind or before a person.

    They are cut out along their limbs, so that there are limbs, as sharp and as large
    as the person's own, which are not to be found. Works on whole pictures, before the
    crop; needs ``dataset``, which MMPose's datasets put there, with keypoints that
    begin with COCO's 17. Modified key: ``img``.

    Args:
        prob (float): Probability that anybody is pasted. Defaults to 0.4.
        max_people (int): Most people. Defaults to 2.
        before (float): Probability that one stands before the person. Who stands
            behind leaves the person's own limbs visible. Defaults to 0.3.
        size (tuple[float, float]): Least and largest size, relative to the person's.
            Defaults to (0.6, 1.3).
    """

    def __init__(
        self,
        prob: float = 0.4,
        max_people: int = 2,
        before: float = 0.3,
        size: tuple[float, float] = (0.6, 1.3),
    ) -> None:
        super().__init__(prob, size)
        self.max_people, self.before = max_people, before

    def paste(self, results: dict) -> np.ndarray:
        """Paste people; see the class."""
        image = results['img']
        own = _silhouette(results)
        for _ in range(np.random.randint(1, self.max_people + 1)):
            other, alpha = self._place(results)
            if np.random.random() >= self.before:
                alpha = alpha * (1 - own)
            image = cv2.blendLinear(image, other, 1 - alpha, alpha)
        return image

    def _place(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """Picture with somebody near the person, and its opacity, (H, W)."""
        dataset = results['dataset']
        other = dataset.get_data_info(np.random.randint(len(dataset)))
        box, extent = results['bbox'][0], _extent(results)
        scale = np.random.uniform(*self.size) * extent / _extent(other)
        mirror = np.random.choice([-1, 1])
        middle = np.asarray(other['bbox'][0]).reshape(2, 2).mean(0)
        wanted = np.asarray(box).reshape(2, 2).mean(0)
        wanted = wanted + np.random.uniform(-0.7, 0.7, 2) * [extent, extent / 2]
        turn = np.diag([scale * mirror, scale])
        matrix = np.column_stack([turn, wanted - turn @ middle])
        size = results['img'].shape[1::-1]
        return (
            cv2.warpAffine(other['img'], matrix, size),
            cv2.warpAffine(_silhouette(other), matrix, size),
        )


def _extent(info: dict) -> float:
    """Root of the area of a person's box."""
    corner, far = np.asarray(info['bbox'][0]).reshape(2, 2)
    return float(np.sqrt(np.prod(np.maximum(far - corner, 1))))


def _silhouette(info: dict) -> np.ndarray:
    """Draw a person as thick limbs, float32 (H, W) of 0 ... 1, soft at the edge."""
    mask = np.zeros(info['img'].shape[:2], np.uint8)
    points = info['keypoints'][0][:17]
    there = info['keypoints_visible'][0][:17] > 0
    places = [tuple(map(int, point)) for point in points.round()]
    extent = _extent(info)
    for child, parent in enumerate(_BODY.parents):
        if parent >= 0 and there[child] and there[parent]:
            thick = max(int(_THICK * extent), 1)
            cv2.line(mask, places[child], places[parent], 255, thick)
    if there[_TRUNK].all():
        cv2.fillPoly(mask, [np.array([places[joint] for joint in _TRUNK])], 255)
    for joint in _BODY.indices('head'):
        if there[joint]:
            cv2.circle(mask, places[joint], max(int(_HEAD * extent), 1), 255, -1)
    return cv2.GaussianBlur(mask, (5, 5), 0).astype(np.float32) / 255


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
