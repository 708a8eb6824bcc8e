"""ONNX 2D pose models of crops, run by ONNX Runtime."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mmhot.chain.pose2d.interfaces import Crop, CropEstimator, Images
from mmhot.chain.pose2d.onnx_formats import (
    IMAGENET_RGB,
    RAW_RGB,
    Colors,
    OnnxFile,
    normalize,
)
from mmhot.deploy.onnx_sessions import count_threads, is_on_cpu
from mmhot.geometry.crops import crop_matrix, find_peaks, unmap_points
from mmhot.structures.people import Pose

ONE_STAGE = {'dets', 'keypoints'}
"""Outputs of models that detect people and estimate their poses in one run."""
# Kernel of the blur before heatmaps are refined, for Gaussians of two cells
_BLUR = (11, 11)
_GPU_BATCH = 64  # crops per run on a GPU


class OneStageModelError(ValueError):
    """Raised if a model for whole images is opened as a model for crops."""


class _Layout(NamedTuple):
    """How a kind of model sees crops, and how its outputs are decoded."""

    # Function that maps the outputs of a crop, and its size (2,), to keypoints (K, 2)
    # in pixels of the crop, and scores (K,)
    decode: Callable[..., Pose]
    # Factor by which boxes are enlarged for crops, unless the file states another
    padding: float = 1.25
    colors: Colors = IMAGENET_RGB  # normalization, unless the file states another
    keypoint_axis: int = 1  # axis of the first output that counts keypoints
    is_udp: bool = False  # whether corner pixels are mapped by their centers


class OnnxPoseEstimator(CropEstimator):
    """Estimate poses with a top-down model, decoded as its outputs require.

    Files of ``mmhot export`` state the padding of their crops, the ``smoothing`` of
    probabilities, whether a flip test averages probabilities with the mirrored crop's
    and, if scores are calibrated, the ``score_curve``.

    Args:
        path (str | Path): The ONNX file.
        device (str): 'cpu' or 'cuda'.
        skeleton (str, optional): Skeleton of the keypoints. By default the one in the
            file's metadata; if there is none, it is assumed by the number of keypoints,
            with a warning.

    Raises:
        FileNotFoundError: If there is no such file.
        OneStageModelError: If the model sees whole images.
        ValueError: If its inputs or outputs are not supported.
    """

    def __init__(
        self, path: str | Path, device: str = 'cpu', skeleton: str | None = None
    ) -> None:
        # The layers of models for crops are too small to be shared among threads.
        self._file = file = OnnxFile(path, device, threads=1)
        if file.outputs.keys() >= ONE_STAGE:
            raise OneStageModelError(f'{path} is a model of whole images, not of crops')
        size = file.input_size()
        layout = _find_layout(file)
        if layout is None or not file.is_image or not all(size):
            raise ValueError(
                f'{path} is not a supported pose model: input {file.input.shape}, '
                f'outputs {[*file.outputs.values()]}; SimCC, heatmaps or MoveNet '
                'expected'
            )
        self._layout = layout
        self._size = np.array(size)
        on_cpu = is_on_cpu(file.session)
        self._threads = count_threads() if on_cpu else 1
        self.prefers_batches = not on_cpu
        self._batch = file.input.shape[0]
        if not isinstance(self._batch, int):
            # A CPU's caches hold the activations of one crop.
            self._batch = 1 if on_cpu else _GPU_BATCH
        self.num_keypoints = file.output_shapes(size)[0][layout.keypoint_axis]
        joints = file.find_skeleton(self.num_keypoints, skeleton)
        self.skeleton = joints.name
        self._flip_indices = list(joints.flip_indices)
        self._colors = file.pipeline.colors or layout.colors
        # UDP's crops map the centers of the corner pixels, not their corners.
        self._scale = (self._size - layout.is_udp) / self._size
        padding = file.pipeline.padding or layout.padding
        self._padding = file.meta.get('crop', {}).get('padding', padding)
        self._flips = file.meta.get('flip_test', False)
        self._curve = file.meta.get('score_curve')
        self.has_score_curve = self._curve is not None
        self.name = file.name
        self.identity = file.identify(
            skeleton=self.skeleton, padding=self._padding, udp=layout.is_udp
        )

    def estimate_crops(self, crops: list[Crop], flip_test: bool) -> Iterator[Pose]:
        """Estimate keypoints (K, 2) and scores (K,) of each pair of image and box."""
        run = partial(self._run_crops, flip_test=flip_test and self._flips)
        starts = range(0, len(crops), self._batch)
        batches = [crops[start : start + self._batch] for start in starts]
        # Threads are new in each call, as a fork does not have its parent's threads.
        several = self._threads > 1
        run_all = ThreadPoolExecutor(self._threads).map if several else map
        return itertools.chain.from_iterable(run_all(run, batches))

    def _run_crops(self, pairs: list[Crop], flip_test: bool) -> list[Pose]:
        """Run the model on pairs of image and box (4,)."""
        size = tuple(self._size.tolist())
        matrices = [
            self._scale[:, None] * crop_matrix(box, size, self._padding)
            for _, box in pairs
        ]
        crops = [
            cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
            for (image, _), matrix in zip(pairs, matrices, strict=True)
        ]
        outputs = self._run(crops)
        if flip_test:
            mirrored = self._run([crop[:, ::-1] for crop in crops])
            outputs = self._average(outputs, mirrored)
        poses = []
        for matrix, *crop_outputs in zip(matrices, *outputs, strict=True):
            points, scores = self._layout.decode(*crop_outputs, self._size)
            if self._curve is not None:
                scores = np.interp(scores, *self._curve)
            poses.append((unmap_points(matrix, points), scores))
        return poses

    def _run(self, images: Images) -> list[np.ndarray]:
        """Return the outputs of BGR crops (h, w, 3)."""
        return self._file.run(normalize(images, self._colors))

    def _average(
        self, outputs: list[np.ndarray], mirrored: list[np.ndarray]
    ) -> list[np.ndarray]:
        """Average the logits of probabilities (B, K, bins) with the mirrored crops'.

        Both lists hold the x axis, then the y axis. Reversed x bins are shifted by the
        number of bins per pixel minus one. The last bins have no partner and are
        averaged with themselves.
        """
        other_x, other_y = (x[:, self._flip_indices] for x in mirrored)
        shift = round(other_x.shape[-1] / self._size[0]) - 1
        other_x = other_x[..., ::-1]
        end = other_x.shape[-1] - shift
        other_x = np.concatenate([other_x[..., shift:], other_x[..., end:]], -1)
        averaged = []
        for first, second in zip(outputs, (other_x, other_y), strict=True):
            mean = np.sqrt(first * second)
            scale = first.sum(-1, keepdims=True) / mean.sum(-1, keepdims=True)
            averaged.append(mean * scale)
        return averaged


def _find_layout(file: OnnxFile) -> _Layout | None:
    """Return the layout of SimCC vectors, heatmaps or points of MoveNet, or None."""
    shapes = [*file.outputs.values()]
    axes = [len(shape) for shape in shapes]
    if axes == [3, 3]:
        smoothing = file.meta.get('codec', {}).get('smoothing', 0)
        return _Layout(partial(_decode_simcc, smoothing=smoothing))
    if axes != [4]:
        return None
    if shapes[0][-1] == 3:
        # MoveNet was trained with tight boxes, and neighbors in the crop confuse it.
        return _Layout(_decode_points, 1.0, RAW_RGB, keypoint_axis=-2)
    if file.has_udp_heatmaps():
        return _Layout(decode_udp_heatmaps, is_udp=True)
    return _Layout(_decode_heatmaps)


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
    """Decode UDP heatmaps: their corner cells are the corner pixels of the crop.

    Peaks are refined by the Taylor expansion of the blurred heatmap's logarithm, as in
    Zhang et al., Distribution-Aware Coordinate Representation (DARK), CVPR 2020, and
    Huang et al., Unbiased Data Processing (UDP), CVPR 2020.

    Args:
        heatmaps (np.ndarray): Heatmaps (K, h, w).
        size (np.ndarray): Width and height of the crop in pixels, (2,).

    Returns:
        Pose: Keypoints (K, 2) in pixels of the crop, and scores (K,).
    """
    joint, row, column, _ = _find_peaks(heatmaps)
    edge = cv2.BORDER_CONSTANT
    blurred = np.stack(
        [cv2.GaussianBlur(x, _BLUR, 0, borderType=edge) for x in heatmaps]
    )
    blurred *= (heatmaps.max((1, 2)) / blurred.max((1, 2)))[:, None, None]
    logs = np.pad(np.log(blurred.clip(1e-3, 50)), ((0, 0), (1, 1), (1, 1)), 'edge')

    def at(right: int, below: int) -> np.ndarray:
        """Return the logarithms (K,) in cells beside the peaks."""
        return logs[joint, row + below, column + right].astype(np.float64)

    gradient = np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], -1) / 2
    peak = 2 * at(0, 0)
    xx = at(1, 0) - peak + at(-1, 0)
    yy = at(0, 1) - peak + at(0, -1)
    xy = at(1, 1) - at(1, 0) - at(0, 1) + peak - at(-1, 0) - at(0, -1) + at(-1, -1)
    hessian = np.stack([xx, xy / 2, xy / 2, yy], -1).reshape(-1, 2, 2)
    hessian += np.finfo(np.float32).eps * np.eye(2)
    shift = np.linalg.solve(hessian, gradient[..., None])[..., 0]
    positions = np.stack([column, row], -1) - 1 - shift
    cells = np.array(heatmaps.shape[:0:-1]) - 1
    return positions * (size - 1) / cells, heatmaps.max((1, 2)).clip(0, 1)


def _find_peaks(heatmaps: np.ndarray) -> tuple[np.ndarray, ...]:
    """Find the highest cells of heatmaps (K, h, w).

    Returns the joint, row and column indices (K,) of these cells in padded heatmaps,
    and the heatmaps padded by one cell on each side, (K, h + 2, w + 2).
    """
    count, _, width = heatmaps.shape
    row, column = np.divmod(heatmaps.reshape(count, -1).argmax(-1), width)
    padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), mode='edge')
    return np.arange(count), row + 1, column + 1, padded
