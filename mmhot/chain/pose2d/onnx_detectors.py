"""ONNX models of whole images: person detectors, and one-stage 2D pose models."""

from pathlib import Path

import cv2
import numpy as np

from mmhot.chain.pose2d.interfaces import BoxArrays, Detector, Images, PoseEstimator
from mmhot.chain.pose2d.onnx_formats import IMAGENET_BGR, RAW_BGR, OnnxFile, normalize
from mmhot.chain.pose2d.onnx_models import ONE_STAGE
from mmhot.errors import naming
from mmhot.structures.people import Boxes, People, Pose, box_iou, match_boxes

_GRAY = (114, 114, 114)  # color of margins
_PERSON = 0  # label of people
_STRIDE = 32  # pixels; exported detectors need sides that are multiples of this
# Intersection over union of a box with the box of a pose, from which both are the same
# person. Higher values leave more boxes without a pose.
_SAME_PERSON = 0.3
_SIZE = 320  # pixels; longer side of the input if the file leaves it open (RTMDet-nano)
_RAW_SIZE = 640  # pixels; the same for models that do not normalize images
_YOLOX = 'yolox'  # detectors with this in their name do not normalize images


class OnnxDetector(Detector):
    """Detect people with a model that has one of two kinds of outputs.

    * ``dets``, boxes and scores (B, N, 5), and ``labels`` (B, N): MMDeploy's exports of
      RTMDet, YOLOX and others, and files of ``mmhot export``, which state the longer
      side of their input and how images are resized;
    * ``dets`` and ``keypoints`` (B, N, K, 3): one-stage pose models such as RTMO.

    Images are normalized as ``pipeline.json`` beside the file says. Without this file,
    they are not normalized for RTMO and YOLOX (recognized by name), and normalized as
    for RTMDet otherwise.

    Args:
        path (str | Path): The ONNX file.
        device (str): 'cpu' or 'cuda'.
        min_score (float): Least score of boxes. Defaults to 0.3.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its inputs or outputs are not supported.
    """

    def __init__(
        self, path: str | Path, device: str = 'cpu', min_score: float = 0.3
    ) -> None:
        self.file = file = OnnxFile(path, device)
        self.path = file.path
        self.name = file.name
        self.min_score = min_score
        self.identity = file.identify(min_score=min_score)
        self.has_poses = file.outputs.keys() >= ONE_STAGE
        self._outputs = ['dets', 'keypoints' if self.has_poses else 'labels']
        dets, other = (file.outputs.get(name) for name in self._outputs)
        if (
            dets is None
            or other is None
            or dets[-1:] == [4]  # RF-DETR's outputs
            or (self.has_poses and len(other) != 4)
        ):
            raise ValueError(
                f'{path} is not a supported detector: its outputs are {file.outputs}, '
                'not dets (B, N, 5), and labels (B, N) or keypoints (B, N, K, 3)'
            )
        if not file.is_image:
            raise ValueError(
                f'{path} has an input of shape {file.input.shape}: images (B, 3, H, W) '
                'are expected'
            )
        is_raw = self.has_poses or _YOLOX in self.name.lower()
        self._colors = file.pipeline.colors or (RAW_BGR if is_raw else IMAGENET_BGR)
        self._resize = file.meta.get('resize', {})  # empty unless exported by mmhot
        side = self._resize.get('longer_side', _RAW_SIZE if is_raw else _SIZE)
        self.size = file.input_size(side)
        is_area = self._resize.get('interpolation') == 'area'
        self._interpolation = cv2.INTER_AREA if is_area else cv2.INTER_LINEAR
        self._last: dict[tuple, People] = {}

    def __call__(self, images: Images) -> list[Boxes]:
        """Detect the people in BGR images (H, W, 3)."""
        found = [x.take(x.bbox_scores >= self.min_score) for x in self.find(images)]
        return [(people.bboxes, people.bbox_scores) for people in found]

    def find(self, images: Images) -> list[People]:
        """Find people with any score, and K keypoints if the model estimates poses.

        With poses, images with the content of the last call are not processed again.
        """
        # MMDeploy's NMS supports one image, even where the file declares a batch.
        if not self.has_poses:
            return [self._find(image) for image in images]
        # Results are kept by content, as cameras refill the same array.
        contents = [(image.shape, image.tobytes()) for image in images]
        self._last = {
            content: self._last.get(content) or self._find(image)
            for content, image in zip(contents, images, strict=True)
        }
        return [self._last[content] for content in contents]

    def _find(self, image: np.ndarray) -> People:
        """Find the people of an image (H, W, 3)."""
        batch, zoom = self._prepare(image)
        dets, other = self.file.run(batch, self._outputs)
        with naming(self.path):  # raised for shapes that the file leaves open
            scores = dets[0, :, 4]
            if self.has_poses:  # all are people; boxes without a score are padding
                rows = scores > 0
                poses = other[0, rows] / (*zoom, 1)
            else:
                rows = other[0] == _PERSON
                poses = np.zeros((rows.sum(), 0, 3))
            boxes = dets[0, rows, :4] / np.tile(zoom, 2)
            boxes = boxes.clip(0, image.shape[1::-1] * 2).astype(np.float32)
            return People(boxes, scores[rows], poses[..., :2], poses[..., 2])

    def _prepare(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Resize an image, and pad it at the right and bottom.

        Returns the planes (1, 3, H, W), and the scales (2,) of x and y.
        """
        height, width = image.shape[:2]
        padded = self.size
        zoom = min(padded[1] / height, padded[0] / width)
        size = (max(round(width * zoom), 1), max(round(height * zoom), 1))
        if self._resize:
            padded = tuple(-(-side // _STRIDE) * _STRIDE for side in size)
        small = cv2.resize(image, size, interpolation=self._interpolation)
        borders = 0, padded[1] - size[1], 0, padded[0] - size[0]
        canvas = cv2.copyMakeBorder(small, *borders, cv2.BORDER_CONSTANT, value=_GRAY)
        return normalize([canvas], self._colors), np.array(size) / (width, height)


class OneStageEstimator(PoseEstimator):
    """Estimate the poses of all people in an image at once, with RTMO for example.

    Each box gets the pose with the most overlapping box of its own. Where no pose
    overlaps, keypoints are NaN and scores 0.

    The same model is the ``detector``, and runs once for both.

    Args:
        path, device, skeleton: As for
            :class:`~mmhot.chain.pose2d.onnx_models.OnnxPoseEstimator`.
        min_score (float): Least score of the detector's boxes.
    """

    def __init__(
        self, path: str | Path, device: str, skeleton: str | None, min_score: float
    ) -> None:
        self.detector = OnnxDetector(path, device, min_score)
        self.name = self.detector.name
        file = self.detector.file
        shapes = file.output_shapes(self.detector.size)
        self._num_keypoints = next(shape for shape in shapes if len(shape) == 4)[2]
        self.skeleton = file.find_skeleton(self._num_keypoints, skeleton).name
        self.identity = {**self.detector.identity, 'skeleton': self.skeleton}

    def __call__(self, images: Images, boxes: BoxArrays) -> list[Pose]:
        """Estimate the poses in boxes (P, 4) of each BGR image."""
        found = self.detector.find(images)
        return [self._match(*pair) for pair in zip(boxes, found, strict=True)]

    def _match(self, boxes: np.ndarray, people: People) -> Pose:
        """Assign to each box (P, 4) the pose with the most overlapping box."""
        keypoints = np.full((len(boxes), self._num_keypoints, 2), np.nan, np.float32)
        scores = np.zeros((len(boxes), self._num_keypoints), np.float32)
        overlap = box_iou(boxes[:, None], people.bboxes)
        rows, columns = match_boxes(overlap, _SAME_PERSON)
        keypoints[rows] = people.keypoints[columns]
        scores[rows] = people.scores[columns]
        return keypoints, scores
