"""What ONNX files state of their models, normalization of images, and decoders."""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from mmhot.errors import naming
from mmhot.io.arrays import load_json
from mmhot.skeletons.joints import SKELETONS, Skeleton, get_skeleton, skeletons_by_count
from mmhot.structures.crops import IMAGE_MEAN, IMAGE_STD, find_peaks
from mmhot.weights.hub import MODEL_FILE, PIPELINE_FILE, SDK_FILE

_LOGGER = logging.getLogger(__name__)

# Metadata of ONNX files: name of the skeleton, or names of its joints.
_SKELETON_KEYS = ('skeleton', 'dataset_name')
_JOINT_KEYS = ('joint_names', 'keypoint_names', 'keypoints')
# Steps of pipeline.json state the size of the input, width first, under these names.
_SIZES = ('input_size', 'image_size', 'size')
# Kernel of the blur before heatmaps are refined, for Gaussians of two cells.
_BLUR = (11, 11)
_YOLOX_STRIDES = (8, 16, 32)
# Logarithms of sizes in strides are lower; among sizes in pixels some are higher.
_MAX_LOG_SIZE = 10


class Colors(NamedTuple):
    """A network's planes: channels of a BGR image, with their means and deviations."""

    channels: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET_RGB = Colors((2, 1, 0), IMAGE_MEAN, IMAGE_STD)
