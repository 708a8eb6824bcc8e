"""MotionAGFormer's graph convolutions, over keypoints and over similar frames.

`MotionAGFormer: Enhancing 3D Human Pose Estimation with a Transformer-GCNFormer
Network <https://arxiv.org/abs/2310.16288>`_ (WACV 2024). The numbers are those of the
published network; what differs is how they are computed: degrees scale rows instead of
being products with diagonal matrices, and a frame's few neighbours are gathered.
"""

import torch
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
    of ``i``'s products; exact ties give more than n neighbours.

    Args:
        embed_dims (int): Channels ``C``.
        num_frames (int): Frames ``T``.
        num_neighbours (int): Neighbours n of a frame, mostly itself among them.
    """

    def __init__(self, embed_dims: int, num_frames: int, num_neighbours: int) -> None:
        super().__init__(embed_dims, num_frames)
        self.num_neighbours = num_neighbours

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        tracks = x.transpose(1, 2)  # (B, K, T, C)
        adjacency = similar_frames(tracks, self.num_neighbours)
        update = adjacency @ self.neighbour(tracks) + self.own(tracks)
        update = update.transpose(1, 2)
        return (x + self.norm(update.flatten(2)).view_as(x)).relu()


@torch.no_grad()
def similar_frames(tracks: Tensor, num_neighbours: int) -> Tensor:
    """Scaled adjacency between similar tokens, (..., T, T) of (..., T, C)."""
    products = tracks @ tracks.transpose(-2, -1)
    least = products.topk(num_neighbours, dim=-1).values[..., -1:]
    adjacency = (products >= least).to(tracks.dtype)
    scale = adjacency.sum(-1).rsqrt()
    return adjacency * scale[..., :, None] * scale[..., None, :]


def bone_adjacency(skeleton: Skeleton) -> Tensor:
    """Scaled adjacency of the published graph, without loops, (K, K)."""
    adjacency = torch.zeros(skeleton.num_keypoints, skeleton.num_keypoints)
    for parent, child in skeleton.bones:
        adjacency[child, parent] = 1
        bone = (skeleton.joints[parent], skeleton.joints[child])
        adjacency[parent, child] = bone not in _ONE_WAY
    scale = adjacency.sum(-1).rsqrt()
    return adjacency * scale[:, None] * scale
