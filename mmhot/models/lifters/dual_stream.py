"""MotionBERT's layer: space then time beside time then space.

`MotionBERT: A Unified Perspective on Learning Human Motion Representations
<https://arxiv.org/abs/2210.06551>`_ (ICCV 2023). Names are those of MMPose's
``DSTFormer``, so that its weights load.
"""

from typing import NamedTuple

from torch import Tensor, nn

from mmhot.models.layers.attention import Attention, received_attention, take_token
from mmhot.models.layers.blocks import DropPath, fuse_streams


class SpaceTimeBlock(nn.Module):
    """Attention and MLP over keypoints, then over frames.

    Args:
        embed_dims (int): Channels ``C``.
        num_heads (int): Heads of the attention.
        mlp_dims (int): Hidden channels of the MLPs.
        qkv_bias (bool): Whether queries, keys and values have a bias.
        scale (float, optional): What attention logits are multiplied by.
        drop_rate (float): Dropout rate after attention and MLP.
        drop_path (float): Rate of stochastic depth, of each frame on its own.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        qkv_bias: bool = True,
        scale: float | None = None,
        drop_rate: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        attention = (embed_dims, num_heads, qkv_bias, scale, drop_rate)
        self.norm1_s = nn.LayerNorm(embed_dims, eps=1e-6)
        self.norm1_t = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn_s, self.attn_t = Attention(*attention), Attention(*attention)
        self.norm2_s = nn.LayerNorm(embed_dims, eps=1e-6)
        self.norm2_t = nn.LayerNorm(embed_dims, eps=1e-6)
        self.mlp_s = _mlp(embed_dims, mlp_dims, drop_rate)
        self.mlp_t = _mlp(embed_dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return self.over_frames(self.over_keypoints(x))

    def over_keypoints(self, x: Tensor) -> Tensor:
        """Spatial half."""
        x = self._add(x, self.attn_s(self.norm1_s(x)))
        return self._add(x, self.mlp_s(self.norm2_s(x)))

    def over_frames(self, x: Tensor) -> Tensor:
        """Temporal half."""
        tracks = self.norm1_t(x).transpose(1, 2)
        return self._feed(self._add(x, self.attn_t(tracks).transpose(1, 2)))

    def at_frame(self, x: Tensor, frame: Tensor) -> Tensor:
        """Result of one frame alone, (B, 1, K, C), by its place (B,)."""
        return self._over_frames_at(self.over_keypoints(x), frame)

    def received(self, x: Tensor) -> Tensor:
        """Attention that frames receive in the temporal half, (B, T)."""
        tracks = self.norm1_t(x).transpose(1, 2)
        return received_attention(self.attn_t, tracks).mean(1)

    def _over_frames_at(self, x: Tensor, frame: Tensor) -> Tensor:
        """Temporal half of one frame, (B, 1, K, C)."""
        tracks = self.norm1_t(x).transpose(1, 2)
        places = frame.repeat_interleave(tracks.shape[1])
        attended = self.attn_t.at(tracks.flatten(0, 1), places)
        attended = attended.unflatten(0, tracks.shape[:2]).transpose(1, 2)
        return self._feed(self._add(take_token(x, frame), attended))

    def _feed(self, x: Tensor) -> Tensor:
        """Perceptron of the temporal half."""
        return self._add(x, self.mlp_t(self.norm2_t(x)))

    def _add(self, x: Tensor, branch: Tensor) -> Tensor:
        """Residual sum, with a draw of stochastic depth for each frame."""
        return x + self.drop_path(branch.flatten(0, 1)).unflatten(0, x.shape[:2])


class TimeSpaceBlock(SpaceTimeBlock):
    """Attention and MLP over frames, then over keypoints."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return self.over_keypoints(self.over_frames(x))

    def at_frame(self, x: Tensor, frame: Tensor) -> Tensor:
        """Result of one frame alone, (B, 1, K, C), by its place (B,)."""
        return self.over_keypoints(self._over_frames_at(x, frame))


class DualStream(NamedTuple):
    """Both blocks on the same tokens, averaged with weights of each token."""

    space_time: SpaceTimeBlock
    time_space: TimeSpaceBlock
    fusion: nn.Linear | None

    def __call__(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return self._fuse(self.space_time(x), self.time_space(x))

    def at_frame(self, x: Tensor, frame: Tensor) -> Tensor:
        """Result of one frame alone, (B, 1, K, C), by its place (B,)."""
        streams = (self.space_time, self.time_space)
        return self._fuse(*(stream.at_frame(x, frame) for stream in streams))

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return also the attention that frames receive in the first stream, (B, T)."""
        block = self.space_time
        half = block.over_keypoints(x)
        fused = self._fuse(block.over_frames(half), self.time_space(x))
        return fused, block.received(half)

    def _fuse(self, first: Tensor, second: Tensor) -> Tensor:
        if self.fusion is None:
            return (first + second) / 2
        return fuse_streams(self.fusion, first, second)


def _mlp(embed_dims: int, hidden_dims: int, drop_rate: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(embed_dims, hidden_dims),
        nn.GELU(),
        nn.Linear(hidden_dims, embed_dims),
        nn.Dropout(drop_rate),
    )