IMAGENET_BGR = Colors((0, 1, 2), IMAGE_MEAN[::-1], IMAGE_STD[::-1])
RAW_BGR = Colors((0, 1, 2), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Pipeline(NamedTuple):
    """What ``pipeline.json`` of MMDeploy's SDK states; None of all else.

    Attributes:
        colors (Colors, optional): Normalization.
        size (tuple[int, int], optional): Width and height of the input.
        padding (float, optional): Factor by which boxes are enlarged.
        udp (bool, optional): Whether heatmaps are those of UDP.
    """

    colors: Colors | None = None
    size: tuple[int, int] | None = None
    padding: float | None = None
    udp: bool | None = None


def read_pipeline(model: Path) -> Pipeline:
    """Read ``pipeline.json`` beside a model, if there is one.

    Raises:
        ValueError: If it is not one of MMDeploy's SDK.
    """
    path = model.with_name(PIPELINE_FILE)
    if not path.is_file():
        return Pipeline()
    with naming(path):
        tasks = load_json(path)['pipeline']['tasks']
        steps = [step for task in tasks for step in task.get('transforms', [])]
        # decoders first: the sizes of crops are those of other models in some files
        steps = [task['params'] for task in tasks if 'params' in task] + steps
        sizes = (step[key] for key in _SIZES for step in steps if key in step)
        size = next(sizes, None)
        by_type = {step.get('type'): step for step in steps}
        return Pipeline(
            _read_colors(by_type.get('Normalize')),
            size and (int(size[0]), int(size[1])),
            by_type.get('TopDownGetBboxCenterScale', {}).get('padding'),
            any(
                step.get('use_udp') or 'UDP' in str(step.get('type')) for step in steps
            ),
        )


def _read_colors(step: dict[str, Any] | None) -> Colors:
    """Read the normalization of a step; the network takes raw images without one."""
    if step is None:
        return RAW_BGR
    mean, std = np.array([step['mean'], step['std']], np.float64)
    if mean.shape != (3,) or not np.isfinite([mean, std]).all() or std.min() <= 0:
        raise ValueError(
            f'mean {mean} and std {std} must be three numbers, std above 0'
        )
    order = IMAGENET_RGB if step.get('to_rgb') else IMAGENET_BGR
    return Colors(order.channels, tuple(mean.tolist()), tuple(std.tolist()))


def name_model(path: Path) -> str:
    """Return the name of a model's file, or of its folder if all are named so."""
    path = path.absolute()
    return path.parent.name if path.name in (MODEL_FILE, SDK_FILE) else path.stem


def find_skeleton(
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


def normalize(images: list[np.ndarray], colors: Colors) -> np.ndarray:
    """Normalize BGR images (H, W, 3) to planes (B, 3, H, W)."""
    batch = np.empty((len(images), 3, *images[0].shape[:2]), np.float32)
    # one plane after the other: ten times as fast as all at once
    for planes, image in zip(batch, images, strict=True):
        for plane, channel, mean, std in zip(planes, *colors, strict=True):
            values = image[..., channel]
            np.subtract(values, np.float32(mean), out=plane, dtype=np.float32)
            plane /= np.float32(std)
    return batch


def output_shapes(session: Any, size: tuple[int, int]) -> list[tuple[int, ...]]:
    """Return the shapes of outputs, of one image where the file leaves them open."""
    shapes = [tuple(output.shape) for output in session.get_outputs()]
    if all(isinstance(side, int) for shape in shapes for side in shape[1:]):
        return shapes
    (entry,) = session.get_inputs()
    zeros = np.zeros((1, 3, *size[::-1]), np.float32)
    return [output.shape for output in session.run(None, {entry.name: zeros})]


def decode_points(points: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, ...]:
    """Decode MoveNet's y, x and score, (1, K, 3), shares of a crop's size (2,)."""
    y, x, scores = points.reshape(-1, 3).T
    return np.stack([x, y], -1) * size, scores


def decode_simcc(
    x: np.ndarray, y: np.ndarray, size: np.ndarray, smoothing: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Decode SimCC's vectors (K, bins) along both axes of a crop, as GTPTLabel does."""
    positions = np.stack([find_peaks(axis, smoothing) for axis in (x, y)], -1)
    positions = positions * size / (x.shape[-1], y.shape[-1])
    return positions, np.minimum(x.max(-1), y.max(-1)).clip(0, 1)


def decode_heatmaps(
    heatmaps: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps (K, h, w), a quarter cell towards the higher neighbor."""
    joint, row, column, padded = _find_peaks(heatmaps)
    right = padded[joint, row, column + 1] - padded[joint, row, column - 1]
    below = padded[joint, row + 1, column] - padded[joint, row - 1, column]
    positions = np.stack([column, row], -1) - 1 + 0.25 * np.sign([right, below]).T
    return positions * size / heatmaps.shape[:0:-1], heatmaps.max((1, 2)).clip(0, 1)


def decode_udp_heatmaps(
    heatmaps: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps (K, h, w) whose corner cells are the corner pixels of a crop.

    Peaks are refined by the Taylor expansion of the blurred heatmap's logarithm, as in
    Zhang et al., Distribution-Aware Coordinate Representation (DARK), CVPR 2020, and
    Huang et al., Unbiased Data Processing (UDP), CVPR 2020.
    """
    joint, row, column, _ = _find_peaks(heatmaps)
    border = dict(borderType=cv2.BORDER_CONSTANT)
    blurred = np.stack([cv2.GaussianBlur(own, _BLUR, 0, **border) for own in heatmaps])
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


def decode_yolox(
    rows: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode YOLOX's output (N, 5 + classes) to boxes (N, 4), scores and labels (N,).

    Sizes are logarithms in strides, and centers relative to cells, unless the export
    has decoded both.
    """
    centers, sizes = rows[:, :2], rows[:, 2:4]
    if sizes.max() < _MAX_LOG_SIZE:
        width, height = size
        axes = [(np.arange(width // s), np.arange(height // s)) for s in _YOLOX_STRIDES]
        grids = [np.stack(np.meshgrid(*own), -1).reshape(-1, 2) for own in axes]
        strides = np.repeat(_YOLOX_STRIDES, [len(grid) for grid in grids])[:, None]
        if len(strides) != len(rows):
            raise ValueError(
                f'{len(rows)} boxes, but {width}x{height} pixels have {len(strides)} '
                f'cells of YOLOX'
            )
        centers = (centers + np.concatenate(grids)) * strides
        sizes = np.exp(sizes) * strides
    boxes = np.concatenate([centers - sizes / 2, centers + sizes / 2], 1)
    classes = rows[:, 5:]
    return boxes, rows[:, 4] * classes.max(1), classes.argmax(1)
