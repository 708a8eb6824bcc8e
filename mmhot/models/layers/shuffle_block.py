"""Block of ShuffleNet v2."""

import torch
from torch import Tensor, nn

from .conv_norm import ConvNorm


class ShuffleBlock(nn.Module):
    """Block of ShuffleNet v2: half of the channels are transformed, then all mixed.

    With stride 2 both halves are made from all channels. Unlike torchvision's, its
    convolutions have biases. It is meant for tensors in ``channels_last`` format and
    keeps that.

    Args:
        in_channels (int): Input channels; with stride 1 those of the output.
        out_channels (int): Output channels, an even number.
        stride (int): 1 or 2. Defaults to 1.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        half = out_channels // 2
        if out_channels % 2 or (stride == 1 and in_channels != out_channels):
            raise ValueError(
                'out_channels must be even and, with stride 1, equal to in_channels '
                f'({in_channels}), got {out_channels}'
            )
        depthwise = dict(kernel_size=3, stride=stride, activate=False)
        self.left = None
        if stride != 1:
            self.left = nn.Sequential(
                ConvNorm(in_channels, in_channels, groups=in_channels, **depthwise),
                ConvNorm(in_channels, half),
            )
        self.right = nn.Sequential(
            ConvNorm(half if self.left is None else in_channels, half),
            ConvNorm(half, half, groups=half, **depthwise),
            ConvNorm(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        if self.left is None:
            left, right = x.chunk(2, dim=1)
        else:
            left, right = self.left(x), x
        return interleave(left, self.right(right))


def interleave(left: Tensor, right: Tensor) -> Tensor:
    """Take channels of two maps ``(B, C, H, W)`` in turn, (B, 2 * C, H, W)."""
    # as (B, H, W, C), for the result to be in channels_last format
    left, right = left.permute(0, 2, 3, 1), right.permute(0, 2, 3, 1)
    if left.device.type == 'cpu' and left.dtype == torch.float32:
        # twice as fast as stacking: complex numbers are such pairs
        pairs = torch.view_as_real(torch.complex(left, right))
    else:
        pairs = torch.stack([left, right], dim=-1)
    return pairs.flatten(-2).permute(0, 3, 1, 2)
