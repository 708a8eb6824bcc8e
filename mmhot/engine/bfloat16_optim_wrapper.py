"""Mixed precision in training without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Forward passes in bfloat16 wherever PyTorch deems it safe, on any device.

    MMEngine's ``AmpOptimWrapper`` needs a GPU. bfloat16 has the range of float32, so
    losses need no scaling.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Let PyTorch choose the precision of each operation.

        Args:
            model (nn.Module): The model in training.
        """
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield
