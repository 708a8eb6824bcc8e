"""ONNX 2D pose models, run by ONNX Runtime.

The outputs of a file determine its kind: SimCC vectors, heatmaps, or points as in
Google's MoveNet.
"""

import itertools
import json
import logging
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmhot.crops import IMAGE_MEAN, IMAGE_STD, crop_matrix, unmap_points
from mmhot.profiling import span
from mmhot.skeletons.joints import SKELETONS, Skeleton, get_skeleton, skeletons_by_count
from mmhot.video.cache import identify
from mmhot.video.people import PoseEstimator, Poses
from mmhot.video.sources.turned_crops import QuarterTurns
from mmhot.weights.backends import (
    count_threads,
    graph_with_keep_rates,
    is_on_cpu,
    open_session,
)

_LOGGER = logging.getLogger(__name__)

# In the order BGR.
_IMAGE_MEAN = np.array(IMAGE_MEAN[::-1], np.float32)
_IMAGE_STD = np.array(IMAGE_STD[::-1], np.float32)
BGR, RGB = (0, 1, 2), (2, 1, 0)
"""Orders of a BGR image's channels."""
PROBABILITIES = 'probabilities'
"""Metadata ``flip_test`` of files with probabilities, to be averaged as logits."""
# Metadata of ONNX files: name of the skeleton, or names of its joints.
_SKELETON_KEYS = ('skeleton', 'dataset_name')
_JOINT_KEYS = ('joint_names', 'keypoint_names', 'keypoints')
# Numbers of axes of the outputs: SimCC's two; heatmaps' or MoveNet's one.
_LAYOUTS = ([3, 3], [4])
# Crops per run on CPUs, whose caches hold the activations of few, and on other devices.
_CPU_BATCH, _DEVICE_BATCH = 2, 32
_of_thread = threading.local()


