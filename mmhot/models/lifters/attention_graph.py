"""MotionAGFormer's layer: attention and graph convolution side by side.

`MotionAGFormer: Enhancing 3D Human Pose Estimation with a Transformer-GCNFormer
Network <https://arxiv.org/abs/2310.16288>`_ (WACV 2024).
"""

import torch
from torch import Tensor, nn

from mmhot.models.layers.attention import Attention, received_attention
from mmhot.models.layers.blocks import MLP, fuse_streams
from mmhot.models.lifters.node_graph_conv import (
    KeypointGraphConv,
    SimilarFrameGraphConv,
)
from mmhot.skeletons.joints import Skeleton


class FrameAttention(Attention):
    """Attention among the frames of each keypoint."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ScaledBlock(nn.Module):
    """A mixer of tokens and a perceptron, each with a residual sum scaled by channel.

    Args:
        mixer (nn.Module): Mixes normalized tokens, of any shape (..., C).
        embed_dims (int): Channels ``C``.
        mlp_dims (int): Hidden channels of the perceptron.
    """

    def __init__(self, mixer: nn.Module, embed_dims: int, mlp_dims: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims)
        self.mixer = mixer
        self.scale1 = nn.Parameter(torch.full((embed_dims,), 1e-5))
        self.norm2 = nn.LayerNorm(embed_dims)
        self.mlp = MLP(embed_dims, mlp_dims)
        self.scale2 = nn.Parameter(torch.full((embed_dims,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        x = torch.addcmul(x, self.scale1, self.mixer(self.norm1(x)))
        return torch.addcmul(x, self.scale2, self.mlp(self.norm2(x)))


class AttentionGraphLayer(nn.Module):
    """Attention and graph stream over keypoints, then frames, fused token by token.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads of the attention.
        mlp_dims (int): Hidden channels of the four perceptrons.
        num_frames (int): Frames ``T`` that this layer sees.
        num_neighbors (int): Neighbors of a frame in the temporal graph.
        skeleton (Skeleton): Keypoints ``K`` and their tree.
        qkv_bias (bool): Whether queries, keys and values have a bias.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        num_frames: int,
        num_neighbors: int,
        skeleton: Skeleton,
        qkv_bias: bool = False,
    ) -> None:
        super().__init__()
        heads = (embed_dims, num_heads, qkv_bias)
        dims = (embed_dims, mlp_dims)
        self.attention = nn.Sequential(
            ScaledBlock(Attention(*heads), *dims),
            ScaledBlock(FrameAttention(*heads), *dims),
        )
        temporal = SimilarFrameGraphConv(embed_dims, num_frames, num_neighbors)
        self.graph = nn.Sequential(
            ScaledBlock(KeypointGraphConv(embed_dims, skeleton), *dims),
            ScaledBlock(temporal, *dims),
        )
        self.fusion = nn.Linear(2 * embed_dims, 2)
        nn.init.zeros_(self.fusion.weight)
        nn.init.constant_(self.fusion.bias, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        return fuse_streams(self.fusion, self.attention(x), self.graph(x))

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Also return the attention that each frame receives, (B, T)."""
        spatial, temporal = self.attention
        half = spatial(x)
        fused = fuse_streams(self.fusion, temporal(half), self.graph(x))
        tracks = temporal.norm1(half).transpose(1, 2)
        return fused, received_attention(temporal.mixer, tracks).mean(1)
