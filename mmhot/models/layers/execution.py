"""Execution modes of PyTorch: tracing, and mixed precision."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def being_traced() -> bool:
    """Whether PyTorch traces or compiles the running code, so values are unknown."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def full_precision(x: Tensor) -> AbstractContextManager:
    """Switch off autocast on the device of a tensor."""
    device = x.device.type
    if not torch.amp.is_autocast_available(device):  # PyTorch's 'meta', for example
        return nullcontext()
    return torch.autocast(device, enabled=False)
