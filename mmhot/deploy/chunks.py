"""Few samples at a time."""

from collections.abc import Callable

import torch
from torch import Tensor

from mmhot.deploy.tracing import being_traced


def map_chunks(
    function: Callable[[Tensor], Tensor], x: Tensor, size: int, training: bool
) -> Tensor:
    """Apply a function to a few samples at a time, where that is faster.

    That is inference on a CPU: what layers pass on then stays in the caches, and the
    memory allocator reuses blocks that it would otherwise return to the system.

    Args:
        function (Callable): Maps (B, ...) to (B, ...), in evaluation mode each sample
            on its own.
        x (Tensor): Samples, (B, ...).
        size (int): Samples of a chunk.
        training (bool): Whether the function is in training mode: all at once, as
            batch normalization looks at the whole batch.
    """
    whole = training or torch.is_grad_enabled() or x.device.type != 'cpu'
    if whole or being_traced() or len(x) <= size:
        return function(x)
    return torch.cat([function(chunk) for chunk in x.split(size)])