class OnnxPoseEstimator(PoseEstimator):
    """Estimate poses with a top-down model, decoded as its outputs require.

    Files of ``mmhot export`` state the padding of their crops, whether outputs are
    averaged with those of the mirrored crop and, if scores are calibrated, the
    ``score_curve``; people of a low confidence are then estimated again in turned
    crops.

    Args:
        path (str | Path): The ONNX file.
        device (str): 'cpu' or 'cuda'.
        skeleton (str, optional): Skeleton of the keypoints. By default the one in the
            file's metadata (``skeleton`` or ``joint_names``); if there is none, it is
            assumed by the number of keypoints, with a warning.
        batch_size (int, optional): People per run, if the model is not fixed to a
            number. Defaults to 2 on a CPU, where each thread runs its own, else 32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its outputs or keypoints are unknown.
    """

    is_thread_safe = True

    def __init__(
        self,
        path: str | Path,
        device: str = 'cpu',
        skeleton: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        self._path, self._device = Path(path), device
        self._sessions = {self._path: self._open(self._path)}
        self._session = self._sessions[self._path]
        on_cpu = is_on_cpu(self._session)
        self._threads = count_threads() if on_cpu else 1
        batch_size = batch_size or (_CPU_BATCH if on_cpu else _DEVICE_BATCH)
        (entry,) = self._session.get_inputs()
        self._input, shape = entry.name, entry.shape
        self._outputs = [output.name for output in self._session.get_outputs()]
        shapes = [output.shape for output in self._session.get_outputs()]
        self._points = len(shapes) == 1 and shapes[0][-1] == 3
        sides = shape[1:3] if self._points else shape[2:4]
        known = all(isinstance(side, int) for side in sides) and len(shape) == 4
        if not known or len(shapes) > 2 or [len(s) for s in shapes] not in _LAYOUTS:
            raise ValueError(
                f'{path} is not a supported pose model: input {shape}, outputs '
                f'{shapes}; SimCC, heatmaps or MoveNet expected'
            )
        self._height, self._width = sides
        self._integers = 'int' in entry.type
        self._batch = shape[0] if isinstance(shape[0], int) else batch_size
        num_keypoints = shapes[0][-2] if self._points else shapes[0][1]
        metadata = self._session.get_modelmeta().custom_metadata_map
        found = _find_skeleton(path, num_keypoints, skeleton, metadata)
        self.name = metadata.get('name', Path(path).stem)
        self.skeleton, self._flip_indices = found.name, list(found.flip_indices)
        self._flips = metadata.get('flip_test') == PROBABILITIES
        self._padding = float(metadata.get('padding', 1.25))
        self._curve = json.loads(metadata.get('score_curve', 'null'))
        self.has_score_curve = self._curve is not None
        self.turns = QuarterTurns() if self.has_score_curve else None
        self.identity = self._identify(self._path)
        self.num_keypoints = num_keypoints

    def _open(self, path: Path) -> Any:
        # networks for single people have layers too small to be shared among threads
        return open_session(path, self._device, threads=1)

    def _identify(self, path: Path) -> dict:
        return identify(self.name, path, skeleton=self.skeleton)

    def set_keep_rates(self, keep_rates: tuple[float, ...] | None) -> None:
        """Set the share of patches that GTPT keeps; None as trained.

        Shipped models have graphs with the keep rates of the speed levels.
        """
        path = self._path
        if keep_rates is not None:
            path = graph_with_keep_rates(path, keep_rates)
        if path not in self._sessions and path.is_file():
            self._sessions[path] = self._open(path)
        if path in self._sessions:
            self._session, self.identity = self._sessions[path], self._identify(path)

    def __call__(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[Poses]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        if self.turns is None:
            return self.estimate_upright(images, boxes)
        return self.turns(self.estimate_upright, self.estimate_fast, images, boxes)

    def estimate_fast(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[Poses]:
        """Estimate poses without flip test and quarter turns, in half the time."""
        return self._estimate(images, boxes, flips=False)

    def estimate_upright(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[Poses]:
        """Estimate poses without quarter turns."""
        return self._estimate(images, boxes, flips=self._flips)

    def _estimate(
        self, images: list[np.ndarray], boxes: list[np.ndarray], flips: bool
    ) -> list[Poses]:
        pairs = [
            (image, box)
            for image, own in zip(images, boxes, strict=True)
            for box in own
        ]
        keypoints = np.zeros((len(pairs), self.num_keypoints, 2), np.float32)
        scores = np.zeros((len(pairs), self.num_keypoints), np.float32)
        batches = split_evenly(pairs, self._batch, self._threads)
        poses = itertools.chain(*self._map(partial(self._run_boxes, flips), batches))
        for row, (points, own_scores) in enumerate(poses):
            keypoints[row], scores[row] = points, self._calibrate(own_scores)
        ends = np.cumsum([len(own) for own in boxes])[:-1]
        return list(zip(np.split(keypoints, ends), np.split(scores, ends), strict=True))

    def _map(self, run: Callable[[list], list], batches: list[list]) -> Iterable[list]:
        """Run batches in threads of the calling thread."""
        if self._threads == 1 or len(batches) < 2:
            return map(run, batches)
        if not hasattr(_of_thread, 'pool'):
            _of_thread.pool = ThreadPoolExecutor(self._threads)
        return _of_thread.pool.map(run, batches)

    def _run_boxes(
        self, flips: bool, pairs: list[tuple[np.ndarray, np.ndarray]]
    ) -> list[Poses]:
        """Run the model on pairs of image and box (4,)."""
        size = (self._width, self._height)
        with span('crops', items=len(pairs)):
            matrices = [crop_matrix(box, size, self._padding) for _, box in pairs]
            crops = [
                cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
                for (image, _), matrix in zip(pairs, matrices, strict=True)
            ]
        outputs = self._run(crops)
        if flips:
            mirrored = self._run([crop[:, ::-1] for crop in crops])
            outputs = self._average(outputs, mirrored)
        return [
            self._decode(matrix, own)
            for matrix, *own in zip(matrices, *outputs, strict=True)
        ]

    def _run(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs of BGR crops (h, w, 3)."""
        batch = np.stack(images)[..., RGB] if self._points else normalize(images, RGB)
        kind = np.int32 if self._integers else np.float32
        with span('2D network', items=len(images)):
            inputs = {self._input: np.ascontiguousarray(batch, kind)}
            return self._session.run(self._outputs, inputs)

    def _decode(self, matrix: np.ndarray, outputs: list[np.ndarray]) -> Poses:
        """Return keypoints (K, 2) in pixels of the image and scores (K,) of a crop."""
        if self._points:
            points, scores = self._decode_points(*outputs)
        elif len(outputs) == 2:
            points, scores = self._decode_simcc(*outputs)
        else:
            points, scores = self._decode_heatmaps(*outputs)
        return unmap_points(matrix, points), scores

    def _calibrate(self, scores: np.ndarray) -> np.ndarray:
        return scores if self._curve is None else np.interp(scores, *self._curve)

    def _average(
        self, outputs: list[np.ndarray], mirrored: list[np.ndarray]
    ) -> list[np.ndarray]:
        """Average probabilities (B, K, bins) with those of mirrored crops, as logits.

        Reversed bins are off by one less than the bins of a pixel. The last ones have
        no partner and keep their value.
        """
        (x, y), (other_x, other_y) = (
            outputs,
            (each[:, self._flip_indices] for each in mirrored),
        )
        shift = round(x.shape[-1] / self._width) - 1
        other_x = other_x[..., ::-1]
        end = other_x.shape[-1] - shift
        other_x = np.concatenate([other_x[..., shift:], other_x[..., end:]], -1)
        averaged = []
        for own, other in ((x, other_x), (y, other_y)):
            mean = np.sqrt(own * other)
            scale = own.sum(-1, keepdims=True) / mean.sum(-1, keepdims=True)
            averaged.append(mean * scale)
        return averaged

    def _decode_points(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode MoveNet's y, x and score, (1, K, 3), as shares of the crop."""
        y, x, scores = points.reshape(-1, 3).T
        return np.stack([x * self._width, y * self._height], -1), scores

    def _decode_simcc(
        self, x: np.ndarray, y: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode SimCC's vectors (K, bins) along each axis."""
        positions = np.stack([x.argmax(-1), y.argmax(-1)], -1).astype(np.float64)
        size = np.array([self._width, self._height])
        positions *= size / (x.shape[-1], y.shape[-1])
        return positions, np.minimum(x.max(-1), y.max(-1)).clip(0, 1)

    def _decode_heatmaps(self, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Decode heatmaps (K, h, w), a quarter cell towards the higher neighbor."""
        num_keypoints, height, width = heatmaps.shape
        flat = heatmaps.reshape(num_keypoints, -1).argmax(-1)
        row, column = np.divmod(flat, width)
        padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), mode='edge')
        joint = np.arange(num_keypoints)
        right = padded[joint, row + 1, column + 2] - padded[joint, row + 1, column]
        below = padded[joint, row + 2, column + 1] - padded[joint, row, column + 1]
        positions = np.stack([column, row], -1) + 0.25 * np.sign([right, below]).T
        scale = np.array([self._width / width, self._height / height])
        return positions * scale, heatmaps.max((1, 2)).clip(0, 1)


def normalize(images: list[np.ndarray], channels: Sequence[int]) -> np.ndarray:
    """Normalize BGR images (H, W, 3) to the given channels' planes (B, 3, H, W)."""
    batch = np.empty((len(images), 3, *images[0].shape[:2]), np.float32)
    # one plane after the other: ten times as fast as all at once
    for planes, image in zip(batch, images, strict=True):
        for plane, channel in zip(planes, channels, strict=True):
            values = image[..., channel]
            np.subtract(values, _IMAGE_MEAN[channel], out=plane, dtype=np.float32)
            plane /= _IMAGE_STD[channel]
    return batch


def split_evenly(items: list, size: int, threads: int) -> list[list]:
    """Split items into lists of at most a size, about as many for each thread."""
    number = threads * math.ceil(len(items) / (size * threads))
    ends = np.linspace(0, len(items), min(number, len(items)) + 1).round().astype(int)
    return [items[slice(*pair)] for pair in itertools.pairwise(ends.tolist())]


def _find_skeleton(
    path: str | Path, num_keypoints: int, name: str | None, metadata: dict[str, str]
) -> Skeleton:
    """Choose the skeleton by argument, metadata of the file, or number of keypoints."""
    skeleton = get_skeleton(name) if name else _read_skeleton(path, metadata)
    assumed = skeletons_by_count()
    if skeleton is None and num_keypoints in assumed:
        skeleton = get_skeleton(assumed[num_keypoints])
        _LOGGER.warning(
            '%s does not name its %d keypoints: assuming %s; give another as skeleton',
            path,
            num_keypoints,
            skeleton.name,
        )
    if skeleton is None:
        known = ', '.join(map(str, sorted(assumed)))
        raise ValueError(
            f'{path} has {num_keypoints} keypoints without names: give their skeleton '
            f'(only {known} are assumed by number)'
        )
    if skeleton.num_keypoints != num_keypoints:
        raise ValueError(
            f'{path} has {num_keypoints} keypoints, but skeleton {skeleton.name!r} has '
            f'{skeleton.num_keypoints}'
        )
    return skeleton


def _read_skeleton(path: str | Path, metadata: dict[str, str]) -> Skeleton | None:
    """Read the skeleton from the metadata of an ONNX file; None if not there."""
    names = [metadata[key] for key in _SKELETON_KEYS if metadata.get(key)]
    if names:
        return get_skeleton(names[0])
    names = [metadata[key] for key in _JOINT_KEYS if metadata.get(key)]
    if not names:
        return None
    try:
        joints = tuple(json.loads(names[0]))
    except ValueError:
        joints = tuple(joint.strip() for joint in names[0].split(','))
    for skeleton in SKELETONS.values():
        if skeleton.joints == joints:
            return skeleton
    raise ValueError(
        f'{path} has keypoints {", ".join(joints):.200}, which are not those of any '
        f'skeleton: {", ".join(SKELETONS)}'
    )
