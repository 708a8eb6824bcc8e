"""Stand-in for MMCV's compiled operators (``mmcv._ext``), over torchvision.

``mmcv-lite`` has the Python sources of :mod:`mmcv.ops` and no compiled module. This one
has the signatures by which those sources call it. Operators that torchvision does not
have raise an error when they are called.
"""

import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import torchvision
from torch import Tensor

_HOW = (
    'replace mmcv-lite by it: pip uninstall -y mmcv-lite && pip install mmcv==2.1.0 '
    '(needs a C++ compiler; see docs/installation.md)'
)
_NAIVE, _LINEAR = 0, 1


def mmcv_kind() -> str:
    """Describe the installed MMCV by its files, for people; nothing is imported."""
    for name in ('mmcv', 'mmcv-lite'):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        spec = importlib.util.find_spec('mmcv')
        folders = (spec and spec.submodule_search_locations) or ()
        compiled = any(list(Path(folder).glob('_ext.*')) for folder in folders)
        operators = 'compiled' if compiled else 'no compiled operators'
        return f'{name} {version} ({operators})'
    return 'no MMCV'


def missing(name: str) -> Callable[..., NoReturn]:
    """Return a function that raises the error of an operator that is not provided.

    Args:
        name (str): The operator in ``mmcv._ext``.
    """

    def operator(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(f'{name} needs compiled MMCV: {_HOW}')

    return operator


def get_compiler_version() -> str:
    """Answer for MMEngine's description of the environment."""
    return 'not compiled'


def get_compiling_cuda_version() -> str:
    """Answer for MMEngine's description of the environment."""
    return 'not compiled'


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap one with a higher score.

    Args:
        boxes (Tensor): x1, y1, x2, y2, (N, 4).
        scores (Tensor): (N,).
        iou_threshold (float): Boxes with a larger IoU are suppressed.
        offset (int): 1 if x2 and y2 are a box's last pixels, 0 if its border.

    Returns:
        Tensor: Indices of the kept boxes, highest score first, (M,) int64.
    """
    if not len(boxes):
        return boxes.new_zeros(0, dtype=torch.long)
    upper = boxes.new_tensor([0, 0, offset, offset])
    return torchvision.ops.nms(boxes + upper, scores, iou_threshold)


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

    Ties are decided as MMCV decides them: a box that drops out is replaced by the last.

    Args:
        boxes (Tensor): x1, y1, x2, y2, (N, 4), on the CPU.
        scores (Tensor): (N,), on the CPU.
        dets (Tensor): Receives boxes and lowered scores in the first rows, (N, 5).
        iou_threshold (float): Where ``naive`` and ``linear`` begin.
        sigma (float): Width of ``gaussian``.
        min_score (float): Boxes with lower scores drop out.
        method (int): 0 for ``naive``, 1 for ``linear``, 2 for ``gaussian``.
        offset (int): See :func:`nms`.

    Returns:
        Tensor: Indices of the remaining boxes, highest score first, (M,) int64.
    """
    corners, score = boxes.detach().numpy(), scores.detach().numpy().copy()
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
        rest = _drop(rest, score[rest] >= min_score)
    if kept:
        rows = np.concatenate([corners[kept], np.asarray(final)[:, None]], axis=-1)
        dets[: len(kept)] = torch.from_numpy(rows).to(dets)
    return torch.tensor(kept, dtype=torch.long)


def _decay(iou: np.ndarray, threshold: float, sigma: float, method: int) -> np.ndarray:
    if method == _NAIVE:
        return np.where(iou >= threshold, 0, 1).astype(iou.dtype)
    if method == _LINEAR:
        return np.where(iou >= threshold, 1 - iou, 1).astype(iou.dtype)
    return np.exp(-(iou**2) / sigma).astype(iou.dtype)


def _drop(rest: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """Fill the places of those that drop out with the last ones that stay."""
    count = stays.sum()
    filled = rest[:count].copy()
    filled[~stays[:count]] = rest[count:][stays[count:]][::-1]
    return filled


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool regions (R, 5) of a feature map into ``output`` (R, C, H, W)."""
    _require_average(pool_mode)
    size = (aligned_height, aligned_width)
    output.copy_(
        torchvision.ops.roi_align(
            input, rois, size, spatial_scale, sampling_ratio, aligned
        )
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient of :func:`roi_align_forward` to ``grad_input``."""
    _require_average(pool_mode)
    size = (aligned_height, aligned_width)
    with torch.enable_grad():
        features = torch.zeros_like(grad_input).requires_grad_()
        pooled = torchvision.ops.roi_align(
            features, rois, size, spatial_scale, sampling_ratio, aligned
        )
    grad_input += torch.autograd.grad(pooled, features, grad_output)[0]


def _require_average(pool_mode: int) -> None:
    if pool_mode != 1:
        missing("roi_align with pool_mode='max'")()


def _deform_conv(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    settings: dict[str, int],
    bias: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Call torchvision, which takes the groups from the shapes."""
    pairs = [
        (settings[rows], settings[columns])
        for rows, columns in (
            ('dH', 'dW'),
            ('padH', 'padW'),
            ('dilationH', 'dilationW'),
        )
    ]
    return torchvision.ops.deform_conv2d(input, offset, weight, bias, *pairs, mask=mask)


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **settings: int,
) -> None:
    """Convolve at shifted places into ``output``."""
    output.copy_(_deform_conv(input, offset, weight, settings))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **settings: int,
) -> None:
    """Add the gradients of the features and offsets."""
    with torch.enable_grad():
        leaves = [input.detach().requires_grad_(), offset.detach().requires_grad_()]
        output = _deform_conv(*leaves, weight.detach(), settings)
    gradients = torch.autograd.grad(output, leaves, grad_output)
    for buffer, gradient in zip((grad_input, grad_offset), gradients, strict=True):
        buffer += gradient


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float = 1,
    **settings: int,
) -> None:
    """Add ``scale`` times the gradient of the weights."""
    with torch.enable_grad():
        # of the weights' shape: their values do not matter
        weight = torch.zeros_like(grad_weight).requires_grad_()
        output = _deform_conv(input.detach(), offset.detach(), weight, settings)
    grad_weight += scale * torch.autograd.grad(output, weight, grad_output)[0]


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """Convolve at shifted, weighted places into ``output``."""
    own = bias if with_bias else None
    output.copy_(_deform_conv(input, offset, weight, _renamed(settings), own, mask))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **settings: int,
) -> None:
    """Add the gradients of all inputs."""
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() for x in (input, offset, weight, mask)]
        output = _deform_conv(*leaves[:3], _renamed(settings), mask=leaves[3])
    gradients = torch.autograd.grad(output, leaves, grad_output)
    buffers = (grad_input, grad_offset, grad_weight, grad_mask)
    for buffer, gradient in zip(buffers, gradients, strict=True):
        buffer += gradient
    if with_bias:
        grad_bias += grad_output.sum((0, 2, 3))


def _renamed(settings: dict[str, int]) -> dict[str, int]:
    """Name the settings of the modulated convolution as those of the plain one."""
    return {
        **{'dH': settings['stride_h'], 'dW': settings['stride_w']},
        **{'padH': settings['pad_h'], 'padW': settings['pad_w']},
        'dilationH': settings['dilation_h'],
        'dilationW': settings['dilation_w'],
    }
