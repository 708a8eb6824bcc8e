"""Stand-in for MMCV's compiled operators (``mmcv._ext``), on top of torchvision.

``mmcv-lite`` has the Python sources of :mod:`mmcv.ops` without the compiled module. The
functions have the signatures that those sources call, and return what MMCV 2.1.0
returns up to rounding. Operators that torchvision lacks raise an error when called.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch
import torchvision
from torch import Tensor

from mmhot.compat import mmcv_sampling

_NAIVE, _LINEAR = 0, 1


def get_compiler_version() -> str:
    """Describe the compiler in environment logs."""
    return f'none, operators of torchvision {torchvision.__version__}'


def get_compiling_cuda_version() -> str:
    """Return what MMCV returns when compiled without CUDA."""
    return 'not available'


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap one with a higher score.

    Args:
        boxes (Tensor): x1, y1, x2, y2, (N, 4).
        scores (Tensor): (N,).
        iou_threshold (float): Boxes with a larger IoU are suppressed.
        offset (int): 1 if x2 and y2 are inclusive, 0 otherwise.

    Returns:
        Tensor: Indices of the kept boxes, highest score first, (M,) int64.
    """
    # Ranks instead of scores: equal scores stay in the order of MMCV's sort.
    order = scores.sort(0, descending=True).indices
    rank = torch.arange(len(order), 0, -1, device=boxes.device, dtype=torch.float32)
    sides = torch.tensor([0, 0, offset, offset], device=boxes.device)
    # MMCV compares in single precision, where 3/5 is not more than 0.6.
    threshold = float(np.float32(iou_threshold))
    kept = torchvision.ops.nms(boxes.float()[order] + sides, rank, threshold)
    return order[kept]


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes that overlap one with a higher score.

    Ties are broken as in MMCV: a removed box is replaced by the last one.

    Args:
        boxes (Tensor): x1, y1, x2, y2, (N, 4), on the CPU.
        scores (Tensor): (N,), on the CPU.
        dets (Tensor): Output: boxes and lowered scores in the first rows, (N, 5).
        iou_threshold (float): Smallest IoU that ``naive`` and ``linear`` suppress.
        sigma (float): Width of ``gaussian``.
        min_score (float): Boxes with lower scores are removed.
        method (int): 0 for ``naive``, 1 for ``linear``, 2 for ``gaussian``.
        offset (int): See :func:`nms`.

    Returns:
        Tensor: Indices of the remaining boxes, highest score first, (M,) int64.
    """
    corners = boxes.detach().float().numpy()
    score = scores.detach().float().numpy().copy()
    areas = np.prod(corners[:, 2:] - corners[:, :2] + offset, axis=-1)
    rest, kept, final = np.arange(len(corners)), [], []
    while len(rest):
        highest = score[rest].argmax()
        best = rest[highest]
        rest[highest] = rest[0]
        rest = rest[1:]
        kept.append(best)
        final.append(score[best])
        low = np.maximum(corners[best, :2], corners[rest, :2])
        high = np.minimum(corners[best, 2:], corners[rest, 2:])
        inter = np.prod((high - low + offset).clip(0), axis=-1)
        iou = inter / (areas[best] + areas[rest] - inter)
        score[rest] *= _decay(iou, iou_threshold, sigma, method)
        rest = _remove(rest, score[rest] >= min_score)
    if kept:
        rows = np.concatenate([corners[kept], np.asarray(final)[:, None]], axis=-1)
        dets[: len(kept)] = torch.from_numpy(rows)
    return torch.tensor(kept, dtype=torch.long)


def _decay(iou: np.ndarray, threshold: float, sigma: float, method: int) -> np.ndarray:
    if method == _NAIVE:
        return np.where(iou >= threshold, 0, 1).astype(iou.dtype)
    if method == _LINEAR:
        return np.where(iou >= threshold, 1 - iou, 1).astype(iou.dtype)
    return np.exp(-(iou**2) / sigma).astype(iou.dtype)


def _remove(rest: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Replace removed entries by the last remaining ones."""
    count = keep.sum()
    filled = rest[:count].copy()
    filled[~keep[:count]] = rest[count:][keep[count:]][::-1]
    return filled


OPERATORS: dict[str, Callable] = {
    operator.__name__: operator
    for operator in (
        get_compiler_version,
        get_compiling_cuda_version,
        nms,
        softnms,
        mmcv_sampling.roi_align_forward,
        mmcv_sampling.roi_align_backward,
        mmcv_sampling.deform_conv_forward,
        mmcv_sampling.deform_conv_backward_input,
        mmcv_sampling.deform_conv_backward_parameters,
        mmcv_sampling.modulated_deform_conv_forward,
        mmcv_sampling.modulated_deform_conv_backward,
        mmcv_sampling.ms_deform_attn_forward,
        mmcv_sampling.ms_deform_attn_backward,
    )
}


def find_operator(name: str) -> Callable:
    """Return an operator of ``mmcv._ext``, or a function that raises an error."""
    if name.startswith('_'):
        raise AttributeError(f'mmcv._ext has no attribute {name!r}')

    def missing(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(mmcv_sampling.explain_missing(name))

    return OPERATORS.get(name, missing)
