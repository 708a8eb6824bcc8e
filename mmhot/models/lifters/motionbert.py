"""MotionBERT: a stream of keypoints before frames, and one of frames before keypoints.

`MotionBERT: A Unified Perspective on Learning Human Motion Representations
<https://arxiv.org/abs/2210.06551>`_ (ICCV 2023), plain and as a host of HoT. Modules
are named as in MMPose's ``DSTFormer``, so that its weights load unchanged. Unlike
``DSTFormer`` it uses fused attention and can be pruned.
"""

from typing import Any

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.attention import Attention, received_attention
from mmhot.models.layers.blocks import DropPath, build_blocks, fuse_streams
from mmhot.models.lifters.host import Host


class SpaceTimeBlock(nn.Module):
    """Attention and MLP over keypoints, then over frames."""

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        drop_rate: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.norm1_s = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn_s = Attention(embed_dims, num_heads, proj_drop=drop_rate)
        self.norm2_s = nn.LayerNorm(embed_dims, eps=1e-6)
        self.mlp_s = _build_mlp(embed_dims, mlp_dims, drop_rate)
        self.norm1_t = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn_t = Attention(embed_dims, num_heads, proj_drop=drop_rate)
        self.norm2_t = nn.LayerNorm(embed_dims, eps=1e-6)
        self.mlp_t = _build_mlp(embed_dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return self.over_frames(self.over_keypoints(x))

    def over_keypoints(self, x: Tensor) -> Tensor:
        """Apply the spatial half to ``(B, T, K, C)``."""
        x = self._add(x, self.attn_s(self.norm1_s(x)))
        return self._add(x, self.mlp_s(self.norm2_s(x)))

    def over_frames(self, x: Tensor) -> Tensor:
        """Apply the temporal half to ``(B, T, K, C)``."""
        tracks = self.norm1_t(x).transpose(1, 2)
        x = self._add(x, self.attn_t(tracks).transpose(1, 2))
        return self._add(x, self.mlp_t(self.norm2_t(x)))

    def received(self, x: Tensor) -> Tensor:
        """Compute the attention that frames receive in the temporal half, (B, T)."""
        return received_attention(self.attn_t, self.norm1_t(x).transpose(1, 2)).mean(1)

    def _add(self, x: Tensor, branch: Tensor) -> Tensor:
        """Add a branch to ``(B, T, K, C)``, with stochastic depth for each frame."""
        return x + self.drop_path(branch.flatten(0, 1)).view_as(x)


class TimeSpaceBlock(SpaceTimeBlock):
    """Attention and MLP over frames, then over keypoints."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return self.over_keypoints(self.over_frames(x))


def _build_mlp(embed_dims: int, mlp_dims: int, drop_rate: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(embed_dims, mlp_dims),
        nn.GELU(),
        nn.Linear(mlp_dims, embed_dims),
        nn.Dropout(drop_rate),
    )


class _DualStreamLayer:
    """Layer of the Dual-stream Spatio-temporal Transformer (DSTformer).

    Two blocks process the same tokens and are averaged with weights of each token.
    """

    def __init__(
        self, space_time: SpaceTimeBlock, time_space: TimeSpaceBlock, fusion: nn.Linear
    ) -> None:
        self.space_time = space_time
        self.time_space = time_space
        self.fusion = fusion

    def __call__(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return fuse_streams(self.fusion, self.space_time(x), self.time_space(x))

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return also the attention that frames receive in the first stream, (B, T)."""
        half = self.space_time.over_keypoints(x)
        first = self.space_time.over_frames(half)
        fused = fuse_streams(self.fusion, first, self.time_space(x))
        return fused, self.space_time.received(half)


@MODELS.register_module()
class MotionBERT(Host):
    """MotionBERT without its head; for other arguments see :class:`Host`.

    Args:
        num_frames (int): Most frames ``T``.
        mlp_ratio (float): Hidden channels of the MLPs over ``C``.
    """

    takes_fewer_frames = True

    def __init__(
        self,
        num_frames: int = 243,
        in_channels: int = 3,
        embed_dims: int = 256,
        depth: int = 5,
        num_heads: int = 8,
        mlp_ratio: float = 4,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
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
        self.joints_embed = nn.Linear(in_channels, embed_dims)
        self.spat_embed = nn.Parameter(torch.empty(1, num_keypoints, embed_dims))
        self.temp_embed = nn.Parameter(torch.empty(1, num_frames, 1, embed_dims))
        nn.init.trunc_normal_(self.temp_embed, std=0.02)
        nn.init.trunc_normal_(self.spat_embed, std=0.02)
        self.pos_drop = nn.Dropout(drop_rate)
        self.blocks_st, self.blocks_ts = (
            nn.ModuleList(
                build_blocks(
                    kind,
                    depth,
                    (0, drop_path_rate),
                    embed_dims=embed_dims,
                    num_heads=num_heads,
                    mlp_dims=int(embed_dims * mlp_ratio),
                    drop_rate=drop_rate,
                )
            )
            for kind in (SpaceTimeBlock, TimeSpaceBlock)
        )
        self.attn_regress = nn.ModuleList(
            nn.Linear(2 * embed_dims, 2) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self._start_even()

    def init_weights(self) -> None:
        """Initialize as published: small weights and an even mean of the streams."""
        super().init_weights()
        config = self.init_cfg
        if isinstance(config, dict) and config['type'] == 'Pretrained':
            return
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self._start_even()
        if self.hourglass.recovers_tokens:
            self.hourglass.recoverer.restart()

    def _start_even(self) -> None:
        """Average the streams evenly."""
        for fusion in self.attn_regress:
            nn.init.zeros_(fusion.weight)
            nn.init.constant_(fusion.bias, 0.5)

    def tokenize(self, x: Tensor) -> Tensor:
        """Embed 2D poses ``(B, T, K, 3)`` as tokens ``(B, T, K, C)``."""
        tokens = self.joints_embed(x) + self.spat_embed
        return self.pos_drop(tokens + self.temp_embed[:, : x.shape[1]])

    def get_layers(self) -> list[_DualStreamLayer]:
        """Pair the blocks of both streams."""
        return [
            _DualStreamLayer(*blocks)
            for blocks in zip(
                self.blocks_st, self.blocks_ts, self.attn_regress, strict=True
            )
        ]

    def before_recovery(self, x: Tensor) -> Tensor:
        """Normalize tokens ``(B, T, K, C)``."""
        return self.norm(x)
