"""MotionAGFormer: attention and graph convolutions side by side.

`MotionAGFormer: Enhancing 3D Human Pose Estimation with a Transformer-GCNFormer
Network <https://arxiv.org/abs/2310.16288>`_ (WACV 2024). The numbers of heads and
neighbors follow its own code; HoT's copy has four of each.
"""

from typing import Any

import torch
from mmengine.logging import print_log
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.attention import Attention, received_attention
from mmhot.models.layers.blocks import MLP, PositionTable, fuse_streams
from mmhot.models.lifters.graph_conv import KeypointGraphConv, SimilarFrameGraphConv
from mmhot.models.lifters.host import Host
from mmhot.models.tokens.selection import spread_frames
from mmhot.skeletons.joints import Skeleton, configured_skeleton


class FrameAttention(Attention):
    """Attention among the frames of each keypoint."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ScaledBlock(nn.Module):
    """A token mixer and an MLP, each with a residual sum scaled by channel."""

    def __init__(self, mixer: nn.Module, embed_dims: int, mlp_dims: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims)
        self.mixer = mixer
        self.scale1 = nn.Parameter(torch.full((embed_dims,), 1e-5))
        self.norm2 = nn.LayerNorm(embed_dims)
        self.mlp = MLP(embed_dims, mlp_dims)
        self.scale2 = nn.Parameter(torch.full((embed_dims,), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., C)`` to ``(..., C)``."""
        x = torch.addcmul(x, self.scale1, self.mixer(self.norm1(x)))
        return torch.addcmul(x, self.scale2, self.mlp(self.norm2(x)))


class AttentionGraphLayer(nn.Module):
    """Layer of the Transformer-GCNFormer network: two streams that are fused.

    One stream has attention, the other graph convolutions, over keypoints, then frames.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        num_frames: int,
        num_neighbors: int,
        skeleton: Skeleton,
    ) -> None:
        super().__init__()
        heads = (embed_dims, num_heads, False)
        dims = (embed_dims, mlp_dims)
        self.attention = nn.Sequential(
            ScaledBlock(Attention(*heads), *dims),
            ScaledBlock(FrameAttention(*heads), *dims),
        )
        temporal = SimilarFrameGraphConv(embed_dims, num_frames, num_neighbors)
        self.graph = nn.Sequential(
            ScaledBlock(KeypointGraphConv(embed_dims, skeleton), *dims),
            ScaledBlock(temporal, *dims),
        )
        self.fusion = nn.Linear(2 * embed_dims, 2)
        nn.init.zeros_(self.fusion.weight)
        nn.init.constant_(self.fusion.bias, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, K, C)`` to ``(B, T, K, C)``."""
        return fuse_streams(self.fusion, self.attention(x), self.graph(x))

    def watch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return also the attention that each frame receives, (B, T)."""
        spatial, temporal = self.attention
        half = spatial(x)
        fused = fuse_streams(self.fusion, temporal(half), self.graph(x))
        tracks = temporal.norm1(half).transpose(1, 2)
        return fused, received_attention(temporal.mixer, tracks).mean(1)


@MODELS.register_module()
class MotionAGFormer(Host):
    """MotionAGFormer without its last two linear layers; see also :class:`Host`.

    Its normalization has one channel for each frame, so that the number of frames in
    each layer is fixed. Behind a pruner the channels follow the order of kept frames.

    Args:
        num_neighbors (int): Neighbors of a frame in the temporal graphs; a frame is
            usually one of its own.
        mlp_ratio (int): Hidden channels of the MLPs over ``C``.
        skeleton (str): Keypoints ``K`` and their tree, see
            :func:`mmhot.skeletons.joints.configured_skeleton`.
    """

    fixed_lengths = True

    def __init__(
        self,
        num_frames: int = 243,
        in_channels: int = 3,
        embed_dims: int = 128,
        depth: int = 16,
        num_heads: int = 8,
        num_neighbors: int = 2,
        mlp_ratio: int = 4,
        skeleton: str = 'h36m-17',
        **host: Any,
    ) -> None:
        tree = configured_skeleton(skeleton)
        super().__init__(
            num_frames,
            tree.num_keypoints,
            in_channels,
            depth,
            embed_dims,
            num_heads=num_heads,
            qkv_bias=False,
            **host,
        )
        self.embed = nn.Linear(in_channels, embed_dims)
        self.position = PositionTable(tree.num_keypoints, embed_dims)
        self.layers = nn.ModuleList(
            AttentionGraphLayer(
                embed_dims,
                num_heads,
                mlp_ratio * embed_dims,
                length,
                num_neighbors,
                tree,
            )
            for length in self.hourglass.lengths
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.register_load_state_dict_pre_hook(_fit_norms)

    def tokenize(self, x: Tensor) -> Tensor:
        """Embed 2D poses ``(B, T, K, 3)`` as tokens ``(B, T, K, C)``."""
        return self.position(self.embed(x))

    def before_recovery(self, x: Tensor) -> Tensor:
        """Normalize tokens ``(B, T, K, C)``."""
        return self.norm(x)


def _fit_norms(
    backbone: MotionAGFormer, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Fit the norms of weights that were trained on more frames, before loading.

    Norms have one value for each frame, (T,); values of evenly spread frames are kept.
    """
    for name, module in backbone.named_modules():
        if not isinstance(module, SimilarFrameGraphConv):
            continue
        length = module.norm.num_features
        before = 0
        for part in ('weight', 'bias', 'running_mean', 'running_var'):
            key = f'{prefix}{name}.norm.{part}'
            values = state_dict.get(key)
            if values is not None and backbone.num_frames >= len(values) > length:
                before = len(values)
                state_dict[key] = values[spread_frames(before, length)]
        if before:
            print_log(
                f'{prefix}{name}.norm: values of {length} of {before} frames are kept, '
                'spread evenly',
                'current',
            )
