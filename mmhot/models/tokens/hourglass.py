"""Hourglass: prune frames within a host's layers, recover them after.

`Hourglass Tokenizer <https://arxiv.org/abs/2311.12028>`_ (HoT, CVPR 2024), and with
several prune depths the pyramids of `H2OT <https://arxiv.org/abs/2509.06956>`_ (TPAMI
2025). It knows nothing about keypoints, hypotheses or hosts.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import torch
from mmengine.logging import print_log
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.execution import being_traced
from mmhot.models.tokens.pruned_features import PrunedFeatures
from mmhot.models.tokens.pruners import Frames
from mmhot.models.tokens.selection import gather_tokens

Keep = int | Sequence[int]
Kept = Tensor | Sequence[Tensor]


class Hourglass(nn.Module):
    """Runs a host's layers, prunes before some, and recovers in the end.

    Without a pruner it has no parameters and does nothing but run the layers. With a
    recoverer of tokens it adds a learned embedding to the tokens that are kept, by
    their order, not their frame.

    Args:
        num_frames (int): Frames ``T`` that the host is built for.
        num_layers (int): The host's layers.
        embed_dims (int): Channels ``C``.
        pruner (dict or list[dict], optional): Config of a pruner, or of several from
            shallow to deep. Without a recoverer ``keep_center`` is True unless given.
        recoverer (dict, optional): Config of a recoverer.
        num_heads (int): Heads of a recoverer with attention. Defaults to 8.
        qkv_bias (bool): Whether its queries, keys and values have a bias. Defaults
            to True.
        first_depth (int): The first layer before which the host can be pruned.
            Defaults to 0.
        fixed_lengths (bool): Whether the host's layers only take the number of frames
            that they were built for. Defaults to False.
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
        for name, count in (('num_frames', num_frames), ('num_layers', num_layers)):
            if count < 1:
                raise ValueError(f'{name} must be at least 1, got {count}')
        if recoverer is not None and not pruner:
            raise ValueError('a recoverer needs a pruner: set pruner too')
        pruner = [pruner] if isinstance(pruner, dict) else pruner or []
        defaults = {'keep_center': recoverer is None}
        self.pruners = nn.ModuleList(MODELS.build({**defaults, **p}) for p in pruner)
        self.num_frames, self.num_layers = num_frames, num_layers
        self.fixed_lengths = fixed_lengths
        self._check(first_depth)
        self.recoverer = None
        if recoverer is not None:
            sizes = dict(num_frames=num_frames, embed_dims=embed_dims)
            sizes |= dict(num_heads=num_heads, qkv_bias=qkv_bias)
            sizes = sizes if _works_on_tokens(recoverer) else {}
            self.recoverer = MODELS.build({**sizes, **recoverer})
        self.slot_embeddings = nn.ParameterList(
            nn.Parameter(self.recoverer.start_slots(p.num_keep))
            for p in self.pruners
            if self.recovers_tokens
        )
        self.register_load_state_dict_pre_hook(_fit_slots)

    def check_layers(self, layers: Sequence[Callable]) -> None:
        """See to it that pruners that read attention come after layers that tell it.

        Raises:
            ValueError: If one does not.
        """
        for pruner in self.pruners:
            before = layers[pruner.depth - 1]
            if pruner.reads_attention and not hasattr(before, 'watch'):
                raise ValueError(
                    f'{type(pruner).__name__} at depth {pruner.depth} reads the '
                    f'attention of the layer before it, a {type(before).__name__}, '
                    'which does not tell it'
                )

    def restart(self) -> None:
        """Let the recoverer begin as it wants to, once a host has drawn its weights."""
        if self.recovers_tokens:
            self.recoverer.restart()

    @property
    def recovers_tokens(self) -> bool:
        """Whether all frames are recovered before the head."""
        return self.recoverer is not None and self.recoverer.on_tokens

    @property
    def num_outputs(self) -> int:
        """Frames whose poses can be relied on: all, or only the center one."""
        is_whole = not self.pruners or self.recoverer is not None
        return self.num_frames if is_whole else 1

    @property
    def lengths(self) -> list[int]:
        """Frames that each layer sees."""
        lengths = [self.num_frames] * self.num_layers
        for pruner in self.pruners:
            deeper = self.num_layers - pruner.depth
            lengths[pruner.depth :] = [pruner.num_keep] * deeper
        return lengths

    def forward(
        self,
        x: Tensor,
        layers: Sequence[Callable],
        frame_features: Callable[[Tensor], Tensor],
        poses: Tensor,
        kept: Kept | None = None,
        keep: Keep | None = None,
        center: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the layers.

        Args:
            x (Tensor): Tokens, (B, T, ..., C).
            layers (Sequence[Callable]): Each maps (B, T, ..., C) to the same shape.
                For a pruner that reads attention, the layer before it needs a method
                ``watch`` that returns its output and the attention that each frame
                receives, (B, T).
            frame_features (Callable): Maps tokens to features of frames, (B, T, F).
            poses (Tensor): The host's input, (B, T, K, C).
            kept (Tensor or Sequence[Tensor], optional): Frames to keep, (B, t) for
                each pruner, instead of what it would choose.
            keep (int or Sequence[int], optional): How many frames to keep, for each
                pruner, instead of what it was built for.
            center (bool): Whether only the center frame is wanted. That saves time if
                pruners keep it, nothing is recovered and the last layer has a method
                ``at_frame`` that takes the frame's place, (B,), too; else all frames
                come. Defaults to False.

        Returns:
            tuple[Tensor, tuple[Tensor]]: Tokens after the last layer, (B, t, ..., C),
            and the frames kept by each pruner, (B, t) each; no pruner, no frames.
        """
        batch, num_frames = x.shape[:2]
        given = self._given(kept, batch, num_frames)
        center = center and (kept is None or _have_center(given, num_frames))
        keeps = self.keep_counts(keep, num_frames)
        index = torch.arange(num_frames, device=x.device).expand(batch, -1)
        stages, received = [], None
        for depth, layer in enumerate(layers):
            stage = len(stages)
            if stage < len(self.pruners) and self.pruners[stage].depth == depth:
                slots = _slots_of(given[stage], index)
                if slots is None:
                    frames = self._frames(x, index, frame_features, poses, received)
                    slots = self.pruners[stage](frames, keeps[stage])
                index = index.gather(1, slots)
                x = self._embed_slots(gather_tokens(x, slots), stage)
                stages.append(index)
            if center and depth == self.num_layers - 1 and self._gives_center(layer):
                x = layer.at_frame(x, _center(index, num_frames))
            elif self._is_watched(depth, len(stages)):
                x, received = layer.watch(x)
            else:
                x = layer(x)
        return x, tuple(stages)

    def recover(
        self, x: Tensor, stages: tuple[Tensor, ...], num_frames: int
    ) -> Tensor | PrunedFeatures:
        """Recover the tokens, or see to it that poses will be.

        Args:
            x (Tensor): Tokens after the last layer and what the host has there.
            stages (tuple[Tensor]): What :meth:`forward` returned with them.
            num_frames (int): Frames ``T`` of the input.

        Returns:
            Tensor | PrunedFeatures: Without a pruner ``x`` as it is.
        """
        if not self.pruners:
            return x
        if not self.recovers_tokens:
            return PrunedFeatures(x, stages, num_frames, self.recoverer, False)
        x = self.recoverer(x, stages[-1], num_frames)
        return PrunedFeatures(x, stages, num_frames, None, True)

    def keep_counts(self, keep: Keep | None, num_frames: int) -> list[int]:
        """How many frames each pruner keeps of a window.

        Args:
            keep (int or Sequence[int], optional): What is wanted, if not what the
                pruners were built for.
            num_frames (int): Frames ``T`` of the window.

        Raises:
            ValueError: If that is impossible.
        """
        built = [pruner.num_keep for pruner in self.pruners]
        if keep is None:
            keeps = built
        elif not built:
            raise ValueError(f'keep={keep} needs a pruner, and this model has none')
        else:
            keeps = list(keep) if isinstance(keep, Sequence) else [keep]
        if len(keeps) != len(built):
            raise ValueError(
                f'keep must be a number for each of {len(built)} pruners, got {keep!r}'
            )
        if self.fixed_lengths and keeps != built:
            raise ValueError(
                f'keep={keep} cannot be changed: layers of this model are built for '
                f'{", ".join(map(str, built))} frames'
            )
        return _checked(keeps, num_frames, 'num_keep' if keep is None else 'keep')

    def _frames(
        self,
        x: Tensor,
        index: Tensor,
        frame_features: Callable,
        poses: Tensor,
        received: Tensor | None,
    ) -> Frames:
        """What a pruner sees of the frames that are still there."""
        center = _center(index, poses.shape[1])
        if index.shape[1] < poses.shape[1]:
            poses = gather_tokens(poses, index)
        return Frames(frame_features(x).detach(), poses, received, center)

    def _is_watched(self, depth: int, stage: int) -> bool:
        """Whether the next pruner reads the attention of this layer."""
        if stage == len(self.pruners) or not self.pruners[stage].reads_attention:
            return False
        return self.pruners[stage].depth == depth + 1

    def _gives_center(self, layer: Callable) -> bool:
        """Whether the last layer can give the center frame, and that is enough."""
        is_there = all(pruner.keep_center for pruner in self.pruners)
        return is_there and self.recoverer is None and hasattr(layer, 'at_frame')

    def _embed_slots(self, x: Tensor, stage: int) -> Tensor:
        """Add the embedding of kept slots to (B, t, ..., C)."""
        if not len(self.slot_embeddings):
            return x
        table = _stretch(self.slot_embeddings[stage], x.shape[1])
        return x + table.reshape(len(table), *[1] * (x.ndim - 3), -1)

    def _given(
        self, kept: Kept | None, batch: int, num_frames: int
    ) -> Sequence[Tensor | None]:
        """Frames that each pruner has to keep, checked."""
        if kept is None:
            return [None] * len(self.pruners)
        given = [kept] if isinstance(kept, Tensor) else list(kept)
        if not all(isinstance(index, Tensor) for index in given):
            kinds = ', '.join(sorted({type(index).__name__ for index in given}))
            raise ValueError(f'kept must be tensors, one for each pruner, got {kinds}')
        if len(given) != len(self.pruners):
            raise ValueError(
                f'kept must be frames for each of {len(self.pruners)} pruners, got '
                f'{len(given)}'
            )
        for index, pruner in zip(given, self.pruners, strict=True):
            if self.fixed_lengths and index.shape[-1] != pruner.num_keep:
                raise ValueError(
                    f'kept must have {pruner.num_keep} frames, for which this model '
                    f'is built, got {index.shape[-1]}'
                )
            has_shape = index.ndim == 2 and index.shape[0] == batch and index.shape[1]
            is_whole = not index.is_floating_point() and index.dtype != torch.bool
            # whoever exports a model vouches for the values
            is_sorted = being_traced() or _are_frames(index, num_frames)
            if not (has_shape and is_whole and is_sorted):
                raise ValueError(
                    f'kept must be sorted frames from 0 to {num_frames - 1}, '
                    f'({batch}, t), got {index.dtype} {tuple(index.shape)}: '
                    f'{index.tolist()}'
                )
        _checked([index.shape[1] for index in given], num_frames, 'the length of kept')
        return given

    def _check(self, first_depth: int) -> None:
        """Refuse pruners that do not fit each other or the host."""
        depths = [pruner.depth for pruner in self.pruners]
        deepest = self.num_layers - 1
        for pruner in self.pruners:
            first = max(first_depth, int(pruner.reads_attention))
            is_whole = isinstance(pruner.depth, Integral)
            if not is_whole or not first <= pruner.depth <= deepest:
                raise ValueError(
                    f'{type(pruner).__name__} prunes before layers {first} to '
                    f'{deepest} of this model, got depth={pruner.depth}'
                )
        if any(first >= second for first, second in pairwise(depths)):
            raise ValueError(f'depth of pruners must rise, got {depths}')
        kept_before = True
        for pruner in self.pruners:
            if pruner.keep_center and not kept_before:
                raise ValueError(
                    'keep_center of a pruner needs keep_center of those before it'
                )
            kept_before = pruner.keep_center
        keeps = [pruner.num_keep for pruner in self.pruners]
        _checked(keeps, self.num_frames, 'num_keep')


def _works_on_tokens(recoverer: dict) -> bool:
    """Whether the recoverer of a config works before the head."""
    kind = recoverer.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if not hasattr(found, 'on_tokens'):
        raise ValueError(
            'recoverer needs a type, AttentionRecoverer, InterpolationRecoverer or '
            f'another that says whether it works on_tokens, got {kind!r}'
        )
    return found.on_tokens


def _checked(keeps: Sequence[Any], num_frames: int, name: str) -> list[int]:
    """Refuse keep counts that do not fall from ``T`` to one or more."""
    before = num_frames
    for stage, keep in enumerate(keeps):
        most = before if stage == 0 else before - 1
        is_count = isinstance(keep, Integral) and not isinstance(keep, bool)
        if not is_count or not 1 <= keep <= most:
            raise ValueError(
                f'{name} must be from 1 to {most}, got {keep!r} for {num_frames} frames'
            )
        before = keep
    return [int(keep) for keep in keeps]


def _are_frames(index: Tensor, num_frames: int) -> bool:
    """Whether rows of indices rise from 0 at least to ``T - 1`` at most."""
    rises = (index.diff(dim=-1) > 0).all()
    return bool(rises & (index >= 0).all() & (index < num_frames).all())


def _have_center(given: Sequence[Tensor], num_frames: int) -> bool:
    """Whether the center frame is among those given at every stage."""
    if being_traced():  # which knows no values
        return False
    center = (num_frames - 1) // 2
    return all(bool((index == center).any(1).all()) for index in given)


def _center(index: Tensor, num_frames: int) -> Tensor:
    """Where the center frame is among those that are still there, (B,)."""
    return (index == (num_frames - 1) // 2).int().argmax(1)


def _stretch(table: Tensor, count: int) -> Tensor:
    """Embedding (t, C) for another number of slots, which are places in time."""
    if len(table) == count:
        return table
    return nn.functional.interpolate(
        table.T[None], count, mode='linear', align_corners=True
    )[0].T


def _fit_slots(
    hourglass: Hourglass, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Let weights trained with other numbers of kept frames start this one."""
    for stage, table in enumerate(hourglass.slot_embeddings):
        key = f'{prefix}slot_embeddings.{stage}'
        given = state_dict.get(key)
        if given is None or given.shape[1:] != table.shape[1:]:
            continue
        if len(given) != len(table):
            print_log(
                f'{key}: {len(given)} slots resampled to the {len(table)} kept frames',
                'current',
            )
            state_dict[key] = _stretch(given, len(table))


def _slots_of(kept: Tensor | None, index: Tensor) -> Tensor | None:
    """Where frames (B, t) are among those still there (B, T)."""
    if kept is None:
        return None
    slots = torch.searchsorted(index.contiguous(), kept.contiguous())
    found = index.gather(1, slots.clamp(max=index.shape[1] - 1))
    if not being_traced() and not torch.equal(found, kept):
        raise ValueError('kept holds frames that an earlier pruner does not keep')
    return slots
