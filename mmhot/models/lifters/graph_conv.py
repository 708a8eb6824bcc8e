"""Graph convolutions of HTNet and NanoHTNet (modulated), and of MotionAGFormer.

In MotionAGFormer's graph convolutions degrees scale adjacencies directly, instead of
through diagonal matrices as in the published code; results are the same.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.skeletons.joints import Skeleton


class ModulatedGraphConv(nn.Module):
    r"""Graph convolution with modulated weights and a learned adjacency.

    With the symmetric :math:`Q = (P + P^\top) / 2`, :math:`P` being the given
    adjacency (N, N) plus a learned offset, node :math:`i` becomes

    .. math:: y_i = Q_{ii}\, m_i \circ W_0 x_i
                    + \sum_{j \neq i} Q_{ij}\, m_j \circ W_1 x_j + b

    so that the modulation :math:`m` belongs to the node from which a feature comes.

    Args:
        in_dims (int): Channels of the input.
        out_dims (int): Channels of the output.
        adjacency (Tensor): Adjacency of the nodes, (N, N).
    """

    def __init__(self, in_dims: int, out_dims: int, adjacency: Tensor) -> None:
        super().__init__()
        num_nodes = len(adjacency)
        self.weight = nn.Parameter(torch.empty(2, in_dims, out_dims))
        self.modulation = nn.Parameter(torch.empty(num_nodes, out_dims))
        self.adjacency_offset = nn.Parameter(torch.empty(num_nodes, num_nodes))
        self.bias = nn.Parameter(torch.empty(out_dims))
        adjacency = (adjacency + adjacency.T) / 2
        self.register_buffer('adjacency', adjacency, persistent=False)
        self.register_buffer('others', 1 - torch.eye(num_nodes), persistent=False)
        # Initial weights as in the papers' code
        nn.init.xavier_uniform_(self.weight, gain=1.414)
        nn.init.xavier_uniform_(self.modulation, gain=1.414)
        nn.init.constant_(self.adjacency_offset, 1e-6)
        bound = 1 / math.sqrt(out_dims)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, N, in_dims)`` to ``(B, N, out_dims)``."""
        offset = self.adjacency_offset
        graph = torch.add(self.adjacency, offset + offset.T, alpha=0.5)  # Q
        own, neighbor = (x @ torch.cat([*self.weight], dim=-1)).chunk(2, dim=-1)
        loops = graph.diagonal().unsqueeze(-1) * self.modulation
        own = torch.addcmul(self.bias, loops, own)
        graph = (graph * self.others).expand(x.shape[0], -1, -1)
        return torch.baddbmm(own, graph, self.modulation * neighbor)


def tree_adjacency(parents: Sequence[int]) -> Tensor:
    """Return the adjacency of a tree, normalized by rows, with ones on the diagonal.

    Args:
        parents (Sequence[int]): Parent of each node, (N,); -1 for the root.

    Returns:
        Tensor: Adjacency, (N, N). Without the diagonal each row sums to one.
    """
    adjacency = torch.zeros(len(parents), len(parents))
    for child, parent in enumerate(parents):
        if parent >= 0:
            adjacency[parent, child] = adjacency[child, parent] = 1
    adjacency = adjacency / adjacency.sum(1, keepdim=True)
    return adjacency.fill_diagonal_(1)


def chain_adjacency(num_nodes: int) -> Tensor:
    """Return ones for a node and its two neighbors in a chain, (N, N)."""
    nodes = torch.arange(num_nodes)
    return ((nodes[:, None] - nodes).abs() <= 1).float()


# The published graph has these edges only from the second joint to the first.
_ONE_WAY = (
    ('root', 'left_hip'),
    ('thorax', 'left_shoulder'),
    ('thorax', 'right_shoulder'),
)
# Number of groups of channels. Comparing frames by the sums of these groups is cheaper
# than by all channels.
_NUM_SUMS = 8
# Largest difference between the sums of equal frames, as a share of the largest sum.
_ROUNDING = 1e-5


class NodeGraphConv(nn.Module):
    """Base class of MotionAGFormer's graph convolutions.

    With the adjacency ``A`` scaled by the roots of both nodes' degrees, nodes become
    ``relu(x + norm(A @ neighbor(x) + own(x)))``; the norm has a channel
    for each node.
    """

    def __init__(self, embed_dims: int, num_nodes: int) -> None:
        super().__init__()
        self.own = nn.Linear(embed_dims, embed_dims)
        self.neighbor = nn.Linear(embed_dims, embed_dims)
        for linear in (self.own, self.neighbor):
            nn.init.normal_(linear.weight, std=(2 / embed_dims) ** 0.5)
        self.norm = nn.BatchNorm1d(num_nodes)


