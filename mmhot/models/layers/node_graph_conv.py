"""MotionAGFormer's graph convolutions, over keypoints and over similar frames.

`MotionAGFormer: Enhancing 3D Human Pose Estimation with a Transformer-GCNFormer
Network <https://arxiv.org/abs/2310.16288>`_ (WACV 2024). The numbers are those of the
published network; what differs is how they are computed: degrees scale rows instead of
being products with diagonal matrices, and a frame's few neighbours are gathered.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...skeletons import Skeleton

# The published graph has these edges only from the second joint to the first.
_ONE_WAY = (
    ('root', 'left_hip'),
    ('thorax', 'left_shoulder'),
    ('thorax', 'right_shoulder'),
)


class NodeGraphConv(nn.Module):
    """What the graph convolutions over keypoints and over frames have in common.

    With the adjacency ``A`` scaled by the roots of both nodes' degrees, nodes become
    ``relu(x + norm(A @ neighbour(x) + own(x)))``; the norm has a channel a node.

    Args:
        embed_dims (int): Channels ``C``.
        num_nodes (int): Nodes: keypoints or frames.
    """

    def __init__(self, embed_dims: int, num_nodes: int) -> None:
        super().__init__()
        self.own = nn.Linear(embed_dims, embed_dims)
        self.neighbour = nn.Linear(embed_dims, embed_dims)
        for linear in (self.own, self.neighbour):
            nn.init.normal_(linear.weight, std=(2 / embed_dims) ** 0.5)
        self.norm = nn.BatchNorm1d(num_nodes)


class KeypointGraphConv(NodeGraphConv):
    """Graph convolution along the bones of each frame.

    Args:
        embed_dims (int): Channels ``C``.
        skeleton (Skeleton): Keypoints ``K`` and their tree.
    """

    def __init__(self, embed_dims: int, skeleton: Skeleton) -> None:
        super().__init__(embed_dims, skeleton.num_keypoints)
        adjacency = bone_adjacency(skeleton)
        self.register_buffer('adjacency', adjacency, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        poses = x.flatten(0, 1)
        update = self.adjacency @ self.neighbour(poses) + self.own(poses)
        return (poses + self.norm(update)).relu().view_as(x)


class SimilarFrameGraphConv(NodeGraphConv):
    """Graph convolution between each keypoint's most similar frames.

    Frame ``j`` is a neighbour of ``i`` if their product is at least the n-th largest
    of ``i``'s products. Equal frames have equal products, so that a frame has more
    than n neighbours where a clip stands still.

    Args:
        embed_dims (int): Channels ``C``.
        num_frames (int): Frames ``T``.
        num_neighbours (int): Neighbours n of a frame, mostly itself among them.
    """

    def __init__(self, embed_dims: int, num_frames: int, num_neighbours: int) -> None:
        super().__init__(embed_dims, num_frames)
        if not 1 <= num_neighbours <= num_frames:
            raise ValueError(
                f'num_neighbours must be from 1 to the number of frames '
                f'({num_frames}), got {num_neighbours}'
            )
        self.num_neighbours = num_neighbours

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        tracks, values = x.transpose(1, 2), self.neighbour(x)
        with torch.no_grad():
            products = tracks @ tracks.transpose(-2, -1)  # (B, K, T, T)
        update = self._gather(products, values)
        if update is None:
            adjacency = similar_frames(products, self.num_neighbours)
            update = (adjacency @ values.transpose(1, 2)).transpose(1, 2)
        update = self.norm((update + self.own(x)).flatten(2))
        return (x + update.view_as(x)).relu()

    def _gather(self, products: Tensor, values: Tensor) -> Tensor | None:
        """Mean of the neighbours' values (B, T, K, C), if every frame has just n.

        That is as the adjacency would have it, without a product of its size. With
        gradients, and on other devices, that product is the faster way.
        """
        if torch.is_grad_enabled() or products.device.type != 'cpu':
            return None
        index, is_exact = largest(products.clone(), self.num_neighbours)
        if not is_exact:
            return None
        batch, frames, keypoints, channels = values.shape
        # rows of (B * T * K, C) instead of frames
        first = torch.arange(batch)[:, None] * frames * keypoints
        first = (first + torch.arange(keypoints))[:, None, :, None]
        rows = index.transpose(1, 2) * keypoints + first
        return F.embedding_bag(
            rows.flatten(0, 2), values.flatten(0, 2), mode='mean'
        ).view_as(values)


@torch.no_grad()
def similar_frames(products: Tensor, num_neighbours: int) -> Tensor:
    """Adjacency, scaled, of those with the largest products (..., T, T)."""
    least = products.topk(num_neighbours, dim=-1).values[..., -1:]
    adjacency = (products >= least).to(products.dtype)
    scale = adjacency.sum(-1).rsqrt()
    return adjacency * scale[..., :, None] * scale[..., None, :]


def largest(x: Tensor, count: int) -> tuple[Tensor, bool]:
    """Indices (..., count) of the largest along the last axis, which are taken out.

    Faster than ``topk`` for a few of hundreds.

    Args:
        x (Tensor): Values; changed in place, (..., N).
        count (int): How many.

    Returns:
        tuple[Tensor, bool]: The indices, and whether no other value equals the least.
    """
    taken = []
    for _ in range(count):
        least, index = x.max(-1, keepdim=True)
        x.scatter_(-1, index, -torch.inf)
        taken.append(index)
    return torch.cat(taken, dim=-1), not (x == least).any()


def bone_adjacency(skeleton: Skeleton) -> Tensor:
    """Scaled adjacency of the published graph, without loops, (K, K)."""
    adjacency = torch.zeros(skeleton.num_keypoints, skeleton.num_keypoints)
    for parent, child in skeleton.bones:
        adjacency[child, parent] = 1
        bone = (skeleton.joints[parent], skeleton.joints[child])
        adjacency[parent, child] = bone not in _ONE_WAY
    scale = adjacency.sum(-1).rsqrt()
    return adjacency * scale[:, None] * scale
