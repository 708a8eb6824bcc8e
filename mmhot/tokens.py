"""Token pruning in transformers of any package; it needs PyTorch alone.

from mmhot.tokens import ClusterPruner, prune

model = TemporalViT(frames=81)
prune(model.layers, embed_dims=256, num_frames=81,
      pruner=ClusterPruner(num_keep=27, depth=2), recoverer='attention')
poses = model(x)                    # all 81 frames
model.layers.hourglass.keep = 14    # another number of frames, also after training
model.layers.hourglass.kept         # these frames, (B, 14)
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmhot.errors import require_choice
from mmhot.models.gtpt.network import GTPT, GTPTSizes
from mmhot.models.layers.attention import received_attention
from mmhot.models.tokens.hourglass import Hourglass, find_center
from mmhot.models.tokens.pruners import (
    AttentionPruner,
    ClusterPruner,
    Frames,
    Keep,
    Pruner,
    UniformPruner,
)
from mmhot.models.tokens.recoverers import (
    AttentionRecoverer,
    InterpolationRecoverer,
    TimedAttentionRecoverer,
    TokenRecoverer,
)

__all__ = [
    'GTPT',
    'GTPTSizes',
    'AttentionPruner',
    'AttentionRecoverer',
    'ClusterPruner',
    'Frames',
    'HookedHourglass',
    'Hourglass',
    'InterpolationRecoverer',
    'Pruner',
    'TimedAttentionRecoverer',
    'TokenRecoverer',
    'UniformPruner',
    'prune',
]


class HookedHourglass(Hourglass):
    """Hourglass of layers that run in their owner's forward function.

    Hooks of the layers prune and recover. Unlike elsewhere in mmhot, results of the
    last call are attributes, as the owner does not return them.

    Attributes:
        keep (int or Sequence[int], optional): Number of frames that each pruner keeps,
            instead of its ``num_keep``; it can be set at any time.
        kept (Tensor): Indices of the frames that were left, (B, t).
    """

    keep: Keep | None = None
    kept: Tensor
    counts: Sequence[int] = ()
    received: Tensor | None = None

    def attach(self, layers: nn.ModuleList | nn.Sequential) -> None:
        """Register the hooks of layers, and this module in the first one."""
        first = layers[0]
        first.register_forward_pre_hook(self._begin)
        for place, pruner in enumerate(self.pruners):
            if pruner.reads_attention:
                watched = _find_attention(layers[pruner.depth - 1])
                watched.register_forward_pre_hook(self._watch)
            before = partial(self._before, place)
            layers[pruner.depth].register_forward_pre_hook(before)
        layers[-1].register_forward_hook(self._end)
        # As a child of the list it would count as a layer, and run in a Sequential.
        while isinstance(first, nn.Sequential):
            first = first[0]
        first.hourglass = self
        layers.__dict__['hourglass'] = self

    def _begin(self, _: nn.Module, args: tuple) -> None:
        """Start with all frames of tokens (B, T, ..., C)."""
        batch, num_frames = args[0].shape[:2]
        if num_frames != self.num_frames:
            raise ValueError(
                f'layers need tokens (B, {self.num_frames}, ..., C), by num_frames, '
                f'got {tuple(args[0].shape)}'
            )
        self.counts = self.keep_counts(self.keep, num_frames)
        self.kept = torch.arange(num_frames, device=args[0].device).expand(batch, -1)

    def _watch(self, attention: nn.Module, args: tuple) -> None:
        """Compute the attention that each frame receives."""
        x = args[0]  # (B', t, C), where B' can count keypoints, too
        if not getattr(attention, 'batch_first', True):
            x = x.transpose(0, 1)
        received = received_attention(attention, x)
        self.received = received.unflatten(0, (len(self.kept), -1)).mean(1)

    def _before(self, place: int, _: nn.Module, args: tuple) -> tuple:
        """Prune tokens (B, t, ..., C) before a layer."""
        x, *others = args
        features = x.flatten(2, -2).mean(2) if x.ndim > 3 else x
        center = find_center(self.kept, self.num_frames)
        frames = Frames(features, None, self.received, center)
        x, slots = self.prune(place, x, frames, self.counts[place])
        self.kept = self.kept.gather(1, slots)
        return x, *others

    def _end(self, _: nn.Module, args: tuple, x: Tensor) -> Tensor:
        """Recover all frames of tokens (B, t, ..., C) after the last layer."""
        if self.recoverer is None:
            return x
        return self.recoverer(x, self.kept, self.num_frames)


def prune(
    layers: nn.ModuleList | nn.Sequential,
    embed_dims: int,
    num_frames: int,
    pruner: Pruner | Sequence[Pruner],
    recoverer: str | TokenRecoverer | InterpolationRecoverer | None = 'attention',
    num_heads: int = 8,
) -> HookedHourglass:
    """Prune frames before some layers of a transformer and recover them after the last.

    The layers keep their places in the list, and their owner its forward function. The
    result is also ``layers.hourglass``. Its weights are in the state dict of the owner,
    below the first layer.

    Args:
        layers (ModuleList | Sequential): Layers, each from (B, t, C) or (B, t, K, C)
            to the same shape, for any t.
        embed_dims (int): Channels ``C``.
        num_frames (int): Frames ``T`` of a window.
        pruner (Pruner | Sequence[Pruner]): Pruners, from shallow to deep.
        recoverer (str | Module, optional): 'attention', 'interpolation' or a recoverer.
            Without one, the layers return the kept frames, one of which is the center.
        num_heads (int): Heads of the recovering attention.

    Raises:
        ValueError: If pruners do not fit the layers, or layers are already pruned.
    """
    if hasattr(layers, 'hourglass'):
        raise ValueError('layers are already pruned: set layers.hourglass.keep instead')
    built: Any = recoverer
    if isinstance(recoverer, str):
        attention = AttentionRecoverer(num_frames, embed_dims, num_heads)
        known = {'attention': attention, 'interpolation': InterpolationRecoverer()}
        require_choice('recoverer', recoverer, known)
        built = known[recoverer]
    hourglass = HookedHourglass(num_frames, len(layers), pruner, built)
    hourglass.to(next(layers.parameters())).train(layers.training)
    hourglass.attach(layers)
    return hourglass


def _find_attention(layer: nn.Module) -> nn.Module:
    """Return the last attention in a layer, for the attention that frames receive.

    Raises:
        ValueError: If there is none.
    """
    found = [
        module
        for module in layer.modules()
        if isinstance(module, nn.MultiheadAttention) or hasattr(module, 'qkv')
    ]
    if not found:
        raise ValueError(
            'AttentionPruner needs nn.MultiheadAttention, or an attention with qkv and '
            f'num_heads, in the layer before it, and {type(layer).__name__} has none'
        )
    return found[-1]
