"""Augmentation of images: photometric effects, and what lies beyond the border."""

import os
import random
from collections.abc import Callable

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmpose.datasets.transforms import Albumentation, LoadImage
from mmpose.registry import TRANSFORMS

# albumentations would ask the network for its latest version when imported
os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')

# Highest level of a black pixel after compression, and how many pixels beside a black
# margin compression mixes with it.
_BLACK, _MIXED = 12, 2
# Pixels that become one in a blurred image, per axis.
_COARSE = 16
_LOAD = LoadImage()


def draw_sample(dataset: BaseDataset) -> dict:
    """Draw a random sample of a dataset, with its image in ``img``."""
    return _LOAD(dataset.get_data_info(np.random.randint(len(dataset))))


@TRANSFORMS.register_module()
class SeededAlbumentation(Albumentation):
    """MMPose's ``Albumentation`` for albumentations 2, seeded by NumPy.

    Albumentations 2 draws from generators of its own, which no seed of a training
    reaches. Here all effects share two generators, seeded for each image by a number
    from NumPy's global one. Effects see RGB, although MMPose's images are BGR until
    they are normalized. Modified key: ``img``.

    Args:
        transforms (list[dict]): Pixel-level transforms, ``type`` their name.
        keymap (dict, optional): MMPose's. Defaults to None: the image alone.

    Raises:
        ValueError: If albumentations has no such transform.
    """

    def __init__(self, transforms: list[dict], keymap: dict | None = None) -> None:
        import albumentations

        self.library = albumentations
        super().__init__(transforms, keymap)

    def albu_builder(self, cfg: dict) -> object:
        """Build a transform of albumentations, and those within it.

        Args:
            cfg (dict): ``type`` and arguments.
        """
        args = dict(cfg)
        name = args.pop('type')
        if not hasattr(self.library, name):
            raise ValueError(
                f'albumentations {self.library.__version__} has no transform {name!r}'
            )
        if 'transforms' in args:
            args['transforms'] = [self.albu_builder(cfg) for cfg in args['transforms']]
        return getattr(self.library, name)(**args)

    def transform(self, results: dict) -> dict:
        """Apply the effects; see the class."""
        seed = np.random.randint(2**31)
        # ``set_random_seed`` would make every effect draw the same numbers: those with
        # a probability of 0.4 would all be applied together, in four images of ten
        self.aug.set_random_state(np.random.default_rng(seed), random.Random(seed))
        results['img'] = np.ascontiguousarray(results['img'][..., ::-1])
        results = super().transform(results)
        results['img'] = np.ascontiguousarray(results['img'][..., ::-1])
        return results


