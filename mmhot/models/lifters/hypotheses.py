"""MHFormer's layers for several hypotheses of the same poses.

`MHFormer: Multi-Hypothesis Transformer for 3D Human Pose Estimation
<https://arxiv.org/abs/2111.12707>`_ (CVPR 2022). Hypotheses stay side by side, as an
axis between frames and channels, so that whatever gathers frames keeps them together.
"""

import torch
from torch import Tensor, nn

from mmhot.models.layers.attention import (
    Attention,
    CrossAttention,
    received_attention,
    take_token,
)
from mmhot.models.layers.blocks import MLP, DropPath

NUM_HYPOTHESES = 3


class HypothesisMLP(nn.Module):
    """Residual perceptron on a frame's concatenated hypotheses."""

    def __init__(
        self, embed_dims: int, mlp_dims: int, drop_rate: float, drop_path: float
    ) -> None:
        super().__init__()
        dims = NUM_HYPOTHESES * embed_dims
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = MLP(dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, 3, C)`` to ``(B, T, 3, C)``."""
        joined = x.flatten(2)
        joined = joined + self.drop_path(self.mlp(self.norm(joined)))
        return joined.view_as(x)


class SelfHypothesisRefinement(nn.Module):
    """Self-hypothesis refinement (SHR): attention within each hypothesis, then MLP.

    Args:
        embed_dims (int): Channels ``C`` of a hypothesis.
        num_heads (int): Heads of each attention.
        mlp_dims (int): Hidden channels of the MLP.
        drop_rate (float): Dropout rate after attention and in the MLP.
        drop_path (float): Rate of stochastic depth.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        drop_rate: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        hypotheses = range(NUM_HYPOTHESES)
        self.norms = nn.ModuleList(
            nn.LayerNorm(embed_dims, eps=1e-6) for _ in hypotheses
        )
        self.attns = nn.ModuleList(
            Attention(embed_dims, num_heads, proj_drop=drop_rate) for _ in hypotheses
        )
        self.drop_path = DropPath(drop_path)
        self.mix = HypothesisMLP(embed_dims, mlp_dims, drop_rate, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, 3, C)`` to ``(B, T, 3, C)``."""
        steps = zip(x.unbind(2), self.norms, self.attns, strict=True)
        refined = [h + self.drop_path(attn(norm(h))) for h, norm, attn in steps]
        return self.mix(torch.stack(refined, dim=2))

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Also return the attention that each frame receives, (B, T)."""
        steps = zip(x.unbind(2), self.norms, self.attns, strict=True)
        received = [received_attention(attn, norm(h)) for h, norm, attn in steps]
        return self(x), torch.stack(received).mean(0)


class CrossHypothesisInteraction(nn.Module):
    """Cross-hypothesis interaction (CHI): each hypothesis asks the others, then MLP.

    A hypothesis gathers its *own* features, at the frames that matter to a second
    hypothesis in the light of a third. Later ones ask what the earlier have become.

    The arguments are those of :class:`SelfHypothesisRefinement`.
    """

    # Queries, keys and values of each step; values are what the step updates.
    _STEPS = ((1, 2, 0), (0, 2, 1), (0, 1, 2))

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        drop_rate: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.LayerNorm(embed_dims, eps=1e-6) for _ in step)
            for step in self._STEPS
        )
        self.attns = nn.ModuleList(
            CrossAttention(embed_dims, num_heads) for _ in self._STEPS
        )
        self.drop = nn.Dropout(drop_rate)
        self.drop_path = DropPath(drop_path)
        self.mix = HypothesisMLP(embed_dims, mlp_dims, drop_rate, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, 3, C)`` to ``(B, T, 3, C)``."""
        hypotheses = list(x.unbind(2))
        for step in range(len(self._STEPS)):
            self._ask(step, hypotheses, hypotheses)
        return self.mix(torch.stack(hypotheses, dim=2))

    def at_frame(self, x: Tensor, frame: Tensor) -> Tensor:
        """Result of one frame alone, (B, 1, 3, C), by its place (B,)."""
        hypotheses = list(x.unbind(2))
        *others, last = range(len(self._STEPS))
        for step in others:
            self._ask(step, hypotheses, hypotheses)
        wanted = [take_token(hypothesis, frame) for hypothesis in hypotheses]
        self._ask(last, wanted, hypotheses)
        return self.mix(torch.stack(wanted, dim=2))

    def _ask(self, step: int, asking: list[Tensor], asked: list[Tensor]) -> None:
        """Update one of the hypotheses that ask, in the list."""
        query, key, own = self._STEPS[step]
        roles = asking[query], asked[key], asked[own]
        norms = self.norms[step]
        update = self.attns[step](
            *(norm(x) for norm, x in zip(norms, roles, strict=True))
        )
        asking[own] = asking[own] + self.drop_path(self.drop(update))
