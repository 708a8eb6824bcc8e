"""Exported models in 16-bit floats or 8-bit integers, and the accuracy that is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmhot.structures.crops import find_peaks
from mmhot.video.people import box_iou

PRECISIONS = ('float32', 'float16', 'int8')
MAX_LOSS = {'pose2d': 1.0, 'lifter': 5.0, 'detector': 5.0}
"""Mean losses that are accepted: pixels, millimeters, and percent of overlap."""
_QUANTIZED = ('MatMul', 'Gemm', 'Conv')
# Boxes of the 32-bit model that are compared, by their score, and those of the other.
_MIN_SCORE, _MIN_FOUND = 0.3, 0.15
_PREPARED = 'onnx.quant.pre_process'


class Loss(NamedTuple):
    """Difference of a model's results from those in 32-bit floats.

    Attributes:
        mean (float): Mean over keypoints, joints or boxes.
        high (float): What 95 % do not exceed.
        unit (str): Unit of both.
    """

    mean: float
    high: float
    unit: str

    def __str__(self) -> str:
        return f'{self.mean:.3g} {self.unit} on average, 95 % within {self.high:.3g}'


def convert_precision(
    source: Path,
    target: Path,
    precision: str,
    input_name: str,
    calibration: np.ndarray,
) -> None:
    """Convert a file of 32-bit floats; inputs and outputs keep their type.

    Args:
        source (Path): The file.
        target (Path): File to write.
        precision (str): 'float16', or 'int8': weights and activations of matrix
            products and convolutions, the latter in ranges of the calibration.
        input_name (str): Name of the input.
        calibration (np.ndarray): Real inputs, (N, ...).
    """
    import onnx

    model = onnx.load(source)
    metadata = {each.key: each.value for each in model.metadata_props}
    if precision == 'float16':
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = convert_float_to_float16(model, keep_io_types=True)
    else:
        _quantize(model, target, input_name, calibration)
        model = onnx.load(target)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**metadata, 'precision': precision})
    onnx.save(model, target)


def _quantize(
    model: object, target: Path, input_name: str, calibration: np.ndarray
) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._inputs: Iterator[np.ndarray] = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray] | None:
            sample = next(self._inputs, None)
            return None if sample is None else {input_name: sample[None]}

    model = onnx.shape_inference.infer_shapes(model)
    # otherwise a warning asks for it
    onnx.helper.set_model_props(model, {_PREPARED: 'onnxruntime.quant'})
    quantize_static(
        model,
        str(target),
        Reader(),
        per_channel=True,
        op_types_to_quantize=list(_QUANTIZED),
    )


def measure_loss(
    meta: dict, found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]
) -> Loss:
    """Compare the outputs of two models.

    Args:
        meta (dict): Content of ``meta.json``.
        found (dict): Outputs by name, (B, ...).
        wanted (dict): Those of 32-bit floats.

    Returns:
        Loss: Distance of keypoints in pixels of the crop or of joints in millimeters,
        or share of boxes that does not overlap, in percent; 100 for missing ones.
    """
    if meta['kind'] == 'detector':
        differences = _box_differences(found['dets'], wanted['dets'])
        unit = '% of box overlap'
    elif meta['kind'] == 'pose2d':
        size = np.array(meta['crop']['size'])
        smoothing = meta['codec'].get('smoothing', 0)
        places = [_places(each, smoothing) * size for each in (found, wanted)]
        differences, unit = np.linalg.norm(places[0] - places[1], axis=-1), 'px of crop'
    else:
        distances = np.linalg.norm(found['poses'] - wanted['poses'], axis=-1)
        is_metric = meta['codec']['type'] != 'ImageSpacePoseLifting'
        unit = 'mm' if is_metric else 'thousandths of half a width'
        differences = 1000 * distances
    return Loss(float(differences.mean()), float(np.quantile(differences, 0.95)), unit)


def _places(outputs: dict[str, np.ndarray], smoothing: float) -> np.ndarray:
    """Return the highest values' places (B, K, 2), as shares of width and height."""
    if 'heatmaps' in outputs:
        maps = outputs['heatmaps']
        axes = maps.max(-2), maps.max(-1)
    else:
        axes = outputs['simcc_x'], outputs['simcc_y']
    return np.stack([find_peaks(each, smoothing) / each.shape[-1] for each in axes], -1)


def _box_differences(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return percentages that do not overlap, of the boxes with high scores."""
    differences = []
    for own, others in zip(wanted, found, strict=True):
        own, others = own[own[:, 4] >= _MIN_SCORE], others[others[:, 4] >= _MIN_FOUND]
        overlap = box_iou(own[:, None, :4], others[None, :, :4]).max(1, initial=0)
        differences.append(100 * (1 - overlap))
    # without any box nothing is lost
    return np.concatenate(differences) if any(map(len, differences)) else np.zeros(1)
