"""GTPT's stem and head for inference: folded, in NHWC, and few images at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mmhot.deploy.transformer import fused_linear
from mmhot.models.gtpt.coarse import PatchEmbed
from mmhot.models.gtpt.head import GTPTHead
from mmhot.models.gtpt.stem import ConvNorm, GTPTStem, UpSample
from mmhot.models.layers.blocks import being_traced

# Images whose largest map, of the stem's first convolution, fits into the caches, and
# those whose tokens do.
_STEM_CHUNK = 2
_HEAD_CHUNK = 4


class Chunked:
    """A function on batches that takes few samples at a time, in inference on a CPU.

    Intermediate results then stay in the caches, and the memory allocator reuses
    blocks that it would otherwise return to the system.

    Args:
        function (Callable): Maps (B, ...) to (B, ...), each sample on its own.
        size (int): Samples of a chunk.
    """

    def __init__(self, function: Callable[..., Tensor], size: int) -> None:
        self.function = function
        self.size = size

    def __call__(self, x: Tensor, *args: Any) -> Tensor:
        """Map (B, ...) to (B, ...)."""
        whole = torch.is_grad_enabled() or x.device.type != 'cpu' or being_traced()
        if whole or len(x) <= self.size:
            return self.function(x, *args)
        return torch.cat([self.function(chunk, *args) for chunk in x.split(self.size)])


class PixelLinear(nn.Module):
    """Convolution with a kernel of one pixel, as a linear layer.

    A map in ``channels_last`` format, or a slice of its channels, is read where it is;
    the result has that format.

    Args:
        conv (nn.Conv2d): The convolution to replace.
        relu (bool): Whether ReLU follows. Defaults to False.
    """

    def __init__(self, conv: nn.Conv2d, relu: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.detach().flatten(1))
        self.bias, self.relu = conv.bias, relu

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H, W)``."""
        batch, _, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1).flatten(0, 2)
        pixels = fused_linear(pixels, self.weight, self.bias, self.relu)
        return pixels.view(batch, height, width, -1).permute(0, 3, 1, 2)


class UnshuffledBlocks(nn.Module):
    """Blocks of ShuffleNet v2 in a row that shuffle once, at the end.

    A channel stays where it is, and the next block looks for its half where shuffling
    would have taken it from: with channels in the order (before, which half, after),
    every block adds its half's axis to those before. All shuffles together are one of
    2 to the number of blocks groups.

    Args:
        blocks (nn.Sequential): Blocks, whose convolutions of one pixel are linear.
            Their channels must be a multiple of 2 to the number of blocks.
    """

    @torch.no_grad()
    def __init__(self, blocks: nn.Sequential) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        for place, block in enumerate(blocks):
            first, last = block.right[0].conv, block.right[-1].conv
            order = torch.arange(len(last.weight)).view(-1, 2**place).t().flatten()
            if place:  # the first block has its channels in order
                first.weight.copy_(first.weight[:, order])
                last.weight.copy_(last.weight[order])
                last.bias.copy_(last.bias[order])

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        left, right = self.blocks[0].split(x)
        right = self.blocks[0].right(right)
        x = torch.cat([left, right], dim=1).permute(0, 2, 3, 1)
        for place, block in enumerate(self.blocks[1:], start=1):
            half = x.unflatten(-1, (2**place, 2, -1))[..., 1, :]  # a view
            right = block.right(half.flatten(-2).permute(0, 3, 1, 2))
            half.copy_(right.permute(0, 2, 3, 1).unflatten(-1, (2**place, -1)))
        x = x.unflatten(-1, (2 ** len(self.blocks), -1)).transpose(-2, -1)
        return x.flatten(-2).permute(0, 3, 1, 2)


def rewrite_stem(stem: GTPTStem) -> GTPTStem:
    """Let a stem with folded normalizations run in ``channels_last`` format."""
    if 'extract' in vars(stem):
        return stem
    for block in stem.modules():
        if isinstance(block, ConvNorm):
            _use_linear_pixels(block)
    stem.stages = nn.ModuleList(_unshuffle(stage) for stage in stem.stages)
    for merge in stem.merges:
        merge.blocks = _unshuffle(merge.blocks)
    stem.extract = Chunked(stem.extract, _STEM_CHUNK)
    return stem


def _use_linear_pixels(block: ConvNorm) -> None:
    conv = block.conv
    if conv.kernel_size == (1, 1) and conv.groups == 1:
        block.conv = PixelLinear(conv, relu=isinstance(block.act, nn.ReLU))
        block.act = nn.Identity()


def _unshuffle(blocks: nn.Sequential) -> nn.Module:
    """Return blocks that do not shuffle, if their channels divide evenly."""
    channels = 2 * len(blocks[0].right[-1].conv.weight)
    return blocks if channels % 2 ** len(blocks) else UnshuffledBlocks(blocks)


@torch.no_grad()
def fold_upsample(upsample: UpSample) -> UpSample:
    """Fold the normalization and ReLU of an upsampling into its convolution."""
    norm, conv = upsample.norm, upsample.conv
    if isinstance(norm, nn.Identity):
        return upsample
    scale, shift = _scale_and_shift(norm)
    # channels become pixels in blocks of four
    scale, shift = scale.repeat_interleave(4), shift.repeat_interleave(4)
    conv.weight *= scale[:, None, None, None]
    conv.bias.copy_(conv.bias * scale + shift)
    upsample.conv = PixelLinear(conv, relu=True)
    upsample.norm = upsample.act = nn.Identity()
    return upsample


@torch.no_grad()
def fold_patch_norm(embed: PatchEmbed) -> PatchEmbed:
    """Fold the normalization before patches into their linear layer."""
    if isinstance(embed.norm, nn.Identity):
        return embed
    width, height = embed.patch_size
    scale, shift = _scale_and_shift(embed.norm)
    proj = embed.proj
    proj.bias += proj.weight @ shift.repeat(height * width)
    proj.weight *= scale.repeat(height * width)
    embed.norm = nn.Identity()
    return embed


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the factor and summand of each channel in evaluation mode."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - scale * norm.running_mean


def rewrite_head(head: GTPTHead) -> GTPTHead:
    """Let a head encode few images at a time."""
    if 'find_keypoints' not in vars(head):
        head.find_keypoints = Chunked(head.find_keypoints, _HEAD_CHUNK)
    return head
