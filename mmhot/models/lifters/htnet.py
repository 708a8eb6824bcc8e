"""HTNet, a lifter of single frames, and its blocks for joint, limb and body level.

`HTNet: Human Topology Aware Network for 3D Human Pose Estimation
<https://arxiv.org/abs/2302.09790>`_ (ICASSP 2023). The published code folds frames into
the batch and never unfolds them; here the frame axis stays, and its strided
convolutions over limbs are linear layers over a limb's joints.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.attention import Attention, check_heads
from mmhot.models.layers.blocks import (
    DropPath,
    PositionTable,
    ResidualMLP,
    build_blocks,
    check_windows,
)
from mmhot.models.lifters.graph_conv import ModulatedGraphConv, tree_adjacency
from mmhot.skeletons.joints import Skeleton, configured_skeleton

LIMBS = ('right_leg', 'left_leg', 'left_arm', 'right_arm')


class LocalJointConnection(nn.Module):
    """Local joint-level connection (LJC): two graph convolutions on neighbors.

    The adjacency is (N, N).
    """

    def __init__(
        self, embed_dims: int, hidden_dims: int, adjacency: Tensor, drop_path: float
    ) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(embed_dims)
        self.conv1 = ModulatedGraphConv(embed_dims, hidden_dims, adjacency)
        self.conv2 = ModulatedGraphConv(hidden_dims, embed_dims, adjacency)
        self.norm_out = nn.LayerNorm(embed_dims)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, N, C)`` to ``(B, N, C)``."""
        branch = F.gelu(self.conv1(self.norm_in(x)))
        return x + self.drop_path(self.norm_out(self.conv2(branch)))


