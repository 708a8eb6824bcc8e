"""ONNX detectors and 2D pose models, run by ONNX Runtime.

The outputs of a file determine its kind: detectors of MMDetection as exported by
MMDeploy (boxes with scores, labels), and pose models with SimCC vectors, heatmaps, or
points as in Google's MoveNet.
"""

import json
import logging
from pathlib import Path

import cv2
import numpy as np

from mmhot.crops import crop_matrix, unmap_points
from mmhot.profiling import span
from mmhot.skeletons.joints import SKELETONS, Skeleton, get_skeleton, skeletons_by_count
from mmhot.video.cache import identify
from mmhot.video.people import Boxes, Detector, PoseEstimator, Poses
from mmhot.video.sources.quarter_turns import QuarterTurns
from mmhot.weights.backends import open_session

_LOGGER = logging.getLogger(__name__)

# ImageNet's mean and standard deviation, RGB.
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_STD = np.array([58.395, 57.12, 57.375], np.float32)
_GRAY = 114
PROBABILITIES = 'probabilities'
"""Metadata ``flip_test`` of files with probabilities, to be averaged as logits."""
_PERSON = 0
# Metadata of ONNX files: name of the skeleton, or names of its joints.
_SKELETON_KEYS = ('skeleton', 'dataset_name')
_JOINT_KEYS = ('joint_names', 'keypoint_names', 'keypoints')
# Side of a detector's input if the file leaves it open.
_DETECTION_SIZE = 320
_STRIDE = 32
# Numbers of axes of the outputs: SimCC's two; heatmaps' or MoveNet's one.
_LAYOUTS = ([3, 3], [4])


class OnnxDetector(Detector):
    """Detect people with outputs ``dets``, boxes and scores (B, N, 5), and ``labels``.

    Files of ``mmhot export`` state the longer side of their input and how images are
    resized; their shorter side is a multiple of 32.

    Args:
        path (str | Path): The ONNX file.
        device (str): 'cpu' or 'cuda'.
        min_score (float): Least score of boxes. Defaults to 0.3.

    Raises:
        ValueError: If the outputs are others.
    """

    def __init__(
        self, path: str | Path, device: str = 'cpu', min_score: float = 0.3
    ) -> None:
        self._session = open_session(path, device)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.name = metadata.get('name', Path(path).stem)
        self.identity = identify(self.name, path, min_score=min_score)
        self.min_score = min_score
        outputs = [output.name for output in self._session.get_outputs()]
        if not {'dets', 'labels'} <= set(outputs):
            raise ValueError(
                f'{path} is not a supported detector: its outputs are '
                f'{", ".join(outputs)}, not dets and labels'
            )
        (entry,) = self._session.get_inputs()
        self._input = entry.name
        size = int(metadata.get('image_size', _DETECTION_SIZE))
        self._height, self._width = (
            side if isinstance(side, int) else size for side in entry.shape[2:]
        )
        self._is_exported = 'image_size' in metadata
        is_area = metadata.get('interpolation') == 'area'
        self._interpolation = cv2.INTER_AREA if is_area else cv2.INTER_LINEAR

    def __call__(self, images: list[np.ndarray]) -> list[Boxes]:
        """Detect the people of BGR images (H, W, 3)."""
        # MMDeploy's NMS supports one image, even where the file declares a batch
        with span('detector network', items=len(images)):
            return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> Boxes:
        prepared, zoom = self._prepare(image)
        inputs = {self._input: prepared[None]}
        (boxes,), (labels,) = self._session.run(['dets', 'labels'], inputs)
        boxes = boxes[(labels == _PERSON) & (boxes[:, 4] >= self.min_score)]
        height, width = image.shape[:2]
        corners = boxes[:, :4] / np.tile(zoom, 2)
        corners = corners.clip(0, [width, height, width, height])
        return corners.astype(np.float32), boxes[:, 4]

    def _prepare(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Resize, pad with gray at the right and bottom; (3, H, W) and both scales."""
        height, width = image.shape[:2]
        zoom = min(self._height / height, self._width / width)
        size = (max(round(width * zoom), 1), max(round(height * zoom), 1))
        padded = self._width, self._height
        if self._is_exported:
            padded = tuple(_STRIDE * -(-side // _STRIDE) for side in size)
        canvas = np.full((*padded[::-1], 3), _GRAY, np.uint8)
        small = cv2.resize(image, size, interpolation=self._interpolation)
        canvas[: size[1], : size[0]] = small
        # these detectors were trained on BGR
        normal = (canvas - _MEAN[::-1]) / _STD[::-1]
        zoom = np.array(size) / (width, height)
        return normal.transpose(2, 0, 1).astype(np.float32), zoom


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
        batch_size (int): People per run, if the model is not fixed to a number.
            Defaults to 32.

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
        batch_size: int = 32,
    ) -> None:
        self._session = open_session(path, device)
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
        self.identity = identify(self.name, path, skeleton=self.skeleton)
        self.num_keypoints = num_keypoints

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
        return self._estimate(images, boxes, self._flips)

    def _estimate(
        self, images: list[np.ndarray], boxes: list[np.ndarray], flips: bool
    ) -> list[Poses]:
        pairs = [
            (image, box)
            for image, own in zip(images, boxes, strict=True)
            for box in own
        ]
        with span('crops', items=len(pairs)):
            crops = [self._crop(*pair) for pair in pairs]
        keypoints = np.zeros((len(crops), self.num_keypoints, 2), np.float32)
        scores = np.zeros((len(crops), self.num_keypoints), np.float32)
        for start in range(0, len(crops), self._batch):
            batch = crops[start : start + self._batch]
            decoded = self._run([crop for crop, _ in batch], flips)
            for person, (points, own_scores) in enumerate(decoded, start):
                keypoints[person] = unmap_points(crops[person][1], points)
                scores[person] = own_scores
        if self._curve is not None:
            scores = np.interp(scores, *self._curve).astype(np.float32)
        ends = np.cumsum([len(own) for own in boxes])[:-1]
        return list(zip(np.split(keypoints, ends), np.split(scores, ends), strict=True))

    def _crop(
        self, image: np.ndarray, box: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        size = (self._width, self._height)
        matrix = crop_matrix(box, size, self._padding)
        crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)[..., ::-1]
        if self._points:
            return crop, matrix
        return ((crop - _MEAN) / _STD).transpose(2, 0, 1), matrix

    def _run(
        self, crops: list[np.ndarray], flips: bool
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return keypoints (K, 2) in pixels of the crop and scores (K,) per crop."""
        batch = np.stack(crops).astype(np.int32 if self._integers else np.float32)
        with span('2D network', items=len(crops)):
            outputs = self._session.run(self._outputs, {self._input: batch})
            if flips:
                mirrored = np.ascontiguousarray(batch[..., ::-1])
                mirrored = self._session.run(self._outputs, {self._input: mirrored})
                outputs = self._average(outputs, mirrored)
        if self._points:
            return [self._decode_points(each) for each in outputs[0]]
        if len(outputs) == 2:
            return [self._decode_simcc(x, y) for x, y in zip(*outputs, strict=True)]
        return [self._decode_heatmaps(each) for each in outputs[0]]

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