@TRANSFORMS.register_module()
class ExtendImageBorder(BaseTransform):
    """Extend the image of a packed crop beyond its border.

    Such an image ends close to the person's box. Wider, rotated or shifted crops would
    be padded with black, which reveals the person's size and rotation; models learn to
    read it. Instead, the image is continued by its reflection, blurred or not, by
    another image of the dataset, or by a color. Images of another size are whole photos
    and stay as they are, since nothing is known beyond them at inference either.

    Works before the crop; needs ``dataset``, a key of MMPose's datasets. Modified keys:
    ``img``, ``img_shape``, ``bbox``, ``keypoints``.

    Args:
        size (tuple[int, int]): Width and height of packed crops.
            Defaults to (192, 256).
        prob (float): Probability. Defaults to 0.8.
        margin (float): Extension on each side, as a fraction of the image's width and
            height. Defaults to 0.5.
        cut (float): Largest fraction of the width and height that is removed on each
            side before, so that the distance from border to person varies.
            Defaults to 0.1.
        fill_black (float): Probability of also replacing black margins of the image,
            beyond the end of a photo. Defaults to 0.5.
        fill_shares (tuple[float, ...]): Shares of reflected, blurred reflected, other
            image and color. Defaults to (0.55, 0.15, 0.15, 0.15).

    Raises:
        ValueError: If ``margin`` is negative, ``cut`` leaves nothing, or
            ``fill_shares`` are not four shares of 1.
    """

    def __init__(
        self,
        size: tuple[int, int] = (192, 256),
        prob: float = 0.8,
        margin: float = 0.5,
        cut: float = 0.1,
        fill_black: float = 0.5,
        fill_shares: tuple[float, ...] = (0.55, 0.15, 0.15, 0.15),
    ) -> None:
        if margin < 0 or not 0 <= cut < 0.5:
            raise ValueError(
                f'margin ({margin}) must not be negative, cut ({cut}) be in [0, 0.5)'
            )
        shares = fill_shares
        if len(shares) != 4 or min(shares) < 0 or not np.isclose(sum(shares), 1):
            raise ValueError(
                f'fill_shares must be four shares that sum to 1, got {shares}'
            )
        self.size = tuple(size)
        self.prob, self.margin, self.cut = prob, margin, cut
        self.fill_black, self.fill_shares = fill_black, fill_shares
        self._fills: tuple[Callable[..., np.ndarray], ...] = (
            self._reflect,
            self._blur,
            self._paste,
            self._paint,
        )

    def transform(self, results: dict) -> dict:
        """Extend; see the class."""
        image = results['img']
        if image.shape[1::-1] != self.size or np.random.random() >= self.prob:
            return results
        size = np.array(image.shape[1::-1])
        first, last = self._kept_corners(image, results)
        margin = np.ceil(self.margin * size).astype(int)
        (left, top), (right, bottom) = first + margin, size - last + margin
        inner = image[first[1] : last[1], first[0] : last[0]]
        fill = self._fills[np.random.choice(len(self._fills), p=self.fill_shares)]
        extended = fill(inner, (top, bottom, left, right), results)
        extended[top : top + len(inner), left : left + inner.shape[1]] = inner
        results['img'], results['img_shape'] = extended, extended.shape[:2]
        results['bbox'] = results['bbox'] + np.tile(margin, 2).astype(np.float32)
        results['keypoints'] = results['keypoints'] + margin.astype(np.float32)
        return results

    def _kept_corners(
        self, image: np.ndarray, results: dict
    ) -> tuple[np.ndarray, np.ndarray]:
        """First pixel to keep and the one after the last, as (x, y)."""
        size = np.array(image.shape[1::-1])
        first, last = np.zeros(2, int), size
        if np.random.random() < self.fill_black:
            first, last = _bright_corners(image)
        cut = np.random.uniform(0, self.cut, (2, 2)) * (last - first)
        # all of the person is kept, however dark
        low, high = np.asarray(results['bbox'][0]).reshape(2, 2)
        first = np.minimum(first + cut[0], low).clip(0).astype(int)
        last = np.minimum(np.ceil(np.maximum(last - cut[1], high)), size).astype(int)
        return first, last

    def _reflect(self, inner: np.ndarray, margins: tuple, _: dict) -> np.ndarray:
        return cv2.copyMakeBorder(inner, *margins, cv2.BORDER_REFLECT_101)

    def _blur(self, inner: np.ndarray, margins: tuple, results: dict) -> np.ndarray:
        reflected = self._reflect(inner, margins, results)
        width, height = reflected.shape[1::-1]
        coarse = max(width // _COARSE, 1), max(height // _COARSE, 1)
        coarse = cv2.resize(reflected, coarse, interpolation=cv2.INTER_AREA)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)

    def _paste(self, inner: np.ndarray, margins: tuple, results: dict) -> np.ndarray:
        other = draw_sample(results['dataset'])
        top, bottom, left, right = margins
        size = inner.shape[1] + left + right, inner.shape[0] + top + bottom
        return cv2.resize(other['img'], size, interpolation=cv2.INTER_LINEAR)

    def _paint(self, inner: np.ndarray, margins: tuple, _: dict) -> np.ndarray:
        color = np.random.randint(0, 256, 3).tolist()
        return cv2.copyMakeBorder(
            inner, *map(int, margins), cv2.BORDER_CONSTANT, value=color
        )


def _bright_corners(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the part within black margins; of the whole if all is black."""
    size = np.array(image.shape[1::-1])
    bright = image.max(-1) > _BLACK
    columns, rows = np.flatnonzero(bright.any(0)), np.flatnonzero(bright.any(1))
    if not len(columns):
        return np.zeros(2, int), size
    first = np.array((columns[0], rows[0]))
    last = np.array((columns[-1], rows[-1])) + 1
    first += np.where(first > 0, _MIXED, 0)
    last -= np.where(last < size, _MIXED, 0)
    is_wide = last > first
    return np.where(is_wide, first, 0), np.where(is_wide, last, size)
