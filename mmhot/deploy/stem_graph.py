"""Stem of GTPT for graphs: channel shuffles reorder weights instead of maps."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from mmhot.models.gtpt.stem import ConvNorm, GTPTStem

_BLOCK = 16  # channels that ONNX Runtime stores together, with AVX-512
Channels = list[tuple[int, int]]  # each a piece of a map and a place in it


class StemGraph:
    """Map images (B, 3, H, W) to features (B, C, h, w), with a stem of one stage.

    On CPUs, GTPT-T in ONNX Runtime takes 8 % longer with the plain stem.
    """

    def __call__(self, stem: GTPTStem, image: Tensor) -> Tensor:
        """Run the stem."""
        self._pieces: list[Tensor] = []
        channels = self._write(_convolve(stem.conv, image))
        [blocks] = stem.stages
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
        x, order = self._read(channels)
        return x.index_select(1, order.argsort()[: len(channels)])

    def _read(self, channels: Channels) -> tuple[Tensor, Tensor]:
        """Join pieces, and return the place in ``channels`` of theirs, last if none."""
        places = {channel: place for place, channel in enumerate(channels)}
        pieces = {
            piece: self._pieces[piece] for piece in sorted({p for p, _ in channels})
        }
        written = [(p, i) for p, x in pieces.items() for i in range(x.shape[1])]
        order = torch.tensor([places.get(channel, len(places)) for channel in written])
        return torch.cat([*pieces.values()], dim=1), order

    def _write(self, piece: Tensor) -> Channels:
        self._pieces.append(piece)
        return [(len(self._pieces) - 1, place) for place in range(piece.shape[1])]

    def _split(
        self, layer: ConvNorm, x: Tensor, order: Tensor | None, later: int
    ) -> Channels:
        """Write a piece for each later block, which reads a half of what is left."""
        ends = [layer.conv.out_channels]
        while len(ends) <= later and ends[0] % (2 * _BLOCK) == 0:
            ends.insert(0, ends[0] // 2)
        rows = [slice(*pair) for pair in pairwise([0, *ends])]
        return sum((self._write(_convolve(layer, x, order, part)) for part in rows), [])


def _convolve(
    layer: ConvNorm,
    x: Tensor,
    order: Tensor | None = None,
    rows: Tensor | slice = slice(None),
) -> Tensor:
    """Convolve, normalize and activate; of input channels in order to some rows."""
    conv, norm = layer.conv, layer.norm
    weight = conv.weight[rows]
    if order is not None:  # zeros for channels that are not read
        weight = F.pad(weight, (0, 0, 0, 0, 0, 1)).index_select(1, order)
    groups = 1 if conv.groups == 1 else len(weight)
    x = F.conv2d(x, weight, conv.bias[rows], conv.stride, conv.padding, 1, groups)
    values = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    mean, var, scale, shift = (x[rows] for x in values)
    return layer.act(F.batch_norm(x, mean, var, scale, shift, eps=norm.eps))
