"""HTNet, a lifter of single frames with joint, limb and body level.

`HTNet: Human Topology Aware Network for 3D Human Pose Estimation
<https://arxiv.org/abs/2302.09790>`_ (ICASSP 2023). The published code folds frames into
the batch and never unfolds them; here the frame axis stays.
"""

import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.blocks import PositionTable
from mmhot.models.lifters.graph_conv import tree_adjacency
from mmhot.models.lifters.human_topology import SpatialBlock
from mmhot.skeletons.joints import get_skeleton


@MODELS.register_module()
class HTNet(BaseModule):
    """HTNet without its last linear layer.

    Args:
        in_channels (int): Input coordinates of a keypoint. Defaults to 2.
        embed_dims (int): Channels ``C``; a multiple of three times ``num_heads``.
            Defaults to 240.
        depth (int): Blocks. Defaults to 3.
        num_heads (int): Heads of the attention. Defaults to 8.
        mlp_dims (int): Hidden channels of every MLP. Defaults to 1024.
        graph_dims (int): Hidden channels of the graph convolutions. Defaults to 384.
        drop_rate (float): Dropout rate in the MLPs. Defaults to 0.1.
        proj_drop_rate (float): Dropout rate after the attention. Defaults to 0.1.
        drop_path_rates (tuple[float, float]): Stochastic depth rates of the first
            and last block; those between rise linearly. Defaults to (0.1, 0.3).
        skeleton (str): Keypoints ``K`` and their tree, see
            :func:`mmhot.skeletons.joints.get_skeleton`. Defaults to 'h36m-17'.
        init_cfg (dict, optional): Initialization. Defaults to None.
    """

    # frames are independent: a clip is lifted in windows of one
    num_frames = 1
    num_keep_frames = 1

    def __init__(
        self,
        in_channels: int = 2,
        embed_dims: int = 240,
        depth: int = 3,
        num_heads: int = 8,
        mlp_dims: int = 1024,
        graph_dims: int = 384,
        drop_rate: float = 0.1,
        proj_drop_rate: float = 0.1,
        drop_path_rates: tuple[float, float] = (0.1, 0.3),
        skeleton: str = 'h36m-17',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if embed_dims % (3 * num_heads):
            raise ValueError(
                f'embed_dims ({embed_dims}) must be divisible by {3 * num_heads} '
                f'(three times num_heads): a third of it is split into heads'
            )
        if depth < 1:
            raise ValueError(f'depth must be at least 1, got {depth}')
        skeleton = get_skeleton(skeleton)
        self.num_keypoints, self.in_channels = skeleton.num_keypoints, in_channels
        self.embed = nn.Linear(in_channels, embed_dims)
        self.position = PositionTable(skeleton.num_keypoints, embed_dims)
        sizes = (embed_dims, num_heads, mlp_dims, graph_dims)
        graph = (skeleton, tree_adjacency(skeleton.parents))
        self.blocks = nn.Sequential(
            *(
                SpatialBlock(*sizes, *graph, drop_rate, proj_drop_rate, drop_path)
                for drop_path in torch.linspace(*drop_path_rates, depth).tolist()
            )
        )
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map 2D poses to features of the same frames.

        Args:
            x (Tensor): Normalized 2D poses, (B, T, K, 2) with any ``T``.

        Returns:
            Tensor: Features, (B, T, K, C).
        """
        expected = (self.num_keypoints, self.in_channels)
        if x.ndim != 4 or x.shape[2:] != expected:
            raise ValueError(
                f'HTNet wants (B, T, {", ".join(map(str, expected))}) poses, got '
                f'{tuple(x.shape)}'
            )
        frames = self.position(self.embed(x.flatten(0, 1)))  # (B T, K, C)
        return self.norm(self.blocks(frames)).unflatten(0, x.shape[:2])
