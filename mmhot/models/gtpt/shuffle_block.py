"""Blocks of ShuffleNet v2."""

import torch
from torch import Tensor, nn

from mmhot.models.gtpt.conv_norm import ConvNorm


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
        left, right = self.split(x)
        return interleave(left, self.right(right))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the half that is complete, and what the other is made from."""
        if self.left is None:
            return x.chunk(2, dim=1)
        return self.left(x), x


class ShuffleStage(nn.Sequential):
    """Blocks in a row, of which only the first may have another number of channels.

    For inference the blocks do not shuffle. A channel stays where it is, and the next
    block looks for its half where shuffling would have taken it from: with channels
    in the order (before, which half, after), every block adds its half's axis to
    those before. What all the shuffles come to is one at the end, of 2 to the number
    of blocks groups.

    Args:
        *blocks (ShuffleBlock): The blocks.
    """

    def __init__(self, *blocks: ShuffleBlock) -> None:
        super().__init__(*blocks)
        self.deferred = False

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        if not self.deferred:
            return super().forward(x)
        first, *others = self
        left, right = first.split(x)
        x = torch.cat([left, first.right(right)], dim=1).permute(0, 2, 3, 1)
        for place, block in enumerate(others, start=1):
            half = x.unflatten(-1, (2**place, 2, -1))[..., 1, :]  # a view
            right = block.right(half.flatten(-2).permute(0, 3, 1, 2))
            half.copy_(right.permute(0, 2, 3, 1).unflatten(-1, (2**place, -1)))
        x = x.unflatten(-1, (2 ** len(self), -1)).transpose(-2, -1)
        return x.flatten(-2).permute(0, 3, 1, 2)

    @torch.no_grad()
    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Order the weights of blocks as channels will be, if these divide evenly."""
        half = self[0].right[-1].conv.out_channels
        if self.deferred or 2 * half % 2 ** len(self):
            return
        for place, block in enumerate(self):
            if place:
                order = torch.arange(half).view(-1, 2**place).t().flatten()
                conv_in, conv_out = block.right[0].conv, block.right[-1]
                conv_in.weight.copy_(conv_in.weight[:, order])
                conv_out.reorder(order)
        self.deferred = True


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