class KeypointGraphConv(NodeGraphConv):
    """Graph convolution along the bones of each frame."""

    def __init__(self, embed_dims: int, skeleton: Skeleton) -> None:
        super().__init__(embed_dims, skeleton.num_keypoints)
        self.register_buffer('adjacency', bone_adjacency(skeleton), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        poses = x.flatten(0, 1)
        update = self.adjacency @ self.neighbor(poses) + self.own(poses)
        return (poses + self.norm(update)).relu().view_as(x)


class SimilarFrameGraphConv(NodeGraphConv):
    """Graph convolution between each keypoint's most similar frames.

    Frame ``j`` is a neighbor of ``i`` if the product of their features is at least the
    n-th largest of ``i``'s products, with n = ``num_neighbors``. Frames that are equal
    up to rounding get equal products, so that results do not depend on the batch. In a
    still clip, frames have more than n neighbors.
    """

    def __init__(self, embed_dims: int, num_frames: int, num_neighbors: int) -> None:
        super().__init__(embed_dims, num_frames)
        if not 1 <= num_neighbors <= num_frames:
            raise ValueError(
                'num_neighbors must be from 1 to the number of frames that a layer '
                f'sees (num_frames or num_keep: {num_frames}), got {num_neighbors}'
            )
        self.num_neighbors = num_neighbors

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        adjacency = self._adjacency(x.transpose(1, 2))
        neighbors = (adjacency @ self.neighbor(x).transpose(1, 2)).transpose(1, 2)
        update = neighbors + self.own(x)
        return (x + self.norm(update.flatten(2)).view_as(x)).relu()

    @torch.no_grad()
    def _adjacency(self, tracks: Tensor) -> Tensor:
        """Compute the scaled adjacency (B, K, T, T) from features (B, K, T, C)."""
        products = tracks @ tracks.mT
        same = stand_in_frames(tracks)
        products = products.gather(-2, same[..., None].expand_as(products))
        products = products.gather(-1, same[..., None, :].expand_as(products))
        least = products.topk(self.num_neighbors).values[..., -1:]
        return scale_by_degrees((products >= least).to(tracks.dtype))


def stand_in_frames(tracks: Tensor) -> Tensor:
    """Map frames to stand-ins, so that equal frames have the same one.

    Frames are compared by sums of groups of channels, and sorted by the first sum. A
    run of sorted frames with the same sums is a group of equal frames, whose stand-in
    is the first one of the run.

    Args:
        tracks (Tensor): Features of frames, (..., T, C).

    Returns:
        Tensor: Index of the stand-in of each frame, (..., T).

    The first and last of three frames are equal:

    >>> stand_in_frames(torch.tensor([[1.0, 2.0], [5.0, 2.0], [1.0, 2.0]]))
    tensor([0, 1, 0])
    """
    padded = F.pad(tracks, (0, -tracks.shape[-1] % _NUM_SUMS))
    sums = padded.unflatten(-1, (_NUM_SUMS, -1)).sum(-1)
    order = sums[..., 0].argsort(dim=-1)
    sums = sums.gather(-2, order[..., None].expand_as(sums))
    differ = sums.diff(dim=-2).abs() > _ROUNDING * sums.abs().amax((-2, -1), True)
    starts = F.pad(differ.any(-1), (1, 0), value=True)
    place = torch.arange(starts.shape[-1], device=tracks.device)
    start = torch.where(starts, place, 0).cummax(-1).values
    # Stand-ins of the sorted frames, and then of the frames in time
    stand_ins = order.gather(-1, start)
    return torch.empty_like(order).scatter(-1, order, stand_ins)


def bone_adjacency(skeleton: Skeleton) -> Tensor:
    """Compute the scaled adjacency (K, K) of bones, as in the published graph.

    Keypoints are not neighbors of themselves.
    """
    adjacency = torch.zeros(skeleton.num_keypoints, skeleton.num_keypoints)
    for parent, child in skeleton.bones:
        adjacency[child, parent] = 1
        bone = (skeleton.joints[parent], skeleton.joints[child])
        adjacency[parent, child] = bone not in _ONE_WAY
    return scale_by_degrees(adjacency)


def scale_by_degrees(adjacency: Tensor) -> Tensor:
    """Divide adjacencies (..., N, N) by the roots of both nodes' degrees (row sums)."""
    scale = adjacency.sum(-1).rsqrt()
    return adjacency * scale[..., :, None] * scale[..., None, :]
