"""MHFormer: three hypotheses of a motion, refined separately and together.

`MHFormer: Multi-Hypothesis Transformer for 3D Human Pose Estimation
<https://arxiv.org/abs/2111.12707>`_ (CVPR 2022). The 1x1 convolutions of the published
code are linear layers, and the last one is part of the head. No recoverer of tokens is
published for this host; here it runs before the last normalizations.
"""

from typing import Any

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.attention import Attention, CrossAttention, received_attention
from mmhot.models.layers.blocks import (
    DropPath,
    PositionTable,
    ResidualMLP,
    TransformerBlock,
    build_blocks,
)
from mmhot.models.lifters.host import Host

NUM_HYPOTHESES = 3


class SelfHypothesisRefinement(nn.Module):
    """Self-hypothesis refinement (SHR): attention within each hypothesis, then MLP.

    The MLP mixes the hypotheses of each frame.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        drop_rate: float,
        drop_path: float,
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
        all_dims = NUM_HYPOTHESES * embed_dims
        self.mix = ResidualMLP(all_dims, mlp_dims, drop_rate, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, 3, C)`` to ``(B, T, 3, C)``."""
        steps = zip(x.unbind(2), self.norms, self.attns, strict=True)
        refined = [h + self.drop_path(attn(norm(h))) for h, norm, attn in steps]
        return self.mix(torch.cat(refined, dim=-1)).view_as(x)

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return also the attention that each frame receives, (B, T)."""
        steps = zip(x.unbind(2), self.norms, self.attns, strict=True)
        received = [received_attention(attn, norm(h)) for h, norm, attn in steps]
        return self(x), torch.stack(received).mean(0)


class CrossHypothesisInteraction(nn.Module):
    """Cross-hypothesis interaction (CHI): attention across hypotheses, then MLP.

    Each step updates the hypothesis that provides the values, with queries and keys
    from the other two. Later steps see the updates. The MLP mixes the hypotheses.
    """

    # Hypotheses that provide queries, keys and values in each step
    _STEPS = ((1, 2, 0), (0, 2, 1), (0, 1, 2))

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        drop_rate: float,
        drop_path: float,
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
        all_dims = NUM_HYPOTHESES * embed_dims
        self.mix = ResidualMLP(all_dims, mlp_dims, drop_rate, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, 3, C)`` to ``(B, T, 3, C)``."""
        hypotheses = list(x.unbind(2))
        for (query, key, value), norms, attention in zip(
            self._STEPS, self.norms, self.attns, strict=True
        ):
            norm_query, norm_key, norm_value = norms
            update = attention(
                norm_query(hypotheses[query]),
                norm_key(hypotheses[key]),
                norm_value(hypotheses[value]),
            )
            hypotheses[value] = hypotheses[value] + self.drop_path(self.drop(update))
        return self.mix(torch.cat(hypotheses, dim=-1)).view_as(x)


