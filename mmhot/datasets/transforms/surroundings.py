"""What is around a crop, of which a shard's picture shows nothing."""

from collections.abc import Callable

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.datasets.transforms.others import draw_sample

# Levels up to which a line of pixels at the border is black, compressed as it is, and
# how many lines beside it are mixed with it.
_BLACK, _MIXED = 12, 2
# Sizes of pictures that are blurred: so many pixels become one.
_COARSE = 16


@TRANSFORMS.register_module()
class ExtendImageBorder(BaseTransform):
    """Let the picture of a packed crop go on beyond its border.

    Such a picture ends a little outside of the person's box. Crops that are wider,
    turned or moved would show black there, in a frame that tells how large the person
    is and how far it was turned; models learn to read it, and miss it in photographs,
    which go on. What comes instead is the picture mirrored, perhaps blurred, another
    picture of the dataset, or a color. Beyond whole photographs, which are of another
    size, there is nothing in use either; they stay as they are.

    Works on pictures before the crop; needs ``dataset``, which MMPose's datasets put
    there. Modified keys: ``img``, ``img_shape``, ``bbox``, ``keypoints``.

    Args:
        size (tuple[int, int]): Width and height of the packed crops' pictures.
            Defaults to (192, 256).
        prob (float): Probability of going on. Defaults to 0.8.
        room (float): How far, as a part of the picture's width and height on each
            side. Defaults to 0.5.
        cut (float): Most of the width and height that is left out on each side before,
            so that the border is not always as far from the person. Defaults to 0.1.
        fill_black (float): Probability that black margins of the picture, where a
            photograph has ended, are filled as well. Defaults to 0.5.
        ways (tuple[float, ...]): How often the picture is mirrored, mirrored and
            blurred, surrounded by another one, or by a color.
            Defaults to (0.55, 0.15, 0.15, 0.15).

    Raises:
        ValueError: If ``room`` is negative, ``cut`` leaves nothing, or ``ways`` are not
            four shares of 1.
    """

    def __init__(
        self,
        size: tuple[int, int] = (192, 256),
        prob: float = 0.8,
        room: float = 0.5,
        cut: float = 0.1,
        fill_black: float = 0.5,
        ways: tuple[float, ...] = (0.55, 0.15, 0.15, 0.15),
    ) -> None:
        if room < 0 or not 0 <= cut < 0.5:
            raise ValueError(
                f'room ({room}) must not be negative, cut ({cut}) be in [0, 0.5)'
            )
        if len(ways) != 4 or min(ways) < 0 or not np.isclose(sum(ways), 1):
            raise ValueError(f'ways must be four shares that sum to 1, got {ways}')
        self.size = tuple(size)
        self.prob, self.room, self.cut = prob, room, cut
        self.fill_black, self.ways = fill_black, ways
        self._around: tuple[Callable[..., np.ndarray], ...] = (
            self._mirrored,
            self._blurred,
            self._another,
            self._color,
        )

    def transform(self, results: dict) -> dict:
        """Let it go on, or not; see the class."""
        image = results['img']
        if image.shape[1::-1] != self.size or np.random.random() >= self.prob:
            return results
        size = np.array(image.shape[1::-1])
        first, last = self._kept(image, results)
        room = np.ceil(self.room * size).astype(int)
        (left, top), (right, bottom) = first + room, size - last + room
        inner = image[first[1] : last[1], first[0] : last[0]]
        way = np.random.choice(len(self.ways), p=self.ways)
        around = self._around[way](inner, (top, bottom, left, right), results)
        around[top : top + len(inner), left : left + inner.shape[1]] = inner
        results['img'], results['img_shape'] = around, around.shape[:2]
        results['bbox'] = results['bbox'] + np.tile(room, 2).astype(np.float32)
        results['keypoints'] = results['keypoints'] + room.astype(np.float32)
        return results

    def _kept(self, image: np.ndarray, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """Corners of what stays of a picture, x and y of the first and last pixel."""
        size = np.array(image.shape[1::-1])
        first, last = np.zeros(2, int), size
        if np.random.random() < self.fill_black:
            first, last = _lit(image)
        cut = np.random.uniform(0, self.cut, (2, 2)) * (last - first)
        # of the person nothing is lost, however dark
        low, high = np.asarray(results['bbox'][0]).reshape(2, 2)
        first = np.minimum(first + cut[0], low).clip(0).astype(int)
        last = np.minimum(np.ceil(np.maximum(last - cut[1], high)), size).astype(int)
        return first, last

    def _mirrored(self, inner: np.ndarray, margins: tuple, _: dict) -> np.ndarray:
        return cv2.copyMakeBorder(inner, *margins, cv2.BORDER_REFLECT_101)

    def _blurred(self, inner: np.ndarray, margins: tuple, results: dict) -> np.ndarray:
        around = self._mirrored(inner, margins, results)
        width, height = around.shape[1::-1]
        coarse = max(width // _COARSE, 1), max(height // _COARSE, 1)
        coarse = cv2.resize(around, coarse, interpolation=cv2.INTER_AREA)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)

    def _another(self, inner: np.ndarray, margins: tuple, results: dict) -> np.ndarray:
        other = draw_sample(results['dataset'])
        top, bottom, left, right = margins
        size = inner.shape[1] + left + right, inner.shape[0] + top + bottom
        return cv2.resize(other['img'], size, interpolation=cv2.INTER_LINEAR)

    def _color(self, inner: np.ndarray, margins: tuple, _: dict) -> np.ndarray:
        color = np.random.randint(0, 256, 3).tolist()
        return cv2.copyMakeBorder(
            inner, *map(int, margins), cv2.BORDER_CONSTANT, value=color
        )


def _lit(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of what is within black margins; of the whole if all is black."""
    size = np.array(image.shape[1::-1])
    bright = image.max(-1) > _BLACK
    columns, rows = np.flatnonzero(bright.any(0)), np.flatnonzero(bright.any(1))
    if not len(columns):
        return np.zeros(2, int), size
    first = np.array((columns[0], rows[0]))
    last = np.array((columns[-1], rows[-1])) + 1
    # where a margin begins, compression has mixed it with the picture
    first += np.where(first > 0, _MIXED, 0)
    last -= np.where(last < size, _MIXED, 0)
    wide = last > first
    return np.where(wide, first, 0), np.where(wide, last, size)
