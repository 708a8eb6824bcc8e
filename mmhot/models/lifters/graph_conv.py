"""Graph convolution, and the graphs that it runs on."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmhot.deploy.foldable import Foldable
from mmhot.deploy.fused_linear import fused_linear
from mmhot.models.layers.precision import in_autocast


class ModulatedGraphConv(Foldable):
    r"""Graph convolution with modulated weights and a learned adjacency.

    With the symmetric :math:`Q = (P + P^\top) / 2`, :math:`P` being the given
    adjacency plus a learned offset, node :math:`i` becomes

    .. math:: y_i = Q_{ii}\, m_i \circ W_0 x_i
                    + \sum_{j \neq i} Q_{ij}\, m_j \circ W_1 x_j + b

    so that the modulation :math:`m` belongs to the node a feature comes from.

    Args:
        in_dims (int): Input channels.
        out_dims (int): Output channels.
        adjacency (Tensor): Fixed part of the adjacency, (N, N). It is not part
            of the state dict.
    """

    def __init__(self, in_dims: int, out_dims: int, adjacency: Tensor) -> None:
        super().__init__()
        num_nodes = len(adjacency)
        self.weight = nn.Parameter(torch.empty(2, in_dims, out_dims))
        self.modulation = nn.Parameter(torch.empty(num_nodes, out_dims))
        self.adjacency_offset = nn.Parameter(torch.empty(num_nodes, num_nodes))
        self.bias = nn.Parameter(torch.empty(out_dims))
        symmetric = (adjacency + adjacency.T) / 2
        self.register_buffer('adjacency', symmetric, persistent=False)
        self.register_buffer('others', 1 - torch.eye(num_nodes), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial weights as the papers' code does."""
        nn.init.xavier_uniform_(self.weight, gain=1.414)
        nn.init.xavier_uniform_(self.modulation, gain=1.414)
        nn.init.constant_(self.adjacency_offset, 1e-6)
        bound = 1 / math.sqrt(len(self.bias))
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, N, in_dims)`` to ``(B, N, out_dims)``."""
        kernel, scale, bias, graph = self.folded()
        both = fused_linear(x, kernel)  # (B, N, 2 * out_dims)
        # types that differ are slow to multiply, and autocast refuses work in place
        if in_autocast(x):
            own, others = (both * scale.to(both.dtype)).chunk(2, dim=-1)
            return torch.baddbmm(own + bias, graph.expand(len(x), -1, -1), others)
        own, others = both.mul_(scale).chunk(2, dim=-1)
        return (own + bias).baddbmm_(graph.expand(len(x), -1, -1), others)

    def fold(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Combine the parameters so that few operations are left.

        Returns:
            tuple[Tensor, Tensor, Tensor, Tensor]: Both weights as those of one linear
            layer, (2 * out_dims, in_dims), what their results are multiplied with,
            (N, 2 * out_dims), the bias, and the graph without its diagonal, (N, N).
        """
        offset = self.adjacency_offset
        graph = torch.add(self.adjacency, offset + offset.T, alpha=0.5)
        own_scale = graph.diagonal().unsqueeze(-1) * self.modulation
        scale = torch.cat([own_scale, self.modulation], dim=-1)
        kernel = torch.cat([*self.weight], dim=-1).mT
        return kernel, scale, self.bias, graph * self.others


def tree_adjacency(parents: Sequence[int]) -> Tensor:
    """Return the mean over a node's neighbors in a tree, plus the node itself.

    Args:
        parents (Sequence[int]): Index of each node's parent, -1 for the root.

    Returns:
        Tensor: Rows that sum to one, but for the ones on the diagonal, (N, N).
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
