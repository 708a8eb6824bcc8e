"""MotionBERT: two streams of blocks over keypoints and over frames.

`MotionBERT: A Unified Perspective on Learning Human Motion Representations
<https://arxiv.org/abs/2210.06551>`_ (ICCV 2023), plain and as host of HoT. It is
MMPose's ``DSTFormer`` and loads its weights; what differs is that attention over frames
is the same fused module as attention over keypoints, and that it can be pruned.
"""

import torch
from mmpose.models.backbones import DSTFormer
from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType, OptMultiConfig
from torch import Tensor, nn

from mmhot.models.lifters.dual_stream import DualStream, SpaceTimeBlock, TimeSpaceBlock
from mmhot.models.lifters.host import check_windows, mean_keypoint
from mmhot.models.tokens.hourglass import Hourglass, Keep, Kept
from mmhot.models.tokens.pruned_features import PrunedFeatures


@MODELS.register_module()
class MotionBERT(DSTFormer):
    """MotionBERT without its head.

    Arguments are MMPose's.

    Args:
        in_channels (int): Input coordinates of a keypoint; the third is the detector's
            confidence. Defaults to 3.
        feat_size (int): Channels ``C``. Defaults to 256.
        depth (int): Layers. Defaults to 5.
        num_heads (int): Heads of the attention. Defaults to 8.
        mlp_ratio (int): Hidden channels of the MLPs over ``C``. Defaults to 4.
        num_keypoints (int): Keypoints ``K``. Defaults to 17.
        seq_len (int): Most frames ``T``. Defaults to 243.
        qkv_bias (bool): Whether queries, keys and values have a bias. Defaults to
            True.
        qk_scale (float, optional): What attention logits are multiplied by, if not
            ``(C / H) ** -0.5``.
        drop_rate (float): Dropout rate. Defaults to 0.
        attn_drop_rate (float): Of attention weights, which nobody uses; must be 0.
        drop_path_rate (float): Stochastic depth rate of the last layer; those before
            rise linearly from 0. Defaults to 0.
        att_fuse (bool): Whether the streams are averaged with learned weights.
            Defaults to True.
        pruner (dict or list[dict], optional): Which frames go on after some layers,
            see :mod:`mmhot.models.tokens.pruners`.
        recoverer (dict, optional): How all frames come back, see
            :mod:`mmhot.models.tokens.recoverers`.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    gives_center = True  # alone, if asked to

    def __init__(
        self,
        in_channels: int = 3,
        feat_size: int = 256,
        depth: int = 5,
        num_heads: int = 8,
        mlp_ratio: float = 4,
        num_keypoints: int = 17,
        seq_len: int = 243,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        att_fuse: bool = True,
        pruner: OptMultiConfig = None,
        recoverer: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ) -> None:
        if attn_drop_rate:
            raise ValueError(f'attn_drop_rate must be 0, got {attn_drop_rate}')
        # no depth: the blocks are ours
        super().__init__(
            in_channels,
            feat_size,
            depth=0,
            num_keypoints=num_keypoints,
            seq_len=seq_len,
            drop_rate=drop_rate,
            att_fuse=att_fuse,
            init_cfg=init_cfg,
        )
        self.num_frames, self.num_keypoints = seq_len, num_keypoints
        sizes = (feat_size, num_heads, int(feat_size * mlp_ratio))
        options = (qkv_bias, qk_scale, drop_rate)
        for drop_path in torch.linspace(0, drop_path_rate, depth).tolist():
            self.blocks_st.append(SpaceTimeBlock(*sizes, *options, drop_path))
            self.blocks_ts.append(TimeSpaceBlock(*sizes, *options, drop_path))
            if att_fuse:
                self.attn_regress.append(nn.Linear(2 * feat_size, 2))
        self._start_even()
        self.hourglass = Hourglass(
            seq_len, depth, feat_size, pruner, recoverer, num_heads, qkv_bias
        )
        self.num_keep_frames = self.hourglass.num_outputs
        self.values_per_frame = num_keypoints * feat_size

    def init_weights(self) -> None:
        """Initialise as published; MMPose does not start with a plain mean."""
        super().init_weights()
        config = self.init_cfg
        if not (isinstance(config, dict) and config['type'] == 'Pretrained'):
            self._start_even()
            self.hourglass.restart()

    def forward(
        self,
        x: Tensor,
        kept: Kept | None = None,
        keep: Keep | None = None,
        center: bool = False,
    ) -> Tensor | PrunedFeatures:
        """Map 2D poses to features.

        Args:
            x (Tensor): Normalized 2D poses, (B, T, K, in_channels), of up to
                ``seq_len`` frames.
            kept (Tensor, optional): See :class:`~mmhot.models.tokens.Hourglass`.
            keep (int, optional): See :class:`~mmhot.models.tokens.Hourglass`.
            center (bool): Whether only the center frame is wanted. Defaults to False.

        Returns:
            Tensor | PrunedFeatures: Features, (B, T, K, C); of kept frames, if nothing
            recovers the others. With a pruner also the frames kept.
        """
        sizes = (self.num_frames, self.num_keypoints, self.in_channels)
        check_windows(x, 'MotionBERT', *sizes, shorter=True)
        tokens = self.joints_embed(x) + self.spat_embed
        tokens = self.pos_drop(tokens + self.temp_embed[:, : x.shape[1]])
        tokens, stages = self.hourglass(
            tokens, self.layers(), mean_keypoint, x, kept, keep, center
        )
        return self.hourglass.recover(self.norm(tokens), stages, x.shape[1])

    def layers(self) -> list[DualStream]:
        """Blocks of both streams as layers."""
        fusions = self.attn_regress if self.att_fuse else [None] * len(self.blocks_st)
        streams = zip(self.blocks_st, self.blocks_ts, fusions, strict=True)
        return [DualStream(*layer) for layer in streams]

    def _start_even(self) -> None:
        """Average the streams evenly at first."""
        for fusion in self.attn_regress if self.att_fuse else []:
            nn.init.zeros_(fusion.weight)
            nn.init.constant_(fusion.bias, 0.5)
