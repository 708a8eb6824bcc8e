"""Convolution, batch normalisation, activation."""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """Convolution with a bias, batch normalisation and, if asked for, ReLU.

    Weights start as a normal distribution of standard deviation 0.001.

    Args:
        in_channels (int): Input channels.
        out_channels (int): Output channels.
        kernel_size (int): Size of the kernel, odd; sizes of maps are kept but for
            ``stride``. Defaults to 1.
        stride (int): Stride. Defaults to 1.
        groups (int): Groups of the convolution. Defaults to 1.
        activate (bool): Whether ReLU follows. Defaults to True.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2,
            groups=groups,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.activate = activate
        nn.init.normal_(self.conv.weight, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        x = self.norm(self.conv(x))
        return F.relu(x, inplace=True) if self.activate else x
