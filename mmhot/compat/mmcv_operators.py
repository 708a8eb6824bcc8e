"""Stand-in for MMCV's compiled operators (``mmcv._ext``), on top of torchvision.

``mmcv-lite`` has the Python part of :mod:`mmcv.ops` without the compiled one. The
functions here have the arguments of MMCV 2.1.0 and its results up to rounding. They are
enough for inference of RTMDet, Faster R-CNN and others; the other operators raise an
error when they are called.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch
import torchvision
from torch import Tensor

from mmhot.errors import pip

_AVERAGE_POOLING = 1
_NEEDS = (
    'needs compiled MMCV: replace mmcv-lite by it: '
    f'{pip("uninstall", "-y", "mmcv-lite")} && {pip("install", "mmcv==2.1.0")} '
    '(needs a C++ compiler; see docs/installation.md)'
)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap one with a higher score by more than a threshold.

    Args:
        boxes (Tensor): Corners x1, y1, x2, y2, (N, 4).
        scores (Tensor): Scores, (N,).
        iou_threshold (float): Largest accepted overlap (IoU).
        offset (int): 1 if x2 and y2 are inclusive, else 0.

    Returns:
        Tensor: Indices of the kept boxes, highest score first, (M,), int64.
    """
    # torchvision gets ranks, so that equal scores stay in the order of MMCV's sort.
    order = scores.sort(0, descending=True).indices
    rank = torch.arange(len(order), 0, -1, device=boxes.device, dtype=torch.float32)
    sides = torch.tensor([0, 0, offset, offset], device=boxes.device)
    # MMCV compares in single precision, where 3/5 is not more than 0.6.
    threshold = float(np.float32(iou_threshold))
    return order[torchvision.ops.nms(boxes.float()[order] + sides, rank, threshold)]


def roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, *_: Tensor, **settings: Any
) -> None:
    """Average the features in regions.

    Args:
        input (Tensor): Feature maps, (B, C, H, W).
        rois (Tensor): Index in the batch and corners x1, y1, x2, y2, (R, 5).
        output (Tensor): Receives the averages, (R, C, h, w).
        **settings: Settings of MMCV's operator.

    Raises:
        RuntimeError: If the largest features are wanted, not their average.
    """
    if settings['pool_mode'] != _AVERAGE_POOLING:
        raise RuntimeError(f"roi_align with pool_mode='max' {_NEEDS}")
    size = settings['aligned_height'], settings['aligned_width']
    names = ('spatial_scale', 'sampling_ratio', 'aligned')
    output.copy_(
        torchvision.ops.roi_align(input, rois, size, *map(settings.get, names))
    )


OPERATORS: dict[str, Callable] = {
    # MMEngine logs these versions.
    'get_compiler_version': lambda: f'none, torchvision {torchvision.__version__}',
    'get_compiling_cuda_version': lambda: 'not available',
    'nms': nms,
    'roi_align_forward': roi_align_forward,
}


def find_operator(name: str) -> Callable:
    """Return an operator of ``mmcv._ext``, or a function that raises an error."""
    if name.startswith('_'):
        raise AttributeError(f'mmcv._ext has no attribute {name!r}')

    def missing(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f'{name} {_NEEDS}')

    return OPERATORS.get(name, missing)
