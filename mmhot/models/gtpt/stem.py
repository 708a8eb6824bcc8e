"""Stem of GTPT: a few blocks of ShuffleNet v2, alone or U-shaped.

`Group-based Token Pruning Transformer for Efficient Human Pose Estimation
<https://arxiv.org/abs/2407.10756>`_ (ECCV 2024).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.deploy.chunks import map_chunks
from mmhot.models.gtpt.conv_norm import ConvNorm, map_pixels
from mmhot.models.gtpt.shuffle_block import ShuffleBlock, ShuffleStage

_CHUNK = 2  # images whose largest map, of the first convolution, is in the cache


class _UpSample(nn.Module):
    """Map of twice the size: a convolution whose channels become pixels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4 * out_channels, 1)
        self.spread = nn.PixelShuffle(2)
        self.norm = nn.BatchNorm2d(out_channels)
        self.linear = False
        nn.init.normal_(self.conv.weight, std=0.001)

    def forward(self, x: Tensor) -> Tensor:
        x = map_pixels(x, self.conv) if self.linear else self.conv(x)
        return F.relu(self.norm(self.spread(x)), inplace=True)

    @torch.no_grad()
    def switch_to_deploy(self, test_cfg: dict | None = None) -> None:
        """Make the normalization part of the convolution."""
        if self.linear:
            return
        # channels become pixels in blocks of four
        scale = self.norm.weight * (self.norm.running_var + self.norm.eps).rsqrt()
        shift = self.norm.bias - scale * self.norm.running_mean
        scale, shift = (each.repeat_interleave(4) for each in (scale, shift))
        self.conv.weight *= scale[:, None, None, None]
        self.conv.bias.copy_(self.conv.bias * scale + shift)
        self.norm, self.linear = nn.Identity(), True


class _Merge(nn.Module):
    """Merge a map with one of half its size."""

    def __init__(self, low_channels: int, out_channels: int, depth: int) -> None:
        super().__init__()
        self.upsample = _UpSample(low_channels, out_channels)
        self.reduce = ConvNorm(2 * out_channels, out_channels)
        self.blocks = ShuffleStage(
            *(ShuffleBlock(out_channels, out_channels) for _ in range(depth))
        )

    def forward(self, x: Tensor, low: Tensor) -> Tensor:
        return self.blocks(self.reduce(torch.cat([x, self.upsample(low)], dim=1)))


@MODELS.register_module()
class GTPTStem(BaseModule):
    """GTPT's stem, which gives a map of a quarter of the image's size.

    Each stage halves the map's size. With more than one stage it is U-shaped: maps of
    later stages are upsampled again and merged with those before. Inside, tensors are
    in ``channels_last`` format.

    Args:
        in_channels (int): Channels of the image. Defaults to 3.
        stem_channels (int): Channels of the first convolution. Defaults to 64.
        stage_channels (Sequence[int]): Channels of each stage; the first are those
            of the output. Defaults to (128, ).
        stage_depth (int): Blocks of a stage. Defaults to 4.
        merge_depth (int): Blocks after a merge. Defaults to 2.
        init_cfg (dict, optional): Initialisation. Defaults to None.
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
            ShuffleStage(
                ShuffleBlock(before, channels, stride=2),
                *(ShuffleBlock(channels, channels) for _ in range(stage_depth - 1)),
            )
            for before, channels in zip(inputs, stage_channels, strict=True)
        )
        self.merges = nn.ModuleList(
            _Merge(low, channels, merge_depth)
            for channels, low in zip(
                stage_channels[-2::-1], stage_channels[:0:-1], strict=True
            )
        )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Map images ``(B, 3, H, W)`` to features ``((B, C, H / 4, W / 4), )``."""
        return (map_chunks(self.extract, x, _CHUNK, self.training),)

    def extract(self, x: Tensor) -> Tensor:
        """Map images ``(B, 3, H, W)`` to features ``(B, C, H / 4, W / 4)``."""
        x = self.conv(x.contiguous(memory_format=torch.channels_last))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        for merge, skip in zip(self.merges, maps[-2::-1], strict=True):
            x = merge(skip, x)
        return x
