"""Hourglass: prune frames between the layers of a host, and recover them at the end.

`Hourglass Tokenizer <https://arxiv.org/abs/2311.12028>`_ (HoT, CVPR 2024) and, with
several prune depths, the pyramids of `H2OT <https://arxiv.org/abs/2509.06956>`_ (TPAMI
2025).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import torch
from mmengine.logging import print_log
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.errors import ArgumentError
from mmhot.models.tokens.pruners import Frames
from mmhot.models.tokens.recoverers import PoseRecoverer, PrunedFeatures, TokenRecoverer
from mmhot.models.tokens.selection import gather_tokens

Keep = int | Sequence[int]


class Hourglass(nn.Module):
    """Run a host's layers, prune frames before some of them, and recover the frames.

    Without a pruner it has no parameters and only runs the layers. With a recoverer of
    tokens it adds a learned embedding to the kept tokens, by their order. Without a
    recoverer all pruners keep the center frame.

    Args:
        num_frames (int): Frames ``T`` of a window.
        num_layers (int): Layers of the host.
        embed_dims (int): Channels ``C`` of the tokens.
        pruner (dict | list[dict], optional): Configs of pruners, from shallow to deep.
            A single config with lists as ``num_keep`` and ``depth`` is a pyramid of
            pruners of one type.
        recoverer (dict, optional): Config of a recoverer of tokens or poses.
        num_heads (int): Heads of the recoverer's attention.
        qkv_bias (bool): Whether its queries, keys and values have a bias.
        first_depth (int): Least ``depth`` of a pruner.
        fixed_lengths (bool): Whether layers accept only the number of frames that they
            were built for.

    Raises:
        ValueError: If pruners do not fit each other or the host, or if there is a
            recoverer without a pruner.
    """

    def __init__(
        self,
        num_frames: int,
        num_layers: int,
        embed_dims: int,
        pruner: dict | Sequence[dict] | None = None,
        recoverer: dict | None = None,
        num_heads: int = 8,
        qkv_bias: bool = True,
        first_depth: int = 0,
        fixed_lengths: bool = False,
    ) -> None:
        super().__init__()
        if recoverer is not None and not pruner:
            raise ValueError('backbone.recoverer needs a pruner: set backbone.pruner')
        configs = _split_pyramid(pruner) if isinstance(pruner, dict) else pruner or []
        center = {'keep_center': True} if recoverer is None else {}
        self.pruners = nn.ModuleList(MODELS.build({**x, **center}) for x in configs)
        self.num_frames = num_frames
        self.num_layers = num_layers
        self.fixed_lengths = fixed_lengths
        self._check_pruners(first_depth)
        self.recoverer: Any = None
        if recoverer is not None:
            sizes = dict(num_frames=num_frames, embed_dims=embed_dims)
            sizes.update(num_heads=num_heads, qkv_bias=qkv_bias)
            self.recoverer = _build_recoverer(recoverer, sizes)
        self.slot_embeddings = nn.ParameterList(
            nn.Parameter(self.recoverer.initial_slots(pruner.num_keep))
            for pruner in self.pruners
            if self.recovers_tokens
        )
        self.register_load_state_dict_pre_hook(_fit_slots)

    @property
    def recovers_tokens(self) -> bool:
        """Whether all frames are recovered before the head."""
        return isinstance(self.recoverer, TokenRecoverer)

    @property
    def num_outputs(self) -> int:
        """Frames that always have a pose: all, or only the center one."""
        is_whole = not self.pruners or self.recoverer is not None
        return self.num_frames if is_whole else 1

    @property
    def lengths(self) -> list[int]:
        """Number of frames in each layer, ``num_layers`` numbers."""
        lengths = [self.num_frames] * self.num_layers
        for pruner in self.pruners:
            lengths[pruner.depth :] = [pruner.num_keep] * (
                self.num_layers - pruner.depth
            )
        return lengths

    def forward(
        self,
        x: Tensor,
        layers: Sequence[Callable],
        frame_features: Callable[[Tensor], Tensor],
        poses: Tensor,
        kept: Sequence[Tensor] | None = None,
        keep: Keep | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the layers.

        Args:
            x (Tensor): Tokens, (B, T, ..., C).
            layers (Sequence[Callable]): See :meth:`Host.get_layers`.
            frame_features (Callable): Maps tokens to features of frames, (B, t, F).
            poses (Tensor): Input of the host, (B, T, K, C).
            kept (Sequence[Tensor], optional): Indices of the frames that each pruner
                must keep, (B, t), from an earlier call. By default pruners choose.
            keep (int or Sequence[int], optional): Number of frames that each pruner
                keeps, instead of its ``num_keep``.

        Returns:
            tuple[Tensor, tuple[Tensor]]: Tokens after the last layer, (B, t, ..., C),
            and the indices of the frames that each pruner kept, (B, t).
        """
        batch, num_frames = x.shape[:2]
        keeps = self.keep_counts(keep, num_frames)
        index = torch.arange(num_frames, device=x.device).expand(batch, -1)
        kept_by_pruner = []
        first = 0  # first layer that has not run yet
        for place, pruner in enumerate(self.pruners):
            received = None
            watched = pruner.depth - int(pruner.reads_attention)
            for layer in layers[first:watched]:
                x = layer(x)
            if pruner.reads_attention:
                x, received = layers[watched].watch(x)
            if kept is None:
                # Input poses of the frames that are left, (B, t, K, C)
                inputs = gather_tokens(poses, index) if place else poses
                center = (index == (num_frames - 1) // 2).int().argmax(1)
                frames = Frames(frame_features(x).detach(), inputs, received, center)
                slots = pruner(frames, keeps[place])
            else:
                slots = torch.searchsorted(index.contiguous(), kept[place])
            index = index.gather(1, slots)
            first = pruner.depth
            x = self._embed_slots(gather_tokens(x, slots), place)
            kept_by_pruner.append(index)
        for layer in layers[first:]:
            x = layer(x)
        return x, tuple(kept_by_pruner)

    def recover(
        self, x: Tensor, kept_by_pruner: tuple[Tensor, ...], num_frames: int
    ) -> Tensor | PrunedFeatures:
        """Recover tokens, or pass on the recoverer of poses, which runs after the head.

        Args:
            x (Tensor): Tokens of the kept frames, (B, t, ..., C).
            kept_by_pruner (tuple[Tensor]): Frames that each pruner kept, (B, t).
            num_frames (int): Frames ``T`` of the window.

        Returns:
            Tensor | PrunedFeatures: Tokens, (B, T', ..., C), with the indices of the
            kept frames; only the tokens if the model has no pruner.
        """
        if not self.pruners:
            return x
        kept = kept_by_pruner[-1]
        if self.recovers_tokens:
            x = self.recoverer(x, kept, num_frames)
        frames = kept if self.recoverer is None else None
        after_head = None if self.recovers_tokens else self.recoverer
        return PrunedFeatures(x, kept_by_pruner, num_frames, frames, after_head)

    def keep_counts(self, keep: Keep | None, num_frames: int) -> list[int]:
        """Return how many frames each pruner keeps.

        Args:
            keep (int or Sequence[int], optional): Numbers instead of ``num_keep``.
            num_frames (int): Frames ``T`` of the window.

        Raises:
            ValueError: If the numbers do not fit the pruners or the window.
        """
        built = [pruner.num_keep for pruner in self.pruners]
        if keep is None:
            return _check_counts(built, num_frames, 'num_keep')
        if not built:
            raise ArgumentError(
                '{keep=%r} needs a pruner, and this model has none', keep
            )
        keeps = list(keep) if isinstance(keep, Sequence) else [keep]
        if len(keeps) != len(built):
            raise ArgumentError(
                '{keep} must be one number for each pruner (%s), got %r',
                len(built),
                keep,
            )
        if self.fixed_lengths and keeps != built:
            raise ArgumentError(
                '{keep=%r} is not possible: the layers of this model are built for %s '
                'kept frames',
                keep,
                ', '.join(map(str, built)),
            )
        return _check_counts(keeps, num_frames, 'keep')

    def _embed_slots(self, x: Tensor, place: int) -> Tensor:
        """Add the embedding of the kept slots to tokens (B, t, ..., C)."""
        if not len(self.slot_embeddings):
            return x
        table = _resample(self.slot_embeddings[place], x.shape[1])
        return x + table.reshape(len(table), *[1] * (x.ndim - 3), -1)

    def _check_pruners(self, first_depth: int) -> None:
        """Raise if pruners do not fit each other or the host."""
        deepest = self.num_layers - 1
        for pruner in self.pruners:
            first = max(first_depth, int(pruner.reads_attention))
            if pruner.depth not in range(first, deepest + 1):
                raise ValueError(
                    f'depth of {type(pruner).__name__}, the layer before which it '
                    f'prunes, must be from {first} to {deepest}, got {pruner.depth}'
                )
        depths = [pruner.depth for pruner in self.pruners]
        if any(first >= second for first, second in pairwise(depths)):
            raise ValueError(f'depth must rise from pruner to pruner, got {depths}')
        self.keep_counts(None, self.num_frames)


def _split_pyramid(pruner: dict) -> list[dict]:
    """Split the config of a pyramid, with lists of counts and depths, into pruners."""
    counts = pruner.get('num_keep')
    depths = pruner.get('depth')
    if not isinstance(counts, Sequence) or not isinstance(depths, Sequence):
        return [pruner]
    if len(counts) != len(depths):
        raise ValueError(
            f'num_keep and depth of a pyramid must be lists of the same length, got '
            f'{counts} and {depths}'
        )
    return [
        {**pruner, 'num_keep': count, 'depth': depth}
        for count, depth in zip(counts, depths, strict=True)
    ]


def _build_recoverer(
    config: dict, sizes: dict[str, int]
) -> TokenRecoverer | PoseRecoverer:
    """Build a recoverer; a recoverer of tokens also needs the sizes of the host."""
    kind = config.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if isinstance(found, type) and issubclass(found, TokenRecoverer):
        return MODELS.build({**sizes, **config})
    if isinstance(found, type) and issubclass(found, PoseRecoverer):
        return MODELS.build(config)
    raise ValueError(
        'recoverer needs a type, AttentionRecoverer, InterpolationRecoverer or another '
        f'subclass of TokenRecoverer or PoseRecoverer, got {kind!r}'
    )


def _check_counts(keeps: Sequence[Any], num_frames: int, name: str) -> list[int]:
    """Return counts of kept frames; raise unless they fall, from ``T`` or less to 1."""
    most = num_frames
    for keep in keeps:
        is_count = isinstance(keep, Integral) and not isinstance(keep, bool)
        if not (is_count and 1 <= keep <= most):
            raise ArgumentError(
                f'{{{name}}} must be from 1 to %s, got %r for %s frames',
                most,
                keep,
                num_frames,
            )
        most = keep - 1
    return [int(keep) for keep in keeps]


def _resample(table: Tensor, count: int) -> Tensor:
    """Interpolate an embedding (t, C) over time for another number of slots."""
    if len(table) == count:
        return table
    return nn.functional.interpolate(
        table.T[None], count, mode='linear', align_corners=True
    )[0].T


def _fit_slots(
    hourglass: Hourglass, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Resample weights (t, C) that were trained with other numbers of kept frames."""
    for place, table in enumerate(hourglass.slot_embeddings):
        key = f'{prefix}slot_embeddings.{place}'
        saved = state_dict.get(key)
        if saved is None or saved.shape[1:] != table.shape[1:]:
            continue
        if len(saved) != len(table):
            print_log(
                f'{key}: {len(saved)} slots resampled to the {len(table)} kept frames',
                'current',
            )
            state_dict[key] = _resample(saved, len(table))
