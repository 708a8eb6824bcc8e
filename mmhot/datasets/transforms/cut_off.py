"""Upper bodies: people whom the edge of the photograph, or a table, cuts short."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.datasets.transforms.others import draw_sample

# Room around the keypoints that are left, of the box's longer side.
_MARGIN = 0.1
# How far across a line may slope, and how often what hides somebody ends again.
_SLOPE, _BAND = 0.15, 0.25
_ABSENT = -1


@TRANSFORMS.register_module()
class RandomCutOff(BaseTransform):
    """Cut people short, at the edge of the photograph or behind something wide.

    The box becomes that of what is left, as annotators and detectors draw it, so that
    an upper body fills the crop that a whole body fills otherwise. Keypoints outside of
    the photograph are known to be absent, visibility -1; those behind something are
    hidden. Works before the box's center and scale are computed; needs ``dataset``,
    which MMPose's datasets put there, for what hides. Modified keys: ``img``,
    ``img_shape``, ``bbox``, ``keypoints_visible``.

    Args:
        prob (float): Probability of a cut. Defaults to 0.3.
        hidden (float): Share of cuts by something in front. Defaults to 0.4.
        below (float): Share of cuts at the edge that are from below; the others are
            from any side. Defaults to 0.7.
        left (tuple[float, float]): Least and largest part of the box's extent that is
            left. Defaults to (0.2, 0.85).
        min_keypoints (int): Fewest visible keypoints to be left. Defaults to 4.
        hidden_weight (float): ``keypoints_visible`` of hidden keypoints. Defaults
            to 0.5.

    Raises:
        ValueError: If a share is not one, or ``left`` not two rising shares.
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
        """Cut, or not; see the class."""
        if np.random.random() >= self.prob or len(results['bbox']) != 1:
            return results
        if np.random.random() < self.hidden:
            return self._hide(results)
        side = 3 if np.random.random() < self.below else np.random.randint(4)
        return self._end(results, side)

    def _end(self, results: dict, side: int) -> dict:
        """End the photograph at a side: 0 left, 1 top, 2 right, 3 bottom."""
        box, axis = results['bbox'][0], side % 2
        low, high = box[axis], box[axis + 2]
        kept = np.random.uniform(*self.left) * (high - low)
        line = round(float(low + kept if side > 1 else high - kept))
        along = results['keypoints'][0, :, axis]
        stays = along < line if side > 1 else along >= line
        length = results['img'].shape[1 - axis]
        if not (0 < line < length and self._is_enough(results, stays)):
            return results
        # what is left of the picture keeps its coordinates: its first pixels are black
        image = results['img'] if side > 1 else results['img'].copy()
        if side > 1:
            image = image[:line] if axis else image[:, :line]
            results['img'] = np.ascontiguousarray(image)
            results['img_shape'] = image.shape[:2]
        else:
            image[tuple([np.s_[:line]] if axis else [np.s_[:], np.s_[:line]])] = 0
            results['img'] = image
        self._relabel(results, stays, _ABSENT)
        results['bbox'] = _left_of(results, stays, side, line)
        return results

    def _hide(self, results: dict) -> dict:
        """Put something wide before the lower part."""
        x1, y1, x2, y2 = results['bbox'][0]
        left = np.random.uniform(*self.left) * (y2 - y1)
        slope = np.random.normal(0, _SLOPE / 2)
        points = results['keypoints'][0]
        level = y1 + left + slope * (points[:, 0] - (x1 + x2) / 2)
        band = np.random.random() < _BAND
        depth = np.random.uniform(0.1, 0.3) * (y2 - y1) if band else np.inf
        behind = (points[:, 1] > level) & (points[:, 1] < level + depth)
        seen = ~behind if band else points[:, 1] <= level
        if not self._is_enough(results, seen):
            return results
        height, width = results['img'].shape[:2]
        reach = np.random.uniform(0.1, 1.5, 2) * (x2 - x1)
        ends = np.array((x1 - reach[0], x2 + reach[1])).clip(0, width)
        top = y1 + left + slope * (ends - (x1 + x2) / 2)
        # a front may end below somebody's feet, seldom before
        bottom = top + min(depth, y2 - y1 - left + np.random.uniform(0, 0.5) * height)
        corners = np.stack([[*ends, *ends[::-1]], [*top, *bottom[::-1]]], 1)
        mask = np.zeros((height, width), np.float32)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1.0, cv2.LINE_AA)
        cover = self._cover(results, (width, height))
        image = results['img'].astype(np.float32)
        image += mask[..., None] * (cover - image)
        results['img'] = np.rint(image).astype(np.uint8)
        self._relabel(results, seen, self.hidden_weight)
        if not band:
            line = min(float(top.max()), y2)
            results['bbox'] = _left_of(results, seen, 3, line)
        return results

    def _cover(self, results: dict, size: tuple[int, int]) -> np.ndarray:
        """Make what hides: a color, or a piece of another picture, (H, W, 3)."""
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

    def _is_enough(self, results: dict, stays: np.ndarray) -> bool:
        visible = results['keypoints_visible'][0] > self.hidden_weight
        return bool((visible & stays).sum() >= self.min_keypoints)

    def _relabel(self, results: dict, stays: np.ndarray, flag: float) -> None:
        visible = results['keypoints_visible'].copy()
        lost = ~stays & (visible[0] > 0)
        visible[0, lost] = flag if flag < 0 else np.minimum(visible[0, lost], flag)
        results['keypoints_visible'] = visible


def _left_of(results: dict, stays: np.ndarray, side: int, line: float) -> np.ndarray:
    """Box (1, 4) of what a cut leaves, across the cut as wide as its keypoints are."""
    box = results['bbox'][0].astype(np.float32).copy()
    margin = _MARGIN * (box[2:] - box[:2]).max()
    known = stays & (results['keypoints_visible'][0] > 0)
    across = 1 - side % 2
    points = results['keypoints'][0, known, across]
    box[across] = max(box[across], points.min() - margin)
    box[across + 2] = min(box[across + 2], points.max() + margin)
    box[side] = line
    return box[None]