class LimbPool(ResidualMLP):
    """Pooling of several joints of each limb to one vector."""

    def __init__(
        self,
        embed_dims: int,
        mlp_dims: int,
        num_joints: int,
        drop_rate: float,
        drop_path: float,
    ) -> None:
        super().__init__(embed_dims, mlp_dims, drop_rate, drop_path, eps=1e-5)
        self.proj = nn.Linear(num_joints * embed_dims, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """Map joints ``(B, limbs, num_joints, C)`` to limbs ``(B, limbs, C)``."""
        return super().forward(self.drop_path(F.gelu(self.proj(x.flatten(2)))))


class IntraPartConstraint(nn.Module):
    """Intra-part constraint (IPC): joints of a limb share its vector.

    The update of the joints is the sum of two normalized copies of them. In the first
    copy the vector of a limb's three joints replaces its middle and end joint. In the
    second copy the vector of these two replaces the end joint.
    """

    def __init__(
        self,
        embed_dims: int,
        mlp_dims: int,
        skeleton: Skeleton,
        drop_rate: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.norm3 = nn.LayerNorm(embed_dims)
        self.pool3 = LimbPool(embed_dims, mlp_dims, 3, drop_rate, drop_path)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.pool2 = LimbPool(embed_dims, mlp_dims, 2, drop_rate, drop_path)
        limbs = torch.tensor([skeleton.indices(limb) for limb in LIMBS])
        self.register_buffer('limbs', limbs, persistent=False)  # (limbs, 3)
        halves = limbs[:, 1:].contiguous()  # middle and end joints
        self.register_buffer('halves', halves, persistent=False)  # (limbs, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, K, C)`` to ``(B, K, C)``."""
        whole = self.norm3(x)
        limb3 = self.pool3(_take(whole, self.limbs)).repeat_interleave(2, dim=1)
        whole = whole.index_copy(1, self.halves.flatten(), limb3.to(whole))
        outer = self.norm2(x)
        limb2 = self.pool2(_take(outer, self.halves))  # (B, limbs, C)
        outer = outer.index_copy(1, self.limbs[:, 2], limb2.to(outer))
        return x + (whole + outer)


def _take(x: Tensor, rows: Tensor) -> Tensor:
    """Take the rows (N, n) of each sample of x (B, K, C); they are (B, N, n, C)."""
    return x.index_select(1, rows.flatten()).unflatten(1, rows.shape)


class GlobalBodyInteraction(nn.Module):
    """Global body-level interaction (GBI): attention among all tokens."""

    def __init__(
        self, embed_dims: int, num_heads: int, proj_drop: float, drop_path: float
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dims)
        self.attn = Attention(embed_dims, num_heads, proj_drop=proj_drop)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, N, C)`` to ``(B, N, C)``."""
        return x + self.drop_path(self.attn(self.norm(x)))


class SpatialBlock(ResidualMLP):
    """Joint, limb and body level, each on its own third of the channels."""

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        graph_dims: int,
        skeleton: Skeleton,
        drop_rate: float,
        proj_drop: float,
        drop_path: float,
    ) -> None:
        super().__init__(embed_dims, mlp_dims, drop_rate, drop_path)
        dims = embed_dims // 3
        adjacency = tree_adjacency(skeleton.parents)
        self.joint = LocalJointConnection(dims, graph_dims, adjacency, drop_path)
        self.part = IntraPartConstraint(dims, mlp_dims, skeleton, drop_rate, drop_path)
        self.body = GlobalBodyInteraction(dims, num_heads, proj_drop, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, K, C)`` to ``(B, K, C)``."""
        joint, part, body = x.chunk(3, dim=-1)
        joint = self.joint(joint)
        part = self.part(joint + part)
        body = self.body(part + body)
        return super().forward(torch.cat([joint, part, body], dim=-1))


@MODELS.register_module()
class HTNet(BaseModule):
    """HTNet without its last linear layer.

    Args:
        in_channels (int): Input coordinates of a keypoint.
        embed_dims (int): Channels ``C``; a multiple of three times ``num_heads``.
        depth (int): Blocks.
        num_heads (int): Heads of the attention.
        mlp_dims (int): Hidden channels of every MLP.
        graph_dims (int): Hidden channels of the graph convolutions.
        drop_rate (float): Dropout rate in the MLPs.
        proj_drop_rate (float): Dropout rate after the attention.
        drop_path_rates (tuple[float, float]): Stochastic depth rates of the first and
            last block; the rates between rise linearly.
        skeleton (str): Keypoints ``K`` and their tree, see
            :func:`mmhot.skeletons.joints.configured_skeleton`.
    """

    # Frames are independent: a clip is lifted in windows of one frame.
    num_frames = 1
    num_keep_frames = 1

    def __init__(
        self,
        in_channels: int = 2,
        embed_dims: int = 240,
        depth: int = 3,
        num_heads: int = 8,
        mlp_dims: int = 1024,
        graph_dims: int = 384,
        drop_rate: float = 0.1,
        proj_drop_rate: float = 0.1,
        drop_path_rates: tuple[float, float] = (0.1, 0.3),
        skeleton: str = 'h36m-17',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_heads(embed_dims, num_heads, parts=3)
        tree = configured_skeleton(skeleton)
        self.num_keypoints = tree.num_keypoints
        self.in_channels = in_channels
        self.embed = nn.Linear(in_channels, embed_dims)
        self.position = PositionTable(tree.num_keypoints, embed_dims)
        self.blocks = nn.Sequential(
            *build_blocks(
                SpatialBlock,
                depth,
                drop_path_rates,
                embed_dims=embed_dims,
                num_heads=num_heads,
                mlp_dims=mlp_dims,
                graph_dims=graph_dims,
                skeleton=tree,
                drop_rate=drop_rate,
                proj_drop=proj_drop_rate,
            )
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map 2D poses to features of the same frames, (B, T, K, C).

        Args:
            x (Tensor): Normalized 2D poses, (B, T, K, 2) with any ``T``.
        """
        check_windows(self, x, None, self.num_keypoints, self.in_channels)
        frames = self.position(self.embed(x.flatten(0, 1)))  # (B T, K, C)
        return self.norm(self.blocks(frames)).unflatten(0, x.shape[:2])
