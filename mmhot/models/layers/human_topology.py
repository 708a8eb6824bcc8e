"""Blocks of HTNet and NanoHTNet, which follow the topology of the human body.

`HTNet <https://arxiv.org/abs/2302.09790>`_ (ICASSP 2023) and `NanoHTNet
<https://arxiv.org/abs/2501.15763>`_ (IEEE TIP 2025). The numbers are those of the
published networks. What differs is how they are computed: the strided convolutions
over limbs are linear layers over a limb's joints, and rows are added where the
published code overwrites them.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...skeletons import Skeleton
from .attention import Attention
from .drop_path import DropPath
from .graph_conv import ModulatedGraphConv
from .mlp import MLP

LIMBS = ('right_leg', 'left_leg', 'left_arm', 'right_arm')


class LocalJointConnection(nn.Module):
    """Local joint-level connection (LJC): two graph convolutions on neighbours."""

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
        return self.drop_path.add(x, self.norm_out(self.conv2(branch)))


class LimbPool(nn.Module):
    """One vector per limb, from all or the outermost joints of each."""

    def __init__(
        self,
        embed_dims: int,
        mlp_dims: int,
        limbs: Sequence[Sequence[int]],
        drop_rate: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        joints = torch.tensor(limbs)
        self.num_limbs, num_joints = joints.shape
        self.register_buffer('joints', joints.flatten(), persistent=False)
        self.proj = nn.Linear(num_joints * embed_dims, embed_dims)
        self.norm = nn.LayerNorm(embed_dims)
        self.mlp = MLP(embed_dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Pool ``(B, K, C)`` to ``(B, limbs, C)``."""
        x = x.index_select(1, self.joints).unflatten(1, (self.num_limbs, -1))
        x = self.drop_path(F.gelu(self.proj(x.flatten(2))))
        return self.drop_path.add(x, self.mlp(self.norm(x)))


class IntraPartConstraint(nn.Module):
    """Intra-part constraint (IPC): a limb's joints move as one.

    The vector of a whole limb replaces the normalised features of its middle and
    end joint, that of middle and end replaces a second copy of the end joint's.
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
        limbs = [skeleton.indices(limb) for limb in LIMBS]
        rates = (drop_rate, drop_path)
        self.norm3 = nn.LayerNorm(embed_dims)
        self.pool3 = LimbPool(embed_dims, mlp_dims, limbs, *rates)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.pool2 = LimbPool(embed_dims, mlp_dims, [x[1:] for x in limbs], *rates)
        spread3 = torch.zeros(skeleton.num_keypoints, len(limbs))
        spread2 = torch.zeros_like(spread3)
        for limb, (_, middle, end) in enumerate(limbs):
            spread3[[middle, end], limb] = 1
            spread2[end, limb] = 1
        self.register_buffer('spread', torch.cat([spread3, spread2], 1), False)
        self.register_buffer('keep3', 1 - spread3.sum(1, keepdim=True), False)
        self.register_buffer('keep2', 1 - spread2.sum(1, keepdim=True), False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, K, C)`` to ``(B, K, C)``."""
        joints3, joints2 = self.norm3(x), self.norm2(x)
        limbs = torch.cat([self.pool3(joints3), self.pool2(joints2)], dim=1)
        x = torch.addcmul(x, joints3, self.keep3)
        x = torch.addcmul(x, joints2, self.keep2)
        return torch.baddbmm(x, self.spread.expand(len(x), -1, -1), limbs)


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
        return self.drop_path.add(x, self.attn(self.norm(x)))


class SpatialBlock(nn.Module):
    """Joint, limb and body level, each on its own third of the channels."""

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        graph_dims: int,
        skeleton: Skeleton,
        adjacency: Tensor,
        drop_rate: float,
        proj_drop: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        dims = embed_dims // 3
        self.joint = LocalJointConnection(dims, graph_dims, adjacency, drop_path)
        self.part = IntraPartConstraint(dims, mlp_dims, skeleton, drop_rate, drop_path)
        self.body = GlobalBodyInteraction(dims, num_heads, proj_drop, drop_path)
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.mlp = MLP(embed_dims, mlp_dims, drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, K, C)`` to ``(B, K, C)``."""
        joint, part, body = x.chunk(3, dim=-1)
        joint = self.joint(joint)
        part = self.part(joint + part)
        body = self.body(part + body)
        x = torch.cat([joint, part, body], dim=-1)
        return self.drop_path.add(x, self.mlp(self.norm(x)))
