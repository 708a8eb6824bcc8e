"""Stand-in for MMCV's compiled operators (``mmcv._ext``), on top of torchvision.

``mmcv-lite`` has the Python sources of :mod:`mmcv.ops` without the compiled module. The
functions take what those sources pass, and return what MMCV 2.1.0 returns up to
rounding: outputs are overwritten, gradients, computed by autograd with another forward
pass, are added. Operators that torchvision lacks raise an error when called.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
import torchvision
from torch import Tensor

_NAIVE, _LINEAR = 0, 1  # methods of soft NMS
_AVERAGE_POOLING = 1
_INSTALL = (
    'replace mmcv-lite by it: pip uninstall -y mmcv-lite && pip install mmcv==2.1.0 '
    '(needs a C++ compiler; see docs/installation.md)'
)


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


def explain_missing(name: str) -> str:
    """Explain how to install an operator that is not provided."""
    return f'{name} needs compiled MMCV: {_INSTALL}'


def roi_align_forward(
    input: Tensor, rois: Tensor, output: Tensor, *_: Tensor, **settings: Any
) -> None:
    """Pool regions (R, 5) of feature maps (B, C, H, W) into ``output``."""
    output.copy_(_roi_align(input, rois, settings))


def roi_align_backward(
    grad_output: Tensor, rois: Tensor, *buffers: Tensor, **settings: Any
) -> None:
    """Add the gradient of the feature maps to the last buffer."""
    grad_input = buffers[-1]
    with torch.enable_grad():
        features = torch.zeros_like(grad_input).requires_grad_()
        output = _roi_align(features, rois, settings)
    grad_input += torch.autograd.grad(output, features, grad_output)[0]


def _roi_align(features: Tensor, rois: Tensor, settings: dict[str, Any]) -> Tensor:
    if settings['pool_mode'] != _AVERAGE_POOLING:
        raise RuntimeError(explain_missing("roi_align with pool_mode='max'"))
    return torchvision.ops.roi_align(
        features,
        rois,
        (settings['aligned_height'], settings['aligned_width']),
        settings['spatial_scale'],
        settings['sampling_ratio'],
        settings['aligned'],
    )


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    *_: Tensor,
    **settings: int,
) -> None:
    """Convolve at shifted positions into ``output``."""
    output.copy_(_deform_conv(settings, input, offset, weight))


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
    """Add the gradients of input and offsets."""
    buffers = (grad_input, grad_offset, None)
    _add_gradients(settings, grad_output, (input, offset, weight), buffers)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **settings: int,
) -> None:
    """Add ``scale`` times the gradient of the weights, which does not use them."""
    inputs = (input, offset, torch.zeros_like(grad_weight))
    _add_gradients(settings, scale * grad_output, inputs, (None, None, grad_weight))


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
    """Convolve at shifted positions, weighted by ``mask``, into ``output``."""
    added = bias if with_bias else None
    output.copy_(_deform_conv(settings, input, offset, weight, mask, added))


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
    inputs = (input, offset, weight, mask)
    buffers = (grad_input, grad_offset, grad_weight, grad_mask)
    _add_gradients(settings, grad_output, inputs, buffers)
    if with_bias:
        grad_bias += grad_output.sum((0, 2, 3))


def _deform_conv(
    settings: dict[str, int],
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    # torchvision takes the groups from the shapes.
    channels = weight.size(1) * settings['group']
    offsets = 2 * settings['deformable_group'] * weight[0, 0].numel()
    if (input.size(1), offset.size(1)) != (channels, offsets):
        raise ValueError(
            f'input and offset must have {channels} and {offsets} channels by weight '
            f'and groups, got {input.size(1)} and {offset.size(1)}'
        )
    geometry = zip(*_geometry(settings), strict=True)
    return torchvision.ops.deform_conv2d(
        input, offset, weight, bias, *geometry, mask=mask
    )


def _geometry(settings: dict[str, int]) -> list[tuple[int, ...]]:
    """Return stride, padding and dilation of rows, and of columns."""
    plain = 'dH' in settings
    names = ('d', 'pad', 'dilation') if plain else ('stride_', 'pad_', 'dilation_')
    axes = 'HW' if plain else 'hw'
    return [tuple(settings[name + axis] for name in names) for axis in axes]


def _add_gradients(
    settings: dict[str, int],
    grad_output: Tensor,
    inputs: Sequence[Tensor],
    buffers: Sequence[Tensor | None],
) -> None:
    """Add gradients of :func:`_deform_conv` to the buffers that are not None."""
    leaves = [tensor.detach() for tensor in inputs]
    wanted = [(x, y) for x, y in zip(leaves, buffers, strict=True) if y is not None]
    with torch.enable_grad():
        tensors = [leaf.requires_grad_() for leaf, _ in wanted]
        output = _deform_conv(settings, *leaves)
    gradients = torch.autograd.grad(output, tensors, grad_output)
    for (leaf, buffer), gradient in zip(wanted, gradients, strict=True):
        if leaf is leaves[1]:
            gradient = gradient.where(_has_gradient(settings, *leaves[:3]), 0)
        buffer += gradient


def _has_gradient(
    settings: dict[str, int], input: Tensor, offset: Tensor, weight: Tensor
) -> Tensor:
    """Return a mask, shaped as ``offset``, of offsets that have a gradient in MMCV.

    At a coordinate of -1, the outer end of the padding, MMCV takes the outer one-sided
    derivative, 0, and torchvision the inner one. Zero offsets lead to such coordinates.
    """
    axes = []
    for axis, (stride, padding, dilation) in enumerate(_geometry(settings), 2):
        base = torch.arange(offset.size(axis), device=offset.device) * stride - padding
        steps = torch.arange(weight.size(axis), device=offset.device) * dilation
        axes.append(steps[:, None] + base)
    rows, columns = axes  # (height of the kernel, H), (width of the kernel, W)
    pair = torch.broadcast_tensors(rows[:, None, :, None], columns[None, :, None, :])
    grid = torch.stack(pair, 2).flatten(0, 2)
    groups = offset.unflatten(1, (-1, len(grid)))
    return (groups + grid != -1).flatten(1, 2)


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Attend to sampled positions with MMCV's PyTorch implementation."""
    return _attend(spatial_shapes, value, sampling_locations, attention_weights)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_locations: Tensor,
    grad_attention_weights: Tensor,
    im2col_step: int,
) -> None:
    """Add the gradients of values, positions and weights."""
    inputs = (value, sampling_locations, attention_weights)
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        output = _attend(spatial_shapes, *leaves)
    gradients = torch.autograd.grad(output, leaves, grad_output)
    buffers = (grad_value, grad_sampling_locations, grad_attention_weights)
    for buffer, gradient in zip(buffers, gradients, strict=True):
        buffer += gradient


def _attend(
    shapes: Tensor, value: Tensor, locations: Tensor, weights: Tensor
) -> Tensor:
    from mmcv.ops import multi_scale_deform_attn  # imports mmcv._ext itself

    attend = multi_scale_deform_attn.multi_scale_deformable_attn_pytorch
    return attend(value, shapes.tolist(), locations, weights)


OPERATORS: dict[str, Callable] = {
    operator.__name__: operator
    for operator in (
        get_compiler_version,
        get_compiling_cuda_version,
        nms,
        softnms,
        roi_align_forward,
        roi_align_backward,
        deform_conv_forward,
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        modulated_deform_conv_forward,
        modulated_deform_conv_backward,
        ms_deform_attn_forward,
        ms_deform_attn_backward,
    )
}


def find_operator(name: str) -> Callable:
    """Return an operator of ``mmcv._ext``, or a function that raises an error."""
    if name.startswith('_'):
        raise AttributeError(f'mmcv._ext has no attribute {name!r}')

    def missing(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(explain_missing(name))

    return OPERATORS.get(name, missing)
