"""Detectors and 2D pose models as ONNX files, run by ONNX Runtime.

Which kind a file is, its inputs and outputs tell: MMDetection's detectors as MMDeploy
exports them (boxes with scores and labels), and pose models that give SimCC vectors,
heatmaps, or points as Google's MoveNet does.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from mmhot.crops import crop_matrix, unmap_points
from mmhot.errors import require_file
from mmhot.video.sources.model_digests import identify

# Of the pixels that OpenMMLab's models were trained on, RGB.
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_STD = np.array([58.395, 57.12, 57.375], np.float32)
_GRAY = 114
_PERSON = 0
_SKELETONS = {17: 'coco-17', 26: 'halpe-26', 133: 'coco-wholebody-133'}
# Boxes that are detected in pictures of this size, where the file does not say.
_DETECTION_SIZE = 320


def open_session(path: str | Path, device: str = 'cpu'):
    """Open an ONNX file.

    Args:
        path (str | Path): The file.
        device (str): 'cpu' or 'cuda'.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ONNX Runtime is not installed or cannot read the file.
    """
    path = require_file(path)
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f'{path} needs ONNX Runtime: pip install onnxruntime'
        ) from error
    wanted = 'CUDAExecutionProvider' if device.startswith('cuda') else ''
    known = onnxruntime.get_available_providers()
    if wanted and wanted not in known:
        raise ValueError(
            f'ONNX Runtime cannot use {device} here: pip install onnxruntime-gpu, or '
            'choose the CPU'
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # as PyTorch does; 0 is its own choice, all cores
    threads = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]
    options.intra_op_num_threads = int(threads or 0)
    providers = [wanted, 'CPUExecutionProvider'] if wanted else ['CPUExecutionProvider']
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime has no common base for its errors
        reason = ' '.join(str(error).split())
        raise ValueError(f'{path} is no readable ONNX model: {reason:.200}') from error


class OnnxDetector:
    """A detector whose outputs are boxes with scores (B, N, 5) and labels (B, N).

    Args:
        path (str | Path): The ONNX file.
        device (str): 'cpu' or 'cuda'.
        min_score (float): Boxes below are left out. Defaults to 0.3.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such detector.
    """

    def __init__(
        self, path: str | Path, device: str = 'cpu', min_score: float = 0.3
    ) -> None:
        self.name = Path(path).stem
        self.identity = identify(self.name, path, min_score=min_score)
        self.min_score = min_score
        self._session = open_session(path, device)
        outputs = [output.name for output in self._session.get_outputs()]
        if not {'dets', 'labels'} <= set(outputs):
            raise ValueError(
                f'{path} is no detector that mmhot knows: it gives '
                f'{", ".join(outputs)}, not dets and labels'
            )
        (entry,) = self._session.get_inputs()
        self._input = entry.name
        sides = entry.shape[2:]
        self._height, self._width = (
            side if isinstance(side, int) else _DETECTION_SIZE for side in sides
        )

    def __call__(self, images: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (P, 4), xyxy pixels, and scores (P,) of each BGR image."""
        # MMDeploy's non-maximum suppression takes one image, whatever the file says
        return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        prepared, zoom = self._prepare(image)
        inputs = {self._input: prepared[None]}
        (boxes,), (labels,) = self._session.run(['dets', 'labels'], inputs)
        boxes = boxes[(labels == _PERSON) & (boxes[:, 4] >= self.min_score)]
        height, width = image.shape[:2]
        corners = (boxes[:, :4] / zoom).clip(0, [width, height, width, height])
        return corners.astype(np.float32), boxes[:, 4]

    def _prepare(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """Shrink to fit, gray to the right and below; (3, H, W) and the factor."""
        height, width = image.shape[:2]
        zoom = min(self._height / height, self._width / width)
        size = (max(round(width * zoom), 1), max(round(height * zoom), 1))
        canvas = np.full((self._height, self._width, 3), _GRAY, np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(image, size)
        # these detectors were trained on BGR
        normal = (canvas - _MEAN[::-1]) / _STD[::-1]
        return normal.transpose(2, 0, 1).astype(np.float32), zoom


class OnnxPoseEstimator:
    """A top-down pose model, of the kind that its outputs show.

    Args:
        path (str | Path): The ONNX file.
        device (str): 'cpu' or 'cuda'.
        batch_size (int): People at once, where the model lets. Defaults to 32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such model, or of unknown keypoints.
    """

    def __init__(
        self, path: str | Path, device: str = 'cpu', batch_size: int = 32
    ) -> None:
        self.name = Path(path).stem
        self.identity = identify(self.name, path)
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
                f'{path} is no pose model that mmhot knows: input {shape}, outputs '
                f'{shapes}; SimCC, heatmaps or MoveNet expected'
            )
        self._height, self._width = sides
        self._integers = 'int' in entry.type
        self._batch = shape[0] if isinstance(shape[0], int) else batch_size
        num_keypoints = shapes[0][-2] if self._points else shapes[0][1]
        if num_keypoints not in _SKELETONS:
            raise ValueError(
                f'{path} has {num_keypoints} keypoints; known are '
                f'{", ".join(map(str, _SKELETONS))}'
            )
        self.skeleton = _SKELETONS[num_keypoints]
        self.num_keypoints = num_keypoints

    def __call__(
        self, images: list[np.ndarray], boxes: list[np.ndarray]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints (P, K, 2) and scores (P, K) for the boxes (P, 4) of each image."""
        crops, matrices = [], []
        for image, of_image in zip(images, boxes, strict=True):
            for box in of_image:
                crop, matrix = self._crop(image, box)
                crops.append(crop)
                matrices.append(matrix)
        points = [
            decoded
            for start in range(0, len(crops), self._batch)
            for decoded in self._run(crops[start : start + self._batch])
        ]
        people = [
            (unmap_points(matrix, keypoints), scores)
            for matrix, (keypoints, scores) in zip(matrices, points, strict=True)
        ]
        found, first = [], 0
        for of_image in boxes:
            own = people[first : first + len(of_image)]
            first += len(of_image)
            found.append(_stack(own, self.num_keypoints))
        return found

    def _crop(
        self, image: np.ndarray, box: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        size = (self._width, self._height)
        matrix = crop_matrix(box, size)
        crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)[..., ::-1]
        if self._points:
            return crop, matrix
        return ((crop - _MEAN) / _STD).transpose(2, 0, 1), matrix

    def _run(self, crops: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints (K, 2) in pixels of the crop and scores (K,), of each crop."""
        batch = np.stack(crops).astype(np.int32 if self._integers else np.float32)
        outputs = self._session.run(self._outputs, {self._input: batch})
        if self._points:
            return [self._decode_points(each) for each in outputs[0]]
        if len(outputs) == 2:
            return [self._decode_simcc(x, y) for x, y in zip(*outputs, strict=True)]
        return [self._decode_heatmaps(each) for each in outputs[0]]

    def _decode_points(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """MoveNet's y, x and score, (1, K, 3), in parts of the picture."""
        y, x, scores = points.reshape(-1, 3).T
        return np.stack([x * self._width, y * self._height], -1), scores

    def _decode_simcc(
        self, x: np.ndarray, y: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (K, bins) along each axis."""
        places = np.stack([x.argmax(-1), y.argmax(-1)], -1).astype(np.float64)
        size = np.array([self._width, self._height])
        places *= size / (x.shape[-1], y.shape[-1])
        return places, np.minimum(x.max(-1), y.max(-1)).clip(0, 1)

    def _decode_heatmaps(self, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heatmaps (K, h, w); a quarter of a cell towards the higher neighbor."""
        num_keypoints, height, width = heatmaps.shape
        flat = heatmaps.reshape(num_keypoints, -1).argmax(-1)
        row, column = np.divmod(flat, width)
        padded = np.pad(heatmaps, ((0, 0), (1, 1), (1, 1)), mode='edge')
        joint = np.arange(num_keypoints)
        right = padded[joint, row + 1, column + 2] - padded[joint, row + 1, column]
        below = padded[joint, row + 2, column + 1] - padded[joint, row, column + 1]
        places = np.stack([column, row], -1) + 0.25 * np.sign([right, below]).T
        scale = np.array([self._width / width, self._height / height])
        return places * scale, heatmaps.max((1, 2)).clip(0, 1)


# Numbers of axes of the outputs: SimCC's two, heatmaps or MoveNet's one.
_LAYOUTS = ([3, 3], [4])


def _stack(
    people: list[tuple[np.ndarray, np.ndarray]], num_keypoints: int
) -> tuple[np.ndarray, np.ndarray]:
    """Arrays of the people of one image, nobody included."""
    keypoints = [keypoints for keypoints, _ in people]
    scores = [scores for _, scores in people]
    return (
        np.array(keypoints, np.float32).reshape(-1, num_keypoints, 2),
        np.array(scores, np.float32).reshape(-1, num_keypoints),
    )
