"""Recoverers: from the frames that were kept back to all.

A recoverer says where it works: on tokens, before the head (``on_tokens``), or on
the poses that the head gives.
"""

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.attention import CrossAttention
from mmhot.models.layers.blocks import sine_moments
from mmhot.models.tokens.selection import gather_tokens


@MODELS.register_module()
class AttentionRecoverer(nn.Module):
    """Token recovering attention (TRA): a learned query for every frame.

    The queries do not depend on the input, so they are projected once a pass, for
    all keypoints and samples. Where kept frames were is not told.

    Args:
        num_frames (int): Frames ``T``. The host fills it in.
        embed_dims (int): Channels ``C``. The host fills it in.
        num_heads (int): Heads; by default the host's.
        qkv_bias (bool): Whether queries, keys and values have a bias; by default as
            in the host.
        sine_start (bool): Whether queries and the embedding of kept slots begin as
            sines of their time, and keys are projected as queries, so that each frame
            looks at those near it first. As published, all begin with zeros, and a
            training has to find out what comes when. Defaults to False.
    """

    on_tokens = True

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
            self.queries.data = self.start_slots(num_frames)
            self._project_alike()

    def restart(self) -> None:
        """Begin with sines again, after a host has drawn all of its linear layers.

        Nothing happens without ``sine_start``.
        """
        if self.sine_start:
            # a host's small weights would leave all logits alike
            self.attention.query.reset_parameters()
            self._project_alike()

    def _project_alike(self) -> None:
        self.attention.key.load_state_dict(self.attention.query.state_dict())

    def start_slots(self, count: int) -> Tensor:
        """What the embedding of so many kept slots begins with, (count, C)."""
        num_frames, embed_dims = self.queries.shape
        if not self.sine_start:
            return torch.zeros(count, embed_dims)
        middles = (torch.arange(count) + 0.5) * num_frames / count
        return sine_moments(middles, num_frames, embed_dims)

    def forward(self, x: Tensor, kept: Tensor, num_frames: int) -> Tensor:
        """Recover tokens (B, T, ..., C) of all frames.

        Args:
            x (Tensor): Tokens of the frames kept, (B, t, ..., C).
            kept (Tensor): Which frames those are; not used.
            num_frames (int): Frames ``T``, at most those it was built for.
        """
        queries = self.queries[:num_frames]
        # what is not contiguous would not be one product
        x = x.movedim(1, -2).contiguous()  # (B, ..., t, C)
        recovered = queries + self.attention(queries, x, x)
        return recovered.movedim(-2, 1).contiguous()


@MODELS.register_module()
class InterpolationRecoverer(nn.Module):
    """Token recovering interpolation (TRI): poses between those of kept frames.

    It has no parameters. Before the first and after the last kept frame, poses are
    theirs.

    Args:
        mode (str): 'linear' or 'nearest'; of two equally near frames the earlier.
            Defaults to 'linear'.
    """

    on_tokens = False

    def __init__(self, mode: str = 'linear') -> None:
        super().__init__()
        if mode not in ('linear', 'nearest'):
            raise ValueError(f"mode must be 'linear' or 'nearest', got {mode!r}")
        self.mode = mode

    def forward(self, x: Tensor, kept: Tensor, num_frames: int) -> Tensor:
        """Recover poses (B, T, ..., C) of all frames.

        Args:
            x (Tensor): Poses of the frames kept, (B, t, ..., C).
            kept (Tensor): Which frames those are, sorted, (B, t).
            num_frames (int): Frames ``T``.
        """
        frames = torch.arange(num_frames, device=kept.device)
        frames = frames.expand(kept.shape[0], -1).contiguous()  # (B, T)
        after = torch.searchsorted(kept.contiguous(), frames)
        after = after.clamp(max=kept.shape[1] - 1)
        before = (after - 1).clamp(min=0)
        start, end = kept.gather(1, before), kept.gather(1, after)
        weight = (frames - start) / (end - start).clamp(min=1)
        weight = weight.clamp(0, 1).to(x.dtype)
        if self.mode == 'nearest':
            weight = (weight > 0.5).to(x.dtype)
        weight = weight.reshape(*weight.shape, *[1] * (x.ndim - 2))
        return gather_tokens(x, before).lerp(gather_tokens(x, after), weight)
