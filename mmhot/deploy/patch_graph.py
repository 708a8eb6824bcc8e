"""Patches of GTPT for graphs: channel shuffles reorder weights instead of maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.models.gtpt.coarse import PatchEmbed
from mmhot.models.gtpt.stem import GTPTStem, UpSample

_BLOCK = 16  # channels that ONNX Runtime stores together, with AVX-512
Channels = list[tuple[int, int]]  # each a piece of a map and a place in it


class PatchGraph:
    """Map images (B, 3, H, W) to patch tokens (B, N, C)."""

    def __call__(self, stem: GTPTStem, embed: PatchEmbed, image: Tensor) -> Tensor:
        """Run the stem and the embedding."""
        self.pieces: list[Tensor] = []
        maps = []
        channels = self._write(_convolve(stem.conv, image))
        for stage in stem.stages:
            channels = self._run(stage, channels)
            maps.append(channels)
        for merge, skip in zip(stem.merges, maps[-2::-1], strict=True):
            low = _upsample(merge.upsample, *self._read(channels))
            inputs = self._read(skip + self._write(low))
            channels = self._split(merge.reduce, *inputs, len(merge.blocks))
            channels = self._run(merge.blocks, channels)
        return _embed(embed, *self._read(channels))

    def _run(self, blocks: nn.Sequential, channels: Channels) -> Channels:
        half = blocks[-1].right[2].conv.out_channels
        for later, block in zip(range(len(blocks))[::-1], blocks, strict=True):
            halves = block.left is None
            x, order = self._read(channels[half:] if halves else channels)
            left, y = channels[:half], _convolve(block.right[0], x, order)
            if not halves:
                x = _convolve(block.left[0], x, rows=order.clamp(max=len(channels) - 1))
                left = self._split(block.left[1], x, order, later)
            y = _convolve(block.right[1], y)
            right = self._split(block.right[2], y, None, later)
            channels = [x for pair in zip(left, right, strict=True) for x in pair]
        return channels

    def _read(self, channels: Channels) -> tuple[Tensor, Tensor]:
        """Join pieces, and return the place in ``channels`` of theirs, last if none."""
        places = {channel: place for place, channel in enumerate(channels)}
        pieces = {each: self.pieces[each] for each in sorted({p for p, _ in channels})}
        written = [(p, i) for p, x in pieces.items() for i in range(x.shape[1])]
        order = torch.tensor([places.get(each, len(places)) for each in written])
        return torch.cat([*pieces.values()], dim=1), order

    def _write(self, piece: Tensor) -> Channels:
        self.pieces.append(piece)
        return [(len(self.pieces) - 1, place) for place in range(piece.shape[1])]

    def _split(
        self, layer: nn.Module, x: Tensor, order: Tensor | None, later: int
    ) -> Channels:
        """Write a piece for each later block, which reads a half of what is left."""
        ends = [layer.conv.out_channels]
        while len(ends) <= later and ends[0] % (2 * _BLOCK) == 0:
            ends.insert(0, ends[0] // 2)
        rows = [slice(*each) for each in zip([0, *ends[:-1]], ends, strict=True)]
        return sum((self._write(_convolve(layer, x, order, each)) for each in rows), [])


def _convolve(
    layer: nn.Module,
    x: Tensor,
    order: Tensor | None = None,
    rows: Tensor | slice = slice(None),
    copies: int = 1,
) -> Tensor:
    """Convolve, normalize and activate; of input channels in order to some rows."""
    conv, norm = layer.conv, layer.norm
    weight = conv.weight[rows]
    if order is not None:  # zeros for channels that are not read
        weight = F.pad(weight, (0, 0, 0, 0, 0, 1)).index_select(1, order)
    groups = 1 if conv.groups == 1 else len(weight)
    x = F.conv2d(x, weight, conv.bias[rows], conv.stride, conv.padding, 1, groups)
    values = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    mean, var, scale, shift = (x.repeat_interleave(copies)[rows] for x in values)
    return layer.act(F.batch_norm(x, mean, var, scale, shift, eps=norm.eps))


def _upsample(layer: UpSample, x: Tensor, order: Tensor) -> Tensor:
    """Upsample a map, in the order (B, H, W, C), in which channels stay together."""
    rows = torch.arange(layer.conv.out_channels).view(-1, 4).T.flatten()
    x = _convolve(layer, x, order, rows, copies=4).permute(0, 2, 3, 1)
    x = x.unflatten(3, (2, 2, -1)).transpose(2, 3)  # (B, H, 2, W, 2, C)
    return x.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def _embed(embed: PatchEmbed, x: Tensor, order: Tensor) -> Tensor:
    """Convolve patches, with the normalization in the weights."""
    norm, proj, (width, height) = embed.norm, embed.proj, embed.patch_size
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    shift = norm.bias - norm.running_mean * scale
    weight = proj.weight.unflatten(1, (height, width, -1))
    bias = proj.bias + (weight * shift).sum((1, 2, 3))
    weight = F.pad(weight * scale, (0, 1)).index_select(3, order).permute(0, 3, 1, 2)
    return F.conv2d(x, weight, bias, (height, width)).permute(0, 2, 3, 1).flatten(1, 2)