class HypothesisGenerator(nn.Module):
    """Multi-hypothesis generation (MHG): a cascade of encoders of trajectories.

    A token is the trajectory of one coordinate of one keypoint. Each encoder refines
    the output of the previous one, and each output is a hypothesis.
    """

    def __init__(
        self,
        num_tokens: int,
        num_frames: int,
        depth: int,
        num_heads: int,
        drop_rate: float,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        hypotheses = range(NUM_HYPOTHESES)
        # These norms have PyTorch's default eps, unlike the others.
        self.norms = nn.ModuleList(nn.LayerNorm(num_frames) for _ in hypotheses)
        self.encoders = nn.ModuleList(
            nn.Sequential(
                PositionTable(num_tokens, num_frames),
                nn.Dropout(drop_rate),
                *build_blocks(
                    TransformerBlock,
                    depth,
                    (0, drop_path_rate),
                    embed_dims=num_frames,
                    num_heads=num_heads,
                    mlp_dims=2 * num_frames,
                    drop_rate=drop_rate,
                ),
                nn.LayerNorm(num_frames, eps=1e-6),
            )
            for _ in hypotheses
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map trajectories ``(B, K * 2, T)`` to three of the same shape."""
        hypotheses = []
        for norm, encoder in zip(self.norms, self.encoders, strict=True):
            x = x + encoder(norm(x))
            hypotheses.append(x)
        return hypotheses


class FewFramesEmbed(nn.Module):
    """Embedding of a hypothesis, normalized, for windows of up to 27 frames."""

    def __init__(self, in_channels: int, embed_dims: int) -> None:
        super().__init__()
        self.proj = nn.Linear(in_channels, embed_dims)
        self.norm = nn.BatchNorm1d(embed_dims)
        self.drop = nn.Dropout(0.25)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K * 2)`` to ``(B, T, C)``."""
        x = self.norm(self.proj(x).flatten(0, 1)).unflatten(0, x.shape[:2])
        return self.drop(x.relu())


@MODELS.register_module()
class MHFormer(Host):
    """MHFormer without its last linear layer; for other arguments see :class:`Host`.

    Args:
        num_frames (int): Frames ``T``, a multiple of ``generation_heads``. Up to 27
            frames the embeddings are normalized, as published.
        embed_dims (int): Channels ``C`` of a hypothesis, a multiple of ``num_heads``;
            the output has three times as many.
        mlp_dims (int): Hidden channels of the MLPs on hypotheses.
        num_heads (int): Heads of the attention on hypotheses.
        depth (int): Layers that refine the hypotheses.
        interaction_depth (int): Further layers, in which the hypotheses interact.
        generation_depth (int): Blocks of each encoder that generates a hypothesis.
        generation_heads (int): Heads of the attention in these encoders.
        drop_path_rate (float): Stochastic depth rate of the last block of an encoder
            and of the last layer; the rates of the others rise to it linearly from 0.
    """

    def __init__(
        self,
        num_frames: int = 351,
        in_channels: int = 2,
        embed_dims: int = 512,
        mlp_dims: int = 1024,
        num_heads: int = 8,
        depth: int = 2,
        interaction_depth: int = 1,
        generation_depth: int = 4,
        generation_heads: int = 9,
        drop_rate: float = 0.1,
        drop_path_rate: float = 0.2,
        num_keypoints: int = 17,
        **host: Any,
    ) -> None:
        if num_frames < 1 or num_frames % generation_heads:
            raise ValueError(
                f'num_frames of MHFormer must be a multiple of generation_heads '
                f'({generation_heads}), got {num_frames}'
            )
        super().__init__(
            num_frames,
            num_keypoints,
            in_channels,
            depth + interaction_depth,
            embed_dims,
            NUM_HYPOTHESES,
            num_heads=num_heads,
            **host,
        )
        num_tokens = num_keypoints * in_channels
        all_dims = NUM_HYPOTHESES * embed_dims
        self.generate = HypothesisGenerator(
            num_tokens,
            num_frames,
            generation_depth,
            generation_heads,
            drop_rate,
            drop_path_rate,
        )
        embed = FewFramesEmbed if num_frames <= 27 else nn.Linear
        self.embeds = nn.ModuleList(
            embed(num_tokens, embed_dims) for _ in range(NUM_HYPOTHESES)
        )
        self.position = PositionTable(num_frames, all_dims)
        self.drop = nn.Dropout(drop_rate)

        kinds = [SelfHypothesisRefinement] * depth
        kinds += [CrossHypothesisInteraction] * interaction_depth
        drop_paths = torch.linspace(0, drop_path_rate, len(kinds)).tolist()
        self.layers = nn.ModuleList(
            kind(embed_dims, num_heads, mlp_dims, drop_rate, drop_path)
            for kind, drop_path in zip(kinds, drop_paths, strict=True)
        )
        self.norm = nn.LayerNorm(all_dims, eps=1e-6)
        self.batch_norm = nn.BatchNorm1d(all_dims)

    def tokenize(self, x: Tensor) -> Tensor:
        """Turn 2D poses ``(B, T, K, 2)`` into hypotheses ``(B, T, 3, C)``."""
        hypotheses = self.generate(x.flatten(2).transpose(1, 2))
        embedded = [
            embed(hypothesis.transpose(1, 2))
            for hypothesis, embed in zip(hypotheses, self.embeds, strict=True)
        ]
        x = self.drop(self.position(torch.cat(embedded, dim=-1)))
        return x.unflatten(-1, (NUM_HYPOTHESES, -1))

    def frame_features(self, x: Tensor) -> Tensor:
        """Describe each frame of ``(B, T, 3, C)`` by its hypotheses, ``(B, T, 3C)``."""
        return x.flatten(2)

    def after_recovery(self, x: Tensor) -> Tensor:
        """Normalize hypotheses ``(B, T, 3, C)`` and join them, (B, T, 3 * C)."""
        x = self.norm(x.flatten(2))
        return self.batch_norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])
