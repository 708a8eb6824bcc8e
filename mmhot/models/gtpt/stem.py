"""Stem of GTPT: a few blocks of ShuffleNet v2, plain or U-shaped.

`Group-based Token Pruning Transformer for Efficient Human Pose Estimation
<https://arxiv.org/abs/2407.10756>`_ (ECCV 2024).
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """Convolution with a bias, batch normalization and optionally ReLU.

    Weights start from a normal distribution of standard deviation 0.001. Kernels are
    odd, and sizes of maps are kept except for the stride.
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
        padding = kernel_size // 2
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True) if activate else nn.Identity()
        nn.init.normal_(self.conv.weight, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        return self.act(self.norm(self.conv(x)))


class ShuffleBlock(nn.Module):
    """Block of ShuffleNet v2: half of the channels are transformed, then all are mixed.

    With stride 2 both halves are computed from all channels. Unlike in torchvision's
    block, convolutions have biases.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        half = out_channels // 2
        depthwise: dict[str, Any] = dict(kernel_size=3, stride=stride, activate=False)
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
        left, right = x.chunk(2, dim=1) if self.left is None else (self.left(x), x)
        halves = (left, self.right(right))
        # The order (B, H, W, C) keeps the channels_last format.
        shuffled = torch.stack([half.permute(0, 2, 3, 1) for half in halves], dim=-1)
        return shuffled.flatten(-2).permute(0, 3, 1, 2)


class UpSample(nn.Module):
    """Upsampling by two: a 1x1 convolution, and a pixel shuffle of its channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4 * out_channels, 1)
        self.shuffle = nn.PixelShuffle(2)
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True)
        nn.init.normal_(self.conv.weight, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', 2 * H, 2 * W)``."""
        return self.act(self.norm(self.shuffle(self.conv(x))))


class Merge(nn.Module):
    """Merging of a feature map with a map of half its size."""

    def __init__(self, low_channels: int, out_channels: int, depth: int) -> None:
        super().__init__()
        self.upsample = UpSample(low_channels, out_channels)
        self.reduce = ConvNorm(2 * out_channels, out_channels)
        self.blocks = nn.Sequential(
            *(ShuffleBlock(out_channels, out_channels) for _ in range(depth))
        )

    def forward(self, x: Tensor, low: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` and ``(B, C', H / 2, W / 2)`` to ``(B, C, H, W)``."""
        return self.blocks(self.reduce(torch.cat([x, self.upsample(low)], dim=1)))


@MODELS.register_module()
class GTPTStem(BaseModule):
    """Stem of GTPT: a feature map of a quarter of the image's size.

    Each stage halves the map's size. With more than one stage the stem is U-shaped:
    maps of later stages are upsampled again and merged with earlier ones.

    Args:
        in_channels (int): Channels of the image.
        stem_channels (int): Channels of the first convolution.
        stage_channels (Sequence[int]): Channels of each stage; the output has the
            channels of the first.
        stage_depth (int): Blocks of a stage.
        merge_depth (int): Blocks after a merge.
    """

    def __init__(
        self,
        in_channels: int = 3,
        stem_channels: int = 64,
        stage_channels: Sequence[int] = (128,),
        stage_depth: int = 4,
        merge_depth: int = 2,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.conv = ConvNorm(in_channels, stem_channels, kernel_size=3, stride=2)
        inputs = (stem_channels, *stage_channels[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                ShuffleBlock(before, channels, stride=2),
                *(ShuffleBlock(channels, channels) for _ in range(stage_depth - 1)),
            )
            for before, channels in zip(inputs, stage_channels, strict=True)
        )
        self.merges = nn.ModuleList(
            Merge(low, channels, merge_depth)
            for channels, low in zip(
                stage_channels[-2::-1], stage_channels[:0:-1], strict=True
            )
        )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Map images (B, 3, H, W) to a tuple with one feature map (B, C, H/4, W/4)."""
        x = self.conv(x.contiguous(memory_format=torch.channels_last))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        for merge, skip in zip(self.merges, maps[-2::-1], strict=True):
            x = merge(skip, x)
        return (x,)
