"""NanoHTNet, a lifter with one token per joint and one per frequency.

`Nano Human Topology Network for Efficient 3D Human Pose Estimation
<https://arxiv.org/abs/2501.15763>`_ (IEEE TIP 2025). The two kinds of tokens are the
paper's efficient temporal-spatial tokenization (ETST). The spatial blocks are HTNet's.
"""

from functools import partial

import numpy as np
import scipy.fft
import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.attention import check_heads
from mmhot.models.layers.blocks import (
    PositionTable,
    ResidualMLP,
    build_blocks,
    check_windows,
)
from mmhot.models.lifters.graph_conv import chain_adjacency
from mmhot.models.lifters.htnet import (
    GlobalBodyInteraction,
    LocalJointConnection,
    SpatialBlock,
)
from mmhot.skeletons.joints import configured_skeleton


class TemporalBlock(ResidualMLP):
    """Graph convolution and attention over frequencies, on half the channels each.

    The adjacency of frequencies is (T', T').
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        graph_dims: int,
        adjacency: Tensor,
        drop_rate: float,
        proj_drop: float,
        drop_path: float,
    ) -> None:
        super().__init__(embed_dims, mlp_dims, drop_rate, drop_path)
        dims = embed_dims // 2
        self.local = LocalJointConnection(dims, graph_dims, adjacency, drop_path)
        self.whole = GlobalBodyInteraction(dims, num_heads, proj_drop, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T', C)`` to ``(B, T', C)``."""
        local, whole = x.chunk(2, dim=-1)
        local = self.local(local)
        whole = self.whole(local + whole)
        return super().forward(torch.cat([local, whole], dim=-1))


@MODELS.register_module()
class NanoHTNet(BaseModule):
    """NanoHTNet without its last linear layer.

    Two branches meet at the end. The spatial branch has one token per joint, with the
    joint's whole trajectory. The temporal branch has one token per frequency, with the
    whole pose's coefficients of a discrete cosine transform; there are as many low
    frequencies as output frames. For other arguments see
    :class:`~mmhot.models.lifters.htnet.HTNet`.

    Args:
        num_frames (int): Input frames ``T``, odd.
        num_keep_frames (int): Output frames ``T'`` around the center one, odd.
        embed_dims (int): Channels ``C``; a multiple of six times ``num_heads``.
        depth (int): Blocks of each branch.
        mlp_dims (int): Hidden channels of every MLP.
        branch_dims (int): Channels of a joint at the end of each branch; the output has
            twice as many.
        spatial_drop_rate (float): Dropout rate in the MLPs of the spatial branch.
        temporal_drop_rate (float): Dropout rate in the MLPs of the temporal branch.
    """

    def __init__(
        self,
        num_frames: int = 243,
        num_keep_frames: int = 9,
        in_channels: int = 2,
        embed_dims: int = 240,
        depth: int = 3,
        num_heads: int = 8,
        mlp_dims: int = 256,
        graph_dims: int = 384,
        branch_dims: int = 8,
        spatial_drop_rate: float = 0.15,
        temporal_drop_rate: float = 0.1,
        proj_drop_rate: float = 0.1,
        drop_path_rates: tuple[float, float] = (0.1, 0.3),
        skeleton: str = 'h36m-17',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        is_odd = num_frames % 2 and num_keep_frames % 2  # there is a center frame
        if not is_odd or not 1 <= num_keep_frames <= num_frames:
            raise ValueError(
                'num_frames and num_keep_frames must be odd, and num_keep_frames at '
                f'most num_frames, got {num_frames} and {num_keep_frames}'
            )
        check_heads(embed_dims, num_heads, parts=6)  # thirds and halves are split
        tree = configured_skeleton(skeleton)
        self.num_frames = num_frames
        self.num_keep_frames = num_keep_frames
        self.num_keypoints = tree.num_keypoints
        self.in_channels = in_channels
        build = partial(
            build_blocks,
            depth=depth,
            drop_path_rates=drop_path_rates,
            embed_dims=embed_dims,
            num_heads=num_heads,
            mlp_dims=mlp_dims,
            graph_dims=graph_dims,
            proj_drop=proj_drop_rate,
        )

        self.spatial_embed = nn.Linear(num_frames * in_channels, embed_dims)
        self.spatial_position = PositionTable(self.num_keypoints, embed_dims)
        self.spatial_blocks = nn.Sequential(
            *build(SpatialBlock, skeleton=tree, drop_rate=spatial_drop_rate)
        )
        self.spatial_norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.spatial_proj = nn.Linear(embed_dims, num_keep_frames * branch_dims)

        # Rows of the lowest T' frequencies of the type-II DCT, (T', T). Following
        # SciPy, coefficients are twice the sum and not normalized.
        cosines = scipy.fft.dct(np.eye(num_frames), axis=0)[:num_keep_frames]
        self.register_buffer('dct', torch.tensor(cosines).float(), persistent=False)
        self.temporal_embed = nn.Linear(in_channels * self.num_keypoints, embed_dims)
        self.temporal_position = PositionTable(num_keep_frames, embed_dims)
        chain = chain_adjacency(num_keep_frames)
        self.temporal_blocks = nn.Sequential(
            *build(TemporalBlock, adjacency=chain, drop_rate=temporal_drop_rate)
        )
        self.temporal_norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.temporal_proj = nn.Linear(embed_dims, self.num_keypoints * branch_dims)

    def forward(self, x: Tensor) -> Tensor:
        """Map 2D poses to features of center frames, (B, T', K, 2 * branch_dims).

        Args:
            x (Tensor): Normalized 2D poses, (B, T, K, 2).
        """
        check_windows(self, x, self.num_frames, self.num_keypoints, self.in_channels)
        return torch.cat([self.spatial(x), self.temporal(x)], dim=-1)

    def spatial(self, x: Tensor) -> Tensor:
        """Turn the joints' trajectories into features, (B, T', K, branch_dims)."""
        x = self.spatial_embed(x.transpose(1, 2).flatten(2))  # (B, K, C)
        x = self.spatial_blocks(self.spatial_position(x))
        x = self.spatial_proj(self.spatial_norm(x))
        return x.unflatten(-1, (self.num_keep_frames, -1)).transpose(1, 2)

    def temporal(self, x: Tensor) -> Tensor:
        """Turn low frequencies into features, (B, T', K, branch_dims)."""
        x = self.temporal_embed(self.dct @ x.flatten(2))  # (B, T', C)
        x = self.temporal_blocks(self.temporal_position(x))
        x = self.temporal_proj(self.temporal_norm(x))
        return x.unflatten(-1, (self.num_keypoints, -1))
