"""Automatic mixed precision, where it must be known or kept out."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def in_autocast(x: Tensor) -> bool:
    """Whether operations on a tensor may be done in half precision right now."""
    device = x.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def full_precision(x: Tensor) -> AbstractContextManager:
    """Context in which operations keep the type of a tensor on this device."""
    device = x.device.type
    if not torch.amp.is_autocast_available(device):  # PyTorch's 'meta', for example
        return nullcontext()
    return torch.autocast(device, enabled=False)
