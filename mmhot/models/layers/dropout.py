"""Dropout."""

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """Dropout that costs little on a CPU.

    PyTorch draws one random number for every element, one after the other, which
    takes longer than the linear layer before it. Here an element needs only 16
    random bits, a quarter of a draw; the rate is thus a multiple of 2 ** -16.
    Other devices get PyTorch's own.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of ``x``, of any shape, while training."""
        if not self.training:
            return x
        dropped = round(self.p * 2**16)
        if x.device.type != 'cpu' or not 0 < dropped < 2**16:
            return super().forward(x)
        draws = x.new_empty(-(-x.numel() // 4), dtype=torch.int64)
        draws = draws.random_(-(2**63), None).view(torch.int16)[: x.numel()]
        kept = draws.view(x.shape) >= dropped - 2**15
        return x * (kept.to(x.dtype) * (2**16 / (2**16 - dropped)))
