"""Blocks of HTNet and NanoHTNet with combined parameters, for inference."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.deploy.transformer import fused_linear, inplace_gelu
from mmhot.models.lifters.graph_conv import ModulatedGraphConv
from mmhot.models.lifters.htnet import IntraPartConstraint
from mmhot.models.lifters.nanohtnet import TrajectoryEmbed


class _Folded(nn.Module):
    """A module whose constants are buffers that are not saved."""

    def _keep(self, **constants: Tensor) -> None:
        for name, constant in constants.items():
            constant = constant.detach().clone().contiguous()
            self.register_buffer(name, constant, persistent=False)


class FoldedGraphConv(_Folded):
    """Modulated graph convolution with its modulation and adjacency combined.

    Args:
        conv (ModulatedGraphConv): The module to replace.
    """

    def __init__(self, conv: ModulatedGraphConv) -> None:
        super().__init__()
        kernel, scale, graph = conv.combine()
        self._keep(kernel=kernel.mT, scale=scale, bias=conv.bias, graph=graph)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, N, in_dims)`` to ``(B, N, out_dims)``."""
        both = fused_linear(x, self.kernel)  # (B, N, 2 * out_dims)
        graph = self.graph.expand(len(x), -1, -1)
        if torch.is_autocast_enabled(x.device.type):  # which refuses work in place
            own, neighbor = (both * self.scale.to(both.dtype)).chunk(2, dim=-1)
            return torch.baddbmm(own + self.bias, graph, neighbor)
        own, neighbor = both.mul_(self.scale).chunk(2, dim=-1)
        return (own + self.bias).baddbmm_(graph, neighbor)


class FoldedTrajectoryEmbed(_Folded):
    """Linear layer on trajectories, whose weights are ordered by channel, then frame.

    In this order the trajectories can be copied fast.

    Args:
        embed (TrajectoryEmbed): The module to replace.
    """

    def __init__(self, embed: TrajectoryEmbed) -> None:
        super().__init__()
        weight = embed.weight.unflatten(1, (embed.num_frames, -1))
        self._keep(weight=weight.transpose(1, 2).flatten(1), bias=embed.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, K, embed_dims)``."""
        x = x.flatten(2).mT.reshape(len(x), -1, self.weight.shape[1])  # (B, K, C * T)
        return fused_linear(x, self.weight, self.bias)


class FoldedPartConstraint(_Folded):
    """Intra-part constraint that computes both pools of all limbs at once.

    Args:
        part (IntraPartConstraint): The module to replace.
    """

    def __init__(self, part: IntraPartConstraint) -> None:
        super().__init__()
        norms, pools = (part.norm3, part.norm2), (part.pool3, part.pool2)
        num_keypoints, num_limbs = part.num_keypoints, len(part.limbs)
        # which limb vectors are added to a keypoint, and which norms it keeps
        spread = part.limbs.new_zeros(num_keypoints, 2, num_limbs)
        for limb, (_, middle, end) in enumerate(part.limbs.tolist()):
            spread[[middle, end], 0, limb] = 1
            spread[end, 1, limb] = 1
        spread = spread.to(part.norm3.weight.dtype)
        keep = 1 - spread.sum(-1)
        proj3, bias3 = fold_norm(part.norm3, part.pool3.proj)
        proj2, bias2 = fold_norm(part.norm2, part.pool2.proj)
        # the smaller pool leaves out the first joint
        proj2 = F.pad(proj2, (proj3.shape[1] - proj2.shape[1], 0))
        fc1 = [fold_norm(pool.norm, pool.mlp.fc1) for pool in pools]
        self._keep(
            joints=part.limbs.flatten(),
            spread=spread.flatten(1),
            scale=keep @ torch.stack([norm.weight for norm in norms]),
            shift=keep @ torch.stack([norm.bias for norm in norms]),
            proj=torch.cat([proj3, proj2]),
            proj_bias=torch.cat([bias3, bias2]),
            fc1=torch.stack([weight for weight, _ in fc1]).mT,
            fc1_bias=torch.stack([bias for _, bias in fc1]).unsqueeze(1),
            fc2=torch.stack([pool.mlp.fc2.weight for pool in pools]).mT,
            fc2_bias=torch.stack([pool.mlp.fc2.bias for pool in pools]).unsqueeze(1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, K, C)`` to ``(B, K, C)``."""
        normed = F.layer_norm(x, x.shape[-1:])
        limbs = self._pool(normed.index_select(1, self.joints))
        x = torch.addcmul(x + self.shift, normed, self.scale)
        return torch.baddbmm(x, self.spread.expand(len(x), -1, -1), limbs)

    def _pool(self, x: Tensor) -> Tensor:
        """Pool joints of all limbs to both vectors, (B, pools * limbs, C)."""
        batch_size, _, dims = x.shape
        x = x.reshape(batch_size, -1, 3 * dims)
        x = inplace_gelu(fused_linear(x, self.proj, self.proj_bias))
        x = x.unflatten(-1, (2, dims)).movedim(2, 0).flatten(1, 2)  # (pools, B', C)
        hidden = F.layer_norm(x, x.shape[-1:])
        hidden = inplace_gelu(torch.baddbmm(self.fc1_bias, hidden, self.fc1))
        x = x + torch.baddbmm(self.fc2_bias, hidden, self.fc2)
        x = x.unflatten(1, (batch_size, -1))
        return x.transpose(0, 1).flatten(1, 2)


def fold_norm(norm: nn.LayerNorm, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Combine the affine part of a normalization with the linear layer after it.

    Args:
        norm (nn.LayerNorm): Normalization of ``C`` channels.
        linear (nn.Linear): Layer on ``C`` channels, or several times as many.

    Returns:
        tuple[Tensor, Tensor]: Weight and bias for inputs that are centered and scaled.
    """
    repeats = linear.weight.shape[1] // len(norm.weight)
    bias = linear.bias + linear.weight @ norm.bias.repeat(repeats)
    return linear.weight * norm.weight.repeat(repeats), bias
