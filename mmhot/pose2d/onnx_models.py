"""ONNX 2D pose models of crops, run by ONNX Runtime."""

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mmhot.deploy.onnx_sessions import count_threads, is_on_cpu
from mmhot.geometry.crops import crop_matrix, unmap_points
from mmhot.pose2d.interfaces import Crop, CropEstimator, Images
from mmhot.pose2d.onnx_formats import IMAGENET_RGB, RAW_RGB, OnnxFile, normalize
from mmhot.pose2d.onnx_layouts import find_layout
from mmhot.structures.people import Pose

ONE_STAGE = {'dets', 'keypoints'}
"""Outputs of models that detect people and estimate their poses in one run."""


class OneStageModelError(ValueError):
    """A model of whole images was opened as one of crops."""


class OnnxPoseEstimator(CropEstimator):
    """Estimate poses with a top-down model, decoded as its outputs require.

    Files of ``mmhot export`` state the padding of their crops, the ``smoothing`` of
    probabilities, whether these are averaged with those of the mirrored crop and, if
    scores are calibrated, the ``score_curve``.

    Args:
        path (str | Path): The ONNX file.
        device (str): 'cpu' or 'cuda'.
        skeleton (str, optional): Skeleton of the keypoints. By default the one in the
            file's metadata; if there is none, it is assumed by the number of keypoints,
            with a warning.
        batch_size (int, optional): People per run, if the model is not fixed to a
            number. Defaults to 1 on a CPU, where each thread runs its own, else 64.
    """

    def __init__(
        self,
        path: str | Path,
        device: str = 'cpu',
        skeleton: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        # networks for single people have layers too small to be shared among threads
        self._file = file = OnnxFile(path, device, threads=1)
        if file.outputs.keys() >= ONE_STAGE:
            raise OneStageModelError(f'{path} is a model of whole images, not of crops')
        shape, layout = file.input.shape, find_layout(file)
        width, height = file.input_size()
        if layout is None or not file.is_image or not (width and height):
            raise ValueError(
                f'{path} is not a supported pose model: input {shape}, outputs '
                f'{[*file.outputs.values()]}; SimCC, heatmaps or MoveNet expected'
            )
        self._layout, self._size = layout, np.array([width, height])
        on_cpu = is_on_cpu(file.session)
        self._threads = count_threads() if on_cpu else 1
        self.prefers_batches = not on_cpu
        # caches of CPUs hold the activations of one crop
        batch_size = batch_size or (1 if on_cpu else 64)
        self._batch = shape[0] if isinstance(shape[0], int) else batch_size
        outputs = file.output_shapes((width, height))
        self.num_keypoints = outputs[0][-2] if layout.is_raw else outputs[0][1]
        joints = file.find_skeleton(self.num_keypoints, skeleton)
        self.skeleton, self._flip_indices = joints.name, list(joints.flip_indices)
        colors = RAW_RGB if layout.is_raw else IMAGENET_RGB
        self._colors = file.pipeline.colors or colors
        # crops of UDP map the centers of the corner pixels, not their corners
        ends = self._size - 1 if layout.is_udp else self._size
        self._scale = ends / self._size
        padding = file.pipeline.padding or layout.padding
        self._padding = file.meta.get('crop', {}).get('padding', padding)
        self._flips = file.meta.get('flip_test', False)
        curve = np.array(file.meta.get('score_curve', [[], []]), np.float64)
        self._curve = curve.reshape(2, -1)
        self.has_score_curve = self._curve.size > 0
        self.name = file.name
        self.identity = file.identify(
            skeleton=self.skeleton, padding=self._padding, udp=layout.is_udp
        )

    def estimate_crops(self, crops: list[Crop], flip_test: bool) -> Iterator[Pose]:
        """Estimate keypoints (K, 2) and scores (K,) of each pair of image and box."""
        run = partial(self._run_crops, flip_test=flip_test and self._flips)
        batches = split_evenly(crops, self._batch, self._threads)
        # new threads in each call, as those of a process are not in its forks
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
        for matrix, *of_crop in zip(matrices, *outputs, strict=True):
            points, scores = self._layout.decode(*of_crop, self._size)
            if self.has_score_curve:
                scores = np.interp(scores, *self._curve)
            poses.append((unmap_points(matrix, points), scores))
        return poses

    def _run(self, images: Images) -> list[np.ndarray]:
        """Return the outputs of BGR crops (h, w, 3)."""
        return self._file.run(normalize(images, self._colors))

    def _average(
        self, outputs: list[np.ndarray], mirrored: list[np.ndarray]
    ) -> list[np.ndarray]:
        """Average probabilities (B, K, bins) with those of mirrored crops, as logits.

        Reversed bins are off by one less than the bins of a pixel. The last ones have
        no partner and keep their value.
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


def split_evenly(items: list, size: int, threads: int) -> list[list]:
    """Split items into lists of at most a size, about as many for each thread."""
    number = threads * math.ceil(len(items) / (size * threads))
    ends = np.linspace(0, len(items), min(number, len(items)) + 1).round().astype(int)
    return [items[slice(*pair)] for pair in itertools.pairwise(ends.tolist())]
