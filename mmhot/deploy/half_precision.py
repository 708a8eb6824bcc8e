"""Inference in 16-bit floats on GPUs; outputs are decoded in 32-bit floats."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

_HALF_DEVICE = 'cuda'
# Back ends of attention. cuDNN's would plan for a second at each new shape.
_ATTENTION = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
_HALF_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d)


def move_to_device(model: nn.Module, device: str | torch.device) -> nn.Module:
    """Move a 2D model, detector or lifter of MMPose or MMDetection to a device.

    On a GPU, the weights of linear layers and convolutions become 16-bit floats, unless
    a module lists the layer in ``full_precision_layers``. Weights of convolutions get
    the memory format ``channels_last``. Run the model in :func:`half_precision`; the
    outputs of its head are decoded in float32.

    Args:
        model (nn.Module): The model, which is changed.
        device (str | torch.device): Device of PyTorch.

    Returns:
        nn.Module: The same model.
    """
    if torch.device(device).type != _HALF_DEVICE:
        return model.to(device)
    full = {
        id(layer)
        for module in model.modules()
        for layer in getattr(module, 'full_precision_layers', ())
    }
    for module in model.modules():
        if isinstance(module, _HALF_LAYERS) and id(module) not in full:
            module.half()
        is_head = isinstance(getattr(module, 'decoder', None), BaseKeypointCodec)
        # Heads with layers in full precision return float32 already.
        if is_head and not hasattr(module, 'full_precision_layers'):
            for name in ('decode', 'batch_decode'):
                decode = getattr(module.decoder, name)
                setattr(module.decoder, name, _from_float32(decode))
        if hasattr(module, 'predict_by_feat'):
            module.register_forward_hook(lambda *args: _as_float32(args[-1]))
    return model.to(device, memory_format=torch.channels_last)


@contextmanager
def half_precision(device: str | torch.device) -> Iterator[None]:
    """Compute matrix products and convolutions in 16-bit floats in a block.

    Args:
        device (str | torch.device): Device of PyTorch. Unless it is 'cuda', the block
            is not changed.

    Example::

        with half_precision('cuda'), torch.no_grad():
            features = model.extract_feat(images)
    """
    if torch.device(device).type != _HALF_DEVICE:
        yield
        return
    # The cache would keep 16-bit copies of weights, but these have 16 bits already.
    half = torch.autocast(_HALF_DEVICE, torch.float16, cache_enabled=False)
    with half, sdpa_kernel(_ATTENTION):
        yield


def _from_float32(decode: Callable) -> Callable:
    """Return a codec's method that converts its arguments to float32 first."""
    return lambda *encoded: decode(*_as_float32(encoded))


def _as_float32(x: Any) -> Any:
    """Convert floats (...), also in lists and tuples, to float32."""
    if isinstance(x, Tensor):
        return x.float() if x.is_floating_point() else x
    if isinstance(x, np.ndarray):
        return x.astype(np.float32) if x.dtype == np.float16 else x
    return type(x)(map(_as_float32, x)) if type(x) in (list, tuple) else x
