"""MotionAGFormer's graph convolutions, over keypoints and over similar frames.

`MotionAGFormer: Enhancing 3D Human Pose Estimation with a Transformer-GCNFormer
Network <https://arxiv.org/abs/2310.16288>`_ (WACV 2024). The numbers are those of the
published network; what differs is how they are computed: degrees scale rows instead of
being products with diagonal matrices, and a frame's few neighbors are gathered.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmhot.models.layers.execution import being_traced
from mmhot.skeletons.joints import Skeleton

# The published graph has these edges only from the second joint to the first.
_ONE_WAY = (
    ('root', 'left_hip'),
    ('thorax', 'left_shoulder'),
    ('thorax', 'right_shoulder'),
)
# Frames are the same if sums over so many parts of their channels are, up to this part
# of the largest.
_NUM_SUMS = 8
_ROUNDING = 1e-5


class NodeGraphConv(nn.Module):
    """What the graph convolutions over keypoints and over frames have in common.

    With the adjacency ``A`` scaled by the roots of both nodes' degrees, nodes become
    ``relu(x + norm(A @ neighbor(x) + own(x)))``; the norm has a channel a node.

    Args:
        embed_dims (int): Channels ``C``.
        num_nodes (int): Nodes: keypoints or frames.
    """

    def __init__(self, embed_dims: int, num_nodes: int) -> None:
        super().__init__()
        self.own = nn.Linear(embed_dims, embed_dims)
        self.neighbor = nn.Linear(embed_dims, embed_dims)
        for linear in (self.own, self.neighbor):
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
        update = self.adjacency @ self.neighbor(poses) + self.own(poses)
        return (poses + self.norm(update)).relu().view_as(x)


class SimilarFrameGraphConv(NodeGraphConv):
    """Graph convolution between each keypoint's most similar frames.

    Frame ``j`` is a neighbor of ``i`` if their product is at least the n-th largest
    of ``i``'s products. Frames that are equal up to rounding have equal products, so
    that a frame has more than n neighbors where a clip stands still, and the same
    ones alone as in a batch.

    Args:
        embed_dims (int): Channels ``C``.
        num_frames (int): Frames ``T``.
        num_neighbors (int): Neighbors n of a frame, mostly itself among them.
    """

    def __init__(self, embed_dims: int, num_frames: int, num_neighbors: int) -> None:
        super().__init__(embed_dims, num_frames)
        if not 1 <= num_neighbors <= num_frames:
            raise ValueError(
                f'num_neighbors must be from 1 to the number of frames that a layer '
                f'sees (num_frames or num_keep: {num_frames}), got {num_neighbors}'
            )
        self.num_neighbors = num_neighbors

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        update = self._from_neighbors(x, self.neighbor(x)) + self.own(x)
        return (x + self.norm(update.flatten(2)).view_as(x)).relu()

    def _from_neighbors(self, x: Tensor, values: Tensor) -> Tensor:
        """Multiply the adjacency with values ``(B, T, K, C)``."""
        with torch.no_grad():
            tracks = x.transpose(1, 2)
            products = tracks @ tracks.transpose(-2, -1)  # (B, K, T, T)
            # rounding depends on the place in a product
            first = first_of_same(tracks)
            # asking costs a pause on other devices, and a recording is of one answer
            asks = x.device.type == 'cpu' and not being_traced()
            if not asks or (first.diff(dim=-1) != 1).any():
                products = products.gather(-2, first[..., None].expand_as(products))
                products = products.gather(-1, first[..., None, :].expand_as(products))
            index, least, has_ties = largest(products, self.num_neighbors)
        is_fast = values.device.type == 'cpu' and not values.requires_grad
        # a recording would be of this clip's branch
        if is_fast and not being_traced() and not has_ties:
            return mean_of_frames(values, index.transpose(1, 2))
        # with gradients, and on other devices, this is faster than gathering
        adjacency = scale_by_degrees((products >= least).to(x.dtype))
        return (adjacency @ values.transpose(1, 2)).transpose(1, 2)


def mean_of_frames(x: Tensor, index: Tensor) -> Tensor:
    """Mean over some frames for each keypoint.

    Args:
        x (Tensor): Features, (B, T, K, C).
        index (Tensor): Frames for each keypoint in each frame, (B, T, K, n).

    Returns:
        Tensor: Their means, (B, T, K, C).
    """
    batch, num_frames, num_keypoints, _ = x.shape
    first = torch.arange(batch) * num_frames * num_keypoints
    first = first[:, None] + torch.arange(num_keypoints)
    rows = first[:, None, :, None] + num_keypoints * index
    mean = F.embedding_bag(rows.flatten(0, 2), x.flatten(0, 2), mode='mean')
    return mean.view_as(x)


def first_of_same(tracks: Tensor) -> Tensor:
    """Find which frames are the same, up to rounding.

    Args:
        tracks (Tensor): Features of frames, (..., T, C).

    Returns:
        Tensor: For each frame one that all of its kind share, (..., T); for a frame
        that is like no other, itself.
    """
    sums = [part.sum(-1) for part in tracks.chunk(_NUM_SUMS, dim=-1)]
    sums = torch.stack(sums, dim=-1)
    order = sums[..., 0].argsort(dim=-1)
    sums = sums.gather(-2, order[..., None].expand_as(sums))
    differ = sums.diff(dim=-2).abs() > _ROUNDING * sums.abs().amax((-2, -1), True)
    starts = F.pad(differ.any(-1), (1, 0), value=True)
    place = torch.arange(starts.shape[-1], device=tracks.device)
    start = torch.where(starts, place, 0).cummax(-1).values
    return torch.empty_like(order).scatter(-1, order, order.gather(-1, start))


def largest(x: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the largest values along the last axis, faster than by ``topk``.

    Args:
        x (Tensor): Values, (..., N).
        count (int): How many are wanted.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Their indices (..., count), the least of them
        (..., 1), and whether any other equals it, a scalar.
    """
    indices, rest = [], x.clone()
    for _ in range(count):
        least, index = rest.max(-1, keepdim=True)
        rest.scatter_(-1, index, -torch.inf)
        indices.append(index)
    return torch.cat(indices, dim=-1), least, (rest == least).any()


def bone_adjacency(skeleton: Skeleton) -> Tensor:
    """Scaled adjacency of the published graph, without loops, (K, K)."""
    adjacency = torch.zeros(skeleton.num_keypoints, skeleton.num_keypoints)
    for parent, child in skeleton.bones:
        adjacency[child, parent] = 1
        bone = (skeleton.joints[parent], skeleton.joints[child])
        adjacency[parent, child] = bone not in _ONE_WAY
    return scale_by_degrees(adjacency)


def scale_by_degrees(adjacency: Tensor) -> Tensor:
    """Divide by the roots of both nodes' row sums, (..., N, N)."""
    scale = adjacency.sum(-1).rsqrt()
    return adjacency * scale[..., :, None] * scale[..., None, :]
