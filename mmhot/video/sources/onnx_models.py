"""ONNX 2D pose models of crops, run by ONNX Runtime.

The outputs of a file determine its kind: SimCC vectors, heatmaps, or points as in
Google's MoveNet.
"""

import itertools
import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mmhot.deploy.onnx_sessions import count_threads, is_on_cpu, open_session, read_meta
from mmhot.skeletons.joints import described_skeleton
from mmhot.structures.crops import crop_matrix, unmap_points
from mmhot.video.cache import identify
from mmhot.video.people import PoseEstimator, Poses
from mmhot.video.sources.onnx_formats import (
    IMAGENET_RGB,
    decode_heatmaps,
    decode_points,
    decode_simcc,
    decode_udp_heatmaps,
    find_skeleton,
    name_model,
    normalize,
    output_shapes,
    read_pipeline,
)

# Numbers of axes of the outputs: SimCC's two; heatmaps' or MoveNet's one.
_LAYOUTS = ([3, 3], [4])
# Names of models whose heatmaps are those of UDP.
_UDP_NAMES = ('vitpose', 'udp')
ONE_STAGE = {'dets', 'keypoints'}
"""Outputs of models that detect people and estimate their poses in one run."""
# Crops per run on CPUs, whose caches hold the activations of few, and on other devices.
_CPU_BATCH, _DEVICE_BATCH = 2, 32
_of_thread = threading.local()


class OneStageModelError(ValueError):
    """A model of whole images was opened as one of crops."""


class OnnxPoseEstimator(PoseEstimator):
    """Estimate poses with a top-down model, decoded as its outputs require.

    Heatmaps are those of UDP if ``pipeline.json`` or the model's name says so.

    Files of ``mmhot export`` state the padding of their crops, the ``smoothing`` of
    probabilities, whether these are averaged with those of the mirrored crop and, if
    scores are calibrated, the ``score_curve``.

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
        path = Path(path)
        # networks for single people have layers too small to be shared among threads
        self._session = open_session(path, device, threads=1)
        on_cpu = is_on_cpu(self._session)
        self._threads = count_threads() if on_cpu else 1
        batch_size = batch_size or (_CPU_BATCH if on_cpu else _DEVICE_BATCH)
        (entry,) = self._session.get_inputs()
        self._input, shape = entry.name, entry.shape
        self._outputs = [output.name for output in self._session.get_outputs()]
        if set(self._outputs) >= ONE_STAGE:
            raise OneStageModelError(f'{path} is a model of whole images, not of crops')
        pipeline = read_pipeline(path)
        shapes = [output.shape for output in self._session.get_outputs()]
        self._points = len(shapes) == 1 and shapes[0][-1] == 3
        size = (shape[1:3] if self._points else shape[2:4])[::-1]
        if pipeline.size and not all(isinstance(side, int) for side in size):
            size = pipeline.size
        known = all(isinstance(side, int) for side in size) and len(shape) == 4
        if not known or len(shapes) > 2 or [len(s) for s in shapes] not in _LAYOUTS:
            raise ValueError(
                f'{path} is not a supported pose model: input {shape}, outputs '
                f'{shapes}; SimCC, heatmaps or MoveNet expected'
            )
        self._size = np.array(size)
        self._integers = 'int' in entry.type
        self._batch = shape[0] if isinstance(shape[0], int) else batch_size
        shapes = output_shapes(self._session, size)
        num_keypoints = shapes[0][-2] if self._points else shapes[0][1]
        meta = read_meta(self._session, path)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if skeleton is None and 'joints' in meta:
            skeleton = described_skeleton(meta).name
        skeleton = skeleton or meta.get('skeleton')
        found = find_skeleton(path, num_keypoints, skeleton, metadata)
        self.name = meta.get('name', name_model(path))
        self._colors = pipeline.colors or IMAGENET_RGB
        self._udp = pipeline.udp
        if self._udp is None:
            self._udp = any(name in self.name.lower() for name in _UDP_NAMES)
        # those of UDP map the centers of the corner pixels, not their corners
        self._scale = (self._size - self._udp) / self._size
        self.skeleton, self._flip_indices = found.name, list(found.flip_indices)
        self._flips = meta.get('flip_test', False)
        self._padding = meta.get('crop', {}).get('padding', pipeline.padding or 1.25)
        self._smoothing = meta.get('codec', {}).get('smoothing', 0)
        self._curve = meta.get('score_curve')
        self.has_score_curve = self._curve is not None
        options = {'pipeline': repr(pipeline)} if any(pipeline) else {}
        self.identity = identify(self.name, path, skeleton=self.skeleton, **options)
        self.num_keypoints = num_keypoints

    def __call__(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[Poses]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        return self._estimate(images, boxes, flips=self._flips)

    def estimate_fast(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[Poses]:
        """Estimate poses without flip test, in half the time."""
        return self._estimate(images, boxes, flips=False)

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
        if flips:
            mirrored = self._run([crop[:, ::-1] for crop in crops])
            outputs = self._average(outputs, mirrored)
        return [
            self._decode(matrix, own)
            for matrix, *own in zip(matrices, *outputs, strict=True)
        ]

    def _run(self, images: list[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs of BGR crops (h, w, 3)."""
        if self._points:
            batch = np.stack(images)[..., ::-1]
        else:
            batch = normalize(images, self._colors)
        kind = np.int32 if self._integers else np.float32
        inputs = {self._input: np.ascontiguousarray(batch, kind)}
        return self._session.run(self._outputs, inputs)

    def _decode(self, matrix: np.ndarray, outputs: list[np.ndarray]) -> Poses:
        """Return keypoints (K, 2) in pixels of the image and scores (K,) of a crop."""
        if self._points:
            decode = decode_points
        elif len(outputs) == 2:
            decode = partial(decode_simcc, smoothing=self._smoothing)
        else:
            decode = decode_udp_heatmaps if self._udp else decode_heatmaps
        points, scores = decode(*outputs, self._size)
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
        shift = round(x.shape[-1] / self._size[0]) - 1
        other_x = other_x[..., ::-1]
        end = other_x.shape[-1] - shift
        other_x = np.concatenate([other_x[..., shift:], other_x[..., end:]], -1)
        averaged = []
        for own, other in ((x, other_x), (y, other_y)):
            mean = np.sqrt(own * other)
            scale = own.sum(-1, keepdims=True) / mean.sum(-1, keepdims=True)
            averaged.append(mean * scale)
        return averaged


def split_evenly(items: list, size: int, threads: int) -> list[list]:
    """Split items into lists of at most a size, about as many for each thread."""
    number = threads * math.ceil(len(items) / (size * threads))
    ends = np.linspace(0, len(items), min(number, len(items)) + 1).round().astype(int)
    return [items[slice(*pair)] for pair in itertools.pairwise(ends.tolist())]
