"""Layers of MHFormer, in which three hypotheses are an axis: ``(B, T, 3, C)``."""

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
    """Residual MLP on the concatenated hypotheses of each frame."""

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
    """Self-hypothesis refinement (SHR): attention within each hypothesis, then MLP."""

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
        """Return also the attention that each frame receives, (B, T)."""
        steps = zip(x.unbind(2), self.norms, self.attns, strict=True)
        received = [received_attention(attn, norm(h)) for h, norm, attn in steps]
        return self(x), torch.stack(received).mean(0)


class CrossHypothesisInteraction(nn.Module):
    """Cross-hypothesis interaction (CHI): attention across hypotheses, then MLP.

    Each step updates the hypothesis that provides the values, with queries and keys
    from the other two; later steps see the updates.
    """

    # hypotheses that provide queries, keys and values
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
            self._interact(step, hypotheses, hypotheses)
        return self.mix(torch.stack(hypotheses, dim=2))

    def at_frame(self, x: Tensor, frame: Tensor) -> Tensor:
        """Return the output of one frame, (B, 1, 3, C), by its index (B,)."""
        hypotheses, last = list(x.unbind(2)), len(self._STEPS) - 1
        for step in range(last):
            self._interact(step, hypotheses, hypotheses)
        at_frame = [take_token(hypothesis, frame) for hypothesis in hypotheses]
        self._interact(last, at_frame, hypotheses)
        return self.mix(torch.stack(at_frame, dim=2))

    def _interact(
        self, step: int, updated: list[Tensor], context: list[Tensor]
    ) -> None:
        """Update one of ``updated`` in place, with keys and values of ``context``."""
        query, key, own = self._STEPS[step]
        norm_query, norm_key, norm_value = self.norms[step]
        update = self.attns[step](
            norm_query(updated[query]),
            norm_key(context[key]),
            norm_value(context[own]),
        )
        updated[own] = updated[own] + self.drop_path(self.drop(update))
