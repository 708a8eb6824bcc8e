"""MotionAGFormer: attention and graph convolutions side by side.

`MotionAGFormer: Enhancing 3D Human Pose Estimation with a Transformer-GCNFormer
Network <https://arxiv.org/abs/2310.16288>`_ (WACV 2024). Heads and neighbors are those
of its own code; HoT's copy has four of each.

Its layers are in :mod:`mmhot.models.lifters.attention_graph`.
"""

from collections.abc import Sequence

from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmhot.models.layers.blocks import PositionTable
from mmhot.models.lifters.attention_graph import AttentionGraphLayer
from mmhot.models.lifters.host import check_windows, mean_keypoint
from mmhot.models.lifters.node_graph_conv import SimilarFrameGraphConv
from mmhot.models.tokens.hourglass import Hourglass, Keep, Kept
from mmhot.models.tokens.pruned_features import PrunedFeatures
from mmhot.models.tokens.pruners import spread_frames
from mmhot.skeletons.joints import get_skeleton


@MODELS.register_module()
class MotionAGFormer(BaseModule):
    """MotionAGFormer without its last two linear layers.

    Its normalization has a channel a frame, so that it runs only on the number of
    frames that it was built for; pruned, a channel belongs to a place in the order of
    the frames kept.

    Args:
        num_frames (int): Frames ``T``. Defaults to 243.
        in_channels (int): Coordinates of a keypoint and its confidence. Defaults to 3.
        embed_dims (int): Channels ``C``, a multiple of ``num_heads``. Defaults to 128.
        depth (int): Layers. Defaults to 16.
        num_heads (int): Heads of the attention. Defaults to 8.
        num_neighbors (int): Neighbors of a frame in the temporal graphs, mostly
            itself among them. Defaults to 2.
        mlp_ratio (int): Hidden channels of the MLPs over ``C``. Defaults to 4.
        qkv_bias (bool): Whether queries, keys and values have a bias. Defaults to
            False.
        skeleton (str): Keypoints ``K`` and their tree, see
            :func:`mmhot.skeletons.joints.get_skeleton`. Defaults to 'h36m-17'.
        pruner (dict or list[dict], optional): Prunes frames, see
            :class:`~mmhot.models.tokens.Hourglass`. Defaults to None.
        recoverer (dict, optional): Recovers them. Defaults to None.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(
        self,
        num_frames: int = 243,
        in_channels: int = 3,
        embed_dims: int = 128,
        depth: int = 16,
        num_heads: int = 8,
        num_neighbors: int = 2,
        mlp_ratio: int = 4,
        qkv_bias: bool = False,
        skeleton: str = 'h36m-17',
        pruner: dict | Sequence[dict] | None = None,
        recoverer: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if depth < 1:
            raise ValueError(f'depth must be at least 1, got {depth}')
        skeleton = get_skeleton(skeleton)
        self.hourglass = Hourglass(
            num_frames,
            depth,
            embed_dims,
            pruner,
            recoverer,
            num_heads,
            qkv_bias,
            fixed_lengths=True,
        )
        self.num_frames, self.in_channels = num_frames, in_channels
        self.num_keypoints = skeleton.num_keypoints
        self.num_keep_frames = self.hourglass.num_outputs
        self.values_per_frame = self.num_keypoints * embed_dims

        self.embed = nn.Linear(in_channels, embed_dims)
        self.position = PositionTable(self.num_keypoints, embed_dims)
        self.layers = nn.ModuleList(
            AttentionGraphLayer(
                embed_dims,
                num_heads,
                mlp_ratio * embed_dims,
                length,
                num_neighbors,
                skeleton,
                qkv_bias,
            )
            for length in self.hourglass.lengths
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.register_load_state_dict_pre_hook(_fit_norms)

    def forward(
        self, x: Tensor, kept: Kept | None = None, keep: Keep | None = None
    ) -> Tensor | PrunedFeatures:
        """Map 2D poses to features.

        Args:
            x (Tensor): Normalized 2D poses and confidences, (B, T, K, 3).
            kept (Tensor or Sequence[Tensor], optional): Frames to keep, (B, t).
            keep (int or Sequence[int], optional): How many; only those that it was
                built for.

        Returns:
            Tensor | PrunedFeatures: Features, (B, T, K, C), or, with a pruner, those
            of the frames left and which these are.
        """
        check_windows(
            x, 'MotionAGFormer', self.num_frames, self.num_keypoints, self.in_channels
        )
        tokens = self.position(self.embed(x))
        tokens, stages = self.hourglass(
            tokens, self.layers, mean_keypoint, x, kept, keep
        )
        return self.hourglass.recover(self.norm(tokens), stages, x.shape[1])


def _fit_norms(
    backbone: MotionAGFormer, state_dict: dict[str, Tensor], prefix: str, *_: object
) -> None:
    """Let weights of a plain host, or of one that keeps more, start an hourglass.

    Norms over the graph of frames have a channel a frame. Behind a pruner, where fewer
    are left, these get those of frames spread evenly.
    """
    fitted = set()
    for name, module in backbone.named_modules():
        if not isinstance(module, SimilarFrameGraphConv):
            continue
        length = module.norm.num_features
        for part in ('weight', 'bias', 'running_mean', 'running_var'):
            key = f'{prefix}{name}.norm.{part}'
            given = state_dict.get(key)
            if given is not None and backbone.num_frames >= len(given) > length:
                state_dict[key] = given[spread_frames(len(given), length)]
                fitted.add((name, len(given), length))
    for name, before, length in sorted(fitted):
        print_log(
            f'{prefix}{name}.norm: {length} of {before} frames taken, spread evenly',
            'current',
        )
