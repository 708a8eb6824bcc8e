"""Modulated graph convolution, and adjacency matrices of trees and chains."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ModulatedGraphConv(nn.Module):
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
        graph = self.graph()
        loops = torch.diag(graph.diagonal())
        own = self.modulation * (x @ self.weight[0])
        neighbor = self.modulation * (x @ self.weight[1])
        return graph.diagonal()[:, None] * own + (graph - loops) @ neighbor + self.bias

    def graph(self) -> Tensor:
        """Return the symmetric adjacency ``Q``, (N, N)."""
        offset = self.adjacency_offset
        return self.adjacency + (offset + offset.T) / 2


def tree_adjacency(parents: Sequence[int]) -> Tensor:
    """Return the mean over a node's neighbors in a tree, plus the node itself.

    Args:
        parents (Sequence[int]): Index of each node's parent, -1 for the root.

    Returns:
        Tensor: Rows that sum to one, without the ones on the diagonal, (N, N).
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
