"""Recoverers of tokens and of poses of pruned frames."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mmhot.models.layers.attention import CrossAttention
from mmhot.models.layers.blocks import sine_moments
from mmhot.models.tokens.selection import gather_tokens

# Gain of the initial projections of queries and keys. It concentrates attention on the
# nearest kept frames. With gains of 2 to 6 the poses of a trained MotionBERT change
# equally little.
_SHARPNESS = 3.0


class TokenRecoverer(nn.Module, ABC):
    """Base class of recoverers of tokens, between the last layer and the head.

    With :class:`InterpolationRecoverer` it is H2OT's token recovering module (TRM).
    Subclasses are built with the host's ``num_frames``, ``embed_dims``, ``num_heads``
    and ``qkv_bias``.
    """

    @abstractmethod
    def forward(self, x: Tensor, kept: Tensor, num_frames: int) -> Tensor:
        """Recover the tokens of all frames, (B, T, ..., C).

        Args:
            x (Tensor): Tokens of the kept frames, (B, t, ..., C).
            kept (Tensor): Indices of these frames, sorted, (B, t).
            num_frames (int): Frames ``T`` of the window.
        """

    @abstractmethod
    def initial_slots(self, count: int) -> Tensor:
        """Return the initial embedding of the kept slots, (count, C)."""

    def restart(self) -> None:
        """Initialize again, after the host has initialized all its linear layers."""


class AttentionRecoverer(TokenRecoverer):
    """Token recovering attention (TRA): a learned query for every frame.

    With queries ``q`` (T, C) and kept tokens ``x`` (t, C) the result is
    ``q + attention(q, x, x)``. The queries do not depend on the input and are projected
    once for all keypoints and samples. The indices of the kept frames are not used.

    Args:
        num_frames (int): Frames ``T``; set by the host.
        embed_dims (int): Channels ``C``; set by the host.
        num_heads (int): Heads; the host's by default.
        qkv_bias (bool): Whether queries, keys and values have a bias; as in the host
            by default.
        sine_start (bool): Whether queries and slot embeddings start as sines of their
            time, with equal projections of queries and keys, so that each frame attends
            to its neighbors from the start. By default they start with zeros, as
            published.
    """

    def __init__(
        self,
        num_frames: int,
        embed_dims: int,
        num_heads: int = 8,
        qkv_bias: bool = True,
        sine_start: bool = False,
    ) -> None:
        super().__init__()
        self.sine_start = sine_start
        self.queries = nn.Parameter(torch.zeros(num_frames, embed_dims))
        self.attention = CrossAttention(embed_dims, num_heads, qkv_bias)
        if sine_start:
            self.queries.data = self._sines(num_frames)
            self._equalize_projections()

    def restart(self) -> None:
        """Draw the projections again if ``sine_start`` is set."""
        if self.sine_start:
            # The host's small weights would make all logits alike.
            self.attention.query.reset_parameters()
            self._equalize_projections()

    def _equalize_projections(self) -> None:
        """Copy the projection of queries to keys."""
        self.attention.key.load_state_dict(self.attention.query.state_dict())

    def initial_slots(self, count: int) -> Tensor:
        """Return the initial embedding of the kept slots, (count, C)."""
        if self.sine_start:
            return self._sines(count)
        return self.queries.new_zeros(count, self.queries.shape[1])

    def _sines(self, count: int) -> Tensor:
        """Encode the middles of equal parts of the window, (count, C)."""
        num_frames, embed_dims = self.queries.shape
        middles = (torch.arange(count) + 0.5) * num_frames / count
        return sine_moments(middles, num_frames, embed_dims)

    def forward(self, x: Tensor, kept: Tensor, num_frames: int) -> Tensor:
        """Recover tokens (B, T, ..., C); see :class:`TokenRecoverer`."""
        queries = self.queries[:num_frames]
        x = x.movedim(1, -2).contiguous()  # (B, ..., t, C)
        return (queries + self.attention(queries, x, x)).movedim(-2, 1).contiguous()


class TimedAttentionRecoverer(AttentionRecoverer):
    """TRA that knows the times of the kept frames, and starts as an interpolation.

    Each key is the sum of a token and the query of its frame, and queries are not added
    to the result. At the start queries are sines of the time, keys have the projection
    of queries, and values are not changed. Each recovered frame is then a mean of the
    kept frames around it, so that a trained host keeps its accuracy. Parameters and
    arguments are the same as for :class:`AttentionRecoverer`, except ``sine_start``.
    The papers have neither times nor this start.
    """

    def __init__(
        self,
        num_frames: int,
        embed_dims: int,
        num_heads: int = 8,
        qkv_bias: bool = True,
    ) -> None:
        super().__init__(num_frames, embed_dims, num_heads, qkv_bias)
        self.queries.data = self._sines(num_frames)
        self.restart()

    def restart(self) -> None:
        """Initialize the projections; see the class."""
        nn.init.orthogonal_(self.attention.query.weight, _SHARPNESS)
        self._equalize_projections()
        for layer in (self.attention.value, self.attention.proj):
            nn.init.eye_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, kept: Tensor, num_frames: int) -> Tensor:
        """Recover tokens (B, T, ..., C); see :class:`TokenRecoverer`."""
        x = x.movedim(1, -2).contiguous()  # (B, ..., t, C)
        times = self.queries[kept]  # (B, t, C)
        times = times.reshape(len(times), *[1] * (x.ndim - 3), *times.shape[1:])
        return (
            self.attention(self.queries[:num_frames], x + times, x)
            .movedim(-2, 1)
            .contiguous()
        )


class InterpolationRecoverer(nn.Module):
    """Token recovering interpolation (TRI): interpolate poses between kept frames.

    Frames before the first kept frame and after the last one repeat its pose.
    """

    def forward(self, x: Tensor, kept: Tensor, num_frames: int) -> Tensor:
        """Recover the poses of all frames, (B, T, K, 3), after the head.

        Args:
            x (Tensor): Poses of the kept frames, (B, t, K, 3).
            kept (Tensor): Indices of these frames, sorted, (B, t).
            num_frames (int): Frames ``T`` of the window.
        """
        frames = torch.arange(num_frames, device=kept.device)
        # Unlike torch.searchsorted, which does the same, a sum exports to ONNX.
        after = (kept[:, None] < frames[:, None]).sum(-1)  # (B, T)
        after = after.clamp(max=kept.shape[1] - 1)
        before = (after - 1).clamp(min=0)
        start = kept.gather(1, before)
        end = kept.gather(1, after)
        weight = (frames - start) / (end - start).clamp(min=1)
        weight = weight.clamp(0, 1).to(x.dtype)
        weight = weight.reshape(*weight.shape, *[1] * (x.ndim - 2))
        return gather_tokens(x, before).lerp(gather_tokens(x, after), weight)
