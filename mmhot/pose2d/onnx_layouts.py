"""Kinds of 2D models of crops, by the layout of their outputs, and their decoders."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

from mmhot.geometry.crops import find_peaks
from mmhot.pose2d.onnx_formats import OnnxFile
from mmhot.structures.people import Pose

# Kernel of the blur before heatmaps are refined, for Gaussians of two cells.
_BLUR = (11, 11)


class Layout(NamedTuple):
    """How a kind of model sees crops, and how its outputs are decoded."""

    # maps the outputs of a crop, and its size (2,), to keypoints (K, 2) in its pixels
    # and scores (K,)
    decode: Callable[..., Pose]
    # factor by which boxes are enlarged for its crops, unless the file states another
    padding: float = 1.25
    is_raw: bool = False  # whether inputs are RGB from 0 to 255, and outputs points
    is_udp: bool = False  # whether corner pixels are mapped by their centers


def find_layout(file: OnnxFile) -> Layout | None:
    """Return the layout of SimCC vectors, heatmaps or points of MoveNet, or None."""
    shapes = [*file.outputs.values()]
    axes = [len(shape) for shape in shapes]
    if axes == [3, 3]:
        smoothing = file.meta.get('codec', {}).get('smoothing', 0)
        return Layout(partial(_decode_simcc, smoothing=smoothing))
    if axes != [4]:
        return None
    if shapes[0][-1] == 3:
        # trained with boxes that hardly exceed the person: neighbors confuse it
        return Layout(_decode_points, padding=1.0, is_raw=True)
    if file.has_udp_heatmaps():
        return Layout(decode_udp_heatmaps, is_udp=True)
    return Layout(_decode_heatmaps)


def _decode_points(points: np.ndarray, size: np.ndarray) -> Pose:
    """Decode MoveNet's y, x and score, (1, K, 3), shares of a crop's size (2,)."""
    y, x, scores = points.reshape(-1, 3).T
    return np.stack([x, y], -1) * size, scores


def _decode_simcc(
    x: np.ndarray, y: np.ndarray, size: np.ndarray, smoothing: float = 0.0
) -> Pose:
    """Decode SimCC's vectors (K, bins) along both axes of a crop, as GTPTLabel does."""
    positions = np.stack([find_peaks(axis, smoothing) for axis in (x, y)], -1)
    positions = positions * size / (x.shape[-1], y.shape[-1])
    return positions, np.minimum(x.max(-1), y.max(-1)).clip(0, 1)


def _decode_heatmaps(heatmaps: np.ndarray, size: np.ndarray) -> Pose:
    """Decode heatmaps (K, h, w), a quarter cell towards the higher neighbor."""
    joint, row, column, padded = _find_peaks(heatmaps)
    right = padded[joint, row, column + 1] - padded[joint, row, column - 1]
    below = padded[joint, row + 1, column] - padded[joint, row - 1, column]
    positions = np.stack([column, row], -1) - 1 + 0.25 * np.sign([right, below]).T
    return positions * size / heatmaps.shape[:0:-1], heatmaps.max((1, 2)).clip(0, 1)


def decode_udp_heatmaps(heatmaps: np.ndarray, size: np.ndarray) -> Pose:
    """Decode heatmaps (K, h, w) whose corner cells are the corner pixels of a crop.

    Peaks are refined by the Taylor expansion of the blurred heatmap's logarithm, as in
    Zhang et al., Distribution-Aware Coordinate Representation (DARK), CVPR 2020, and
    Huang et al., Unbiased Data Processing (UDP), CVPR 2020.
    """
    joint, row, column, _ = _find_peaks(heatmaps)
    edge = cv2.BORDER_CONSTANT
    blurred = np.stack(
        [cv2.GaussianBlur(x, _BLUR, 0, borderType=edge) for x in heatmaps]
    )
    blurred *= (heatmaps.max((1, 2)) / blurred.max((1, 2)))[:, None, None]
    logs = np.pad(np.log(blurred.clip(1e-3, 50)), ((0, 0), (1, 1), (1, 1)), 'edge')

    def at(right: int, below: int) -> np.ndarray:
        return logs[joint, row + below, column + right].astype(np.float64)

    gradient = np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], -1) / 2
    peak = 2 * at(0, 0)
    xx, yy = at(1, 0) - peak + at(-1, 0), at(0, 1) - peak + at(0, -1)
    xy = at(1, 1) - at(1, 0) - at(0, 1) + peak - at(-1, 0) - at(0, -1) + at(-1, -1)
    hessian = np.stack([xx, xy / 2, xy / 2, yy], -1).reshape(-1, 2, 2)
    hessian += np.finfo(np.float32).eps * np.eye(2)
    shift = np.linalg.solve(hessian, gradient[..., None])[..., 0]
    positions = np.stack([column, row], -1) - 1 - shift
    cells = np.array(heatmaps.shape[:0:-1]) - 1
    return positions * (size - 1) / cells, heatmaps.max((1, 2)).clip(0, 1)


def _find_peaks(heatmaps: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return indices (K,) of the highest cells of padded heatmaps, and these."""
    count, _, width = heatmaps.shape
    row, column = np.divmod(heatmaps.reshape(count, -1).argmax(-1), width)
    padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), mode='edge')
    return np.arange(count), row + 1, column + 1, padded
