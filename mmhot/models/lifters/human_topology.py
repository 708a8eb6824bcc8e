"""Blocks of HTNet and NanoHTNet, which follow the topology of the human body.

`HTNet <https://arxiv.org/abs/2302.09790>`_ (ICASSP 2023) and `NanoHTNet
<https://arxiv.org/abs/2501.15763>`_ (IEEE TIP 2025). The numbers are those of the
published networks. What differs is how they are computed: the strided convolutions
over limbs are linear layers over a limb's joints, and rows are added where the
published code overwrites them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.deploy.foldable import Foldable, fold_norm
from mmhot.deploy.fused_linear import fused_linear
from mmhot.models.layers.attention import Attention
from mmhot.models.layers.blocks import MLP, DropPath, gelu
from mmhot.models.lifters.graph_conv import ModulatedGraphConv
from mmhot.skeletons.joints import Skeleton

LIMBS = ('right_leg', 'left_leg', 'left_arm', 'right_arm')


class LocalJointConnection(nn.Module):
    """Local joint-level connection (LJC): two graph convolutions on neighbors."""

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
    """Layers that make one vector of all or the outermost joints of a limb."""

    def __init__(self, embed_dims: int, mlp_dims: int, num_joints: int) -> None:
        super().__init__()
        self.proj = nn.Linear(num_joints * embed_dims, embed_dims)
        self.norm = nn.LayerNorm(embed_dims)
        self.mlp = MLP(embed_dims, mlp_dims)


class IntraPartConstraint(Foldable):
    """Intra-part constraint (IPC): a limb's joints move as one.

    The vector of a whole limb replaces the normalized features of its middle and
    end joint, that of middle and end replaces a second copy of the end joint's. Both
    pools are computed at once.
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
        self.norm3 = nn.LayerNorm(embed_dims)
        self.pool3 = LimbPool(embed_dims, mlp_dims, num_joints=3)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.pool2 = LimbPool(embed_dims, mlp_dims, num_joints=2)
        self.drop = nn.Dropout(drop_rate)
        self.drop_path = DropPath(drop_path)
        spread = torch.zeros(skeleton.num_keypoints, 2, len(limbs))
        for limb, (_, middle, end) in enumerate(limbs):
            spread[[middle, end], 0, limb] = 1
            spread[end, 1, limb] = 1
        self.register_buffer('joints', torch.tensor(limbs).flatten(), persistent=False)
        self.register_buffer('spread', spread.flatten(1), persistent=False)
        self.register_buffer('keep', 1 - spread.sum(-1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, K, C)`` to ``(B, K, C)``."""
        scale, shift, *layers = self.folded()
        normed = F.layer_norm(x, x.shape[-1:])
        limbs = self.pool(normed.index_select(1, self.joints), *layers)
        x = torch.addcmul(x + shift, normed, scale)
        return torch.baddbmm(x, self.spread.expand(len(x), -1, -1), limbs)

    def pool(self, x: Tensor, proj: Tensor, bias: Tensor, *mlp: Tensor) -> Tensor:
        """Make both vectors of the joints of all limbs, (B, pools * limbs, C)."""
        batch_size, _, dims = x.shape
        x = gelu(fused_linear(x.reshape(batch_size, -1, 3 * dims), proj, bias))
        x = x.unflatten(-1, (2, dims)).movedim(2, 0)  # (pools, B, limbs, C)
        x = self.drop_path(x.flatten(0, 1))
        fc1, bias1, fc2, bias2 = mlp
        hidden = F.layer_norm(x, x.shape[-1:]).reshape(2, -1, dims)
        hidden = self.drop(gelu(torch.baddbmm(bias1, hidden, fc1)))
        hidden = self.drop(torch.baddbmm(bias2, hidden, fc2))
        x = self.drop_path.add(x, hidden.view_as(x))
        return x.unflatten(0, (2, -1)).transpose(0, 1).flatten(1, 2)

    def fold(self) -> tuple[Tensor, ...]:
        """Combine the parameters of both pools.

        Returns:
            tuple[Tensor, ...]: What the normalized input is multiplied with and what
            is added, for the joints that keep it, both (K, C); weight and bias of the
            projection of three joints to both vectors; weights (pools, C, mlp_dims)
            and (pools, mlp_dims, C) of the perceptron, each followed by its biases.
        """
        norms, pools = (self.norm3, self.norm2), (self.pool3, self.pool2)
        scale = self.keep @ torch.stack([norm.weight for norm in norms])
        shift = self.keep @ torch.stack([norm.bias for norm in norms])
        proj3, bias3 = fold_norm(self.norm3, self.pool3.proj)
        proj2, bias2 = fold_norm(self.norm2, self.pool2.proj)
        # the smaller pool leaves out the first joint
        proj2 = F.pad(proj2, (len(proj3[0]) - len(proj2[0]), 0))
        proj = torch.cat([proj3, proj2]), torch.cat([bias3, bias2])
        fc1 = [fold_norm(pool.norm, pool.mlp.fc1) for pool in pools]
        fc2 = [(pool.mlp.fc2.weight, pool.mlp.fc2.bias) for pool in pools]
        mlp = []
        for layers in (fc1, fc2):
            weights, biases = zip(*layers, strict=True)
            mlp += [torch.stack(weights).mT, torch.stack(biases).unsqueeze(1)]
        return scale, shift, *proj, *mlp


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
