"""MixSTE: blocks over keypoints and over frames in turn.

`MixSTE: Seq2seq Mixed Spatio-Temporal Encoder for 3D Human Pose Estimation in Video
<https://arxiv.org/abs/2203.00859>`_ (CVPR 2022), plain and as host of HoT.
"""

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType, OptMultiConfig
from torch import Tensor, nn

from mmhot.models.layers.attention import received_attention
from mmhot.models.layers.blocks import PositionTable, TransformerBlock
from mmhot.models.lifters.host import check_windows, mean_keypoint
from mmhot.models.tokens.hourglass import Hourglass, Keep, Kept
from mmhot.models.tokens.pruned_features import PrunedFeatures, map_features


class _Pair(NamedTuple):
    """A block over keypoints, then one over frames, and a norm after each.

    All pairs have the same norms, and the first one adds the place in time.
    """

    spatial: TransformerBlock
    spatial_norm: nn.LayerNorm
    position: nn.Module
    temporal: TransformerBlock
    temporal_norm: nn.LayerNorm

    def __call__(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to the same shape."""
        return self._over_frames(self._over_keypoints(x), x.shape[0])

    def at_frame(self, x: Tensor, frame: Tensor) -> Tensor:
        """Result of one frame alone, (B, 1, K, C), by its place (B,)."""
        tracks = self._over_keypoints(x)
        places = frame.repeat_interleave(x.shape[2])
        tracks = self.temporal_norm(self.temporal.at(tracks, places))
        return tracks.unflatten(0, (x.shape[0], -1)).transpose(1, 2)

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return also the attention that frames receive, (B, T)."""
        tracks, block = self._over_keypoints(x), self.temporal
        received = received_attention(block.attn, block.norm1(tracks))
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
class MixSTE(BaseModule):
    """MixSTE without its last linear layer.

    Args:
        num_frames (int): Frames ``T``. Defaults to 243.
        in_channels (int): Input coordinates of a keypoint. Defaults to 2.
        embed_dims (int): Channels ``C``; a multiple of ``num_heads``. Defaults to 512.
        depth (int): Pairs of blocks. Defaults to 8.
        num_heads (int): Heads of the attention. Defaults to 8.
        mlp_dims (int): Hidden channels of the MLPs. Defaults to 1024.
        drop_rate (float): Dropout rate after attention and in MLPs. Defaults to 0.
        drop_path_rate (float): Stochastic depth rate of the last pair; those before
            rise linearly from 0. Defaults to 0.1.
        num_keypoints (int): Keypoints ``K``. Defaults to 17.
        pruner (dict or list[dict], optional): Which frames go on after some layers,
            see :mod:`mmhot.models.tokens.pruners`. The first layer sees all.
        recoverer (dict, optional): How all frames come back, see
            :mod:`mmhot.models.tokens.recoverers`.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    gives_center = True  # alone, if asked to

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
        pruner: OptMultiConfig = None,
        recoverer: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_frames, self.num_keypoints = num_frames, num_keypoints
        self.in_channels = in_channels
        self.embed = nn.Linear(in_channels, embed_dims)
        self.spatial_position = PositionTable(num_keypoints, embed_dims)
        self.temporal_position = PositionTable(num_frames, embed_dims)
        self.spatial_blocks, self.temporal_blocks = (
            nn.ModuleList(
                TransformerBlock(embed_dims, num_heads, mlp_dims, drop_rate, drop_path)
                for drop_path in torch.linspace(0, drop_path_rate, depth).tolist()
            )
            for _ in range(2)
        )
        self.spatial_norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.temporal_norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.hourglass = Hourglass(
            num_frames, depth, embed_dims, pruner, recoverer, num_heads, first_depth=1
        )
        self.num_keep_frames = self.hourglass.num_outputs
        self.values_per_frame = num_keypoints * embed_dims
        # of the published head; unlike that of the other norms, its eps is PyTorch's
        self.norm = nn.LayerNorm(embed_dims)

    def forward(
        self,
        x: Tensor,
        kept: Kept | None = None,
        keep: Keep | None = None,
        center: bool = False,
    ) -> Tensor | PrunedFeatures:
        """Map 2D poses to features.

        Args:
            x (Tensor): Normalized 2D poses, (B, T, K, 2).
            kept (Tensor, optional): See :class:`~mmhot.models.tokens.Hourglass`.
            keep (int, optional): See :class:`~mmhot.models.tokens.Hourglass`.
            center (bool): Whether only the center frame is wanted. Defaults to False.

        Returns:
            Tensor | PrunedFeatures: Features, (B, T, K, C); of kept frames, if nothing
            recovers the others. With a pruner also the frames kept.
        """
        sizes = (self.num_frames, self.num_keypoints, self.in_channels)
        check_windows(x, 'MixSTE', *sizes)
        tokens = self.spatial_position(self.embed(x))
        tokens, stages = self.hourglass(
            tokens, self.pairs(), mean_keypoint, x, kept, keep, center
        )
        feats = self.hourglass.recover(tokens, stages, x.shape[1])
        return map_features(self.norm, feats)

    def pairs(self) -> list[_Pair]:
        """Pairs of blocks as layers."""
        places = [self.temporal_position] + [nn.Identity()] * len(self.spatial_blocks)
        norms = (self.spatial_norm, self.temporal_norm)
        return [
            _Pair(spatial, norms[0], position, temporal, norms[1])
            for spatial, position, temporal in zip(
                self.spatial_blocks, places, self.temporal_blocks, strict=False
            )
        ]
