"""MixSTE: blocks over keypoints and over frames in turn.

`MixSTE: Seq2seq Mixed Spatio-Temporal Encoder for 3D Human Pose Estimation in Video
<https://arxiv.org/abs/2203.00859>`_ (CVPR 2022), plain and as a host of HoT.
"""

from typing import Any

from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.attention import received_attention
from mmhot.models.layers.blocks import PositionTable, TransformerBlock, build_blocks
from mmhot.models.lifters.host import Host
from mmhot.models.tokens.selection import spread_frames


class _FramePositions(PositionTable):
    """Positions of all frames, or of evenly spread ones if fewer are left."""

    def forward(self, x: Tensor) -> Tensor:
        """Add the table to ``(..., t, C)``."""
        num_frames, count = len(self.table), x.shape[-2]
        if count == num_frames:
            return x + self.table
        return x + self.table[spread_frames(num_frames, count, x.device)]


class _SpaceTimeLayer:
    """Spatial block (the paper's STE), then temporal block (TTE), a norm after each.

    It refers to modules of :class:`MixSTE`: all layers share the norms, and only the
    first one adds the temporal position.
    """

    def __init__(self, model: 'MixSTE', depth: int) -> None:
        self.spatial = model.spatial_blocks[depth]
        self.spatial_norm = model.spatial_norm
        self.position = nn.Identity() if depth else model.temporal_position
        self.temporal = model.temporal_blocks[depth]
        self.temporal_norm = model.temporal_norm

    def __call__(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return self._over_frames(self._over_keypoints(x), x.shape[0])

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return also the attention that each frame receives, (B, T)."""
        tracks = self._over_keypoints(x)
        normed = self.temporal.norm1(tracks)
        received = received_attention(self.temporal.attn, normed)  # (B * K, T)
        received = received.unflatten(0, (x.shape[0], -1)).mean(1)
        return self._over_frames(tracks, x.shape[0]), received

    def _over_keypoints(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B * K, T, C)``."""
        poses = self.spatial_norm(self.spatial(x.flatten(0, 1)))
        tracks = poses.unflatten(0, x.shape[:2]).transpose(1, 2)
        return self.position(tracks.flatten(0, 1))

    def _over_frames(self, tracks: Tensor, batch: int) -> Tensor:
        """Map ``(B * K, T, C)`` to ``(B, T, K, C)``."""
        tracks = self.temporal_norm(self.temporal(tracks))
        return tracks.unflatten(0, (batch, -1)).transpose(1, 2)


@MODELS.register_module()
class MixSTE(Host):
    """MixSTE without its last linear layer; for other arguments see :class:`Host`.

    Args:
        depth (int): Layers, each with two blocks.
        mlp_dims (int): Hidden channels of the MLPs.
    """

    def __init__(
        self,
        num_frames: int = 243,
        in_channels: int = 2,
        embed_dims: int = 512,
        depth: int = 8,
        num_heads: int = 8,
        mlp_dims: int = 1024,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        num_keypoints: int = 17,
        **host: Any,
    ) -> None:
        super().__init__(
            num_frames,
            num_keypoints,
            in_channels,
            depth,
            embed_dims,
            num_heads=num_heads,
            **host,
        )
        self.embed = nn.Linear(in_channels, embed_dims)
        self.spatial_position = PositionTable(num_keypoints, embed_dims)
        self.temporal_position = _FramePositions(num_frames, embed_dims)
        self.spatial_blocks, self.temporal_blocks = (
            nn.ModuleList(
                build_blocks(
                    TransformerBlock,
                    depth,
                    (0, drop_path_rate),
                    embed_dims=embed_dims,
                    num_heads=num_heads,
                    mlp_dims=mlp_dims,
                    drop_rate=drop_rate,
                )
            )
            for _ in range(2)
        )
        self.spatial_norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.temporal_norm = nn.LayerNorm(embed_dims, eps=1e-6)
        # This norm belongs to the published head, and has PyTorch's default eps, unlike
        # the other norms.
        self.norm = nn.LayerNorm(embed_dims)

    def tokenize(self, x: Tensor) -> Tensor:
        """Embed 2D poses ``(B, T, K, 2)`` as tokens ``(B, T, K, C)``."""
        return self.spatial_position(self.embed(x))

    def get_layers(self) -> list[_SpaceTimeLayer]:
        """Pair the blocks over keypoints with the blocks over frames."""
        return [_SpaceTimeLayer(self, i) for i in range(len(self.spatial_blocks))]

    def after_recovery(self, x: Tensor) -> Tensor:
        """Normalize tokens ``(B, T, K, C)``."""
        return self.norm(x)
