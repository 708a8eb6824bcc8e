"""Layers that several models share; they know PyTorch and nothing else."""

from .attention import Attention
from .drop_path import DropPath
from .dropout import Dropout
from .graph_conv import ModulatedGraphConv, chain_adjacency, tree_adjacency
from .mirror import mirror_poses
from .mlp import MLP
from .position import PositionTable
from .transformer_block import TransformerBlock

__all__ = [
    'MLP',
    'Attention',
    'DropPath',
    'Dropout',
    'ModulatedGraphConv',
    'PositionTable',
    'TransformerBlock',
    'chain_adjacency',
    'mirror_poses',
    'tree_adjacency',
]
