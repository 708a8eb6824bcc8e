"""GTPT's group attention in the head of RTMPose, as an example of its use elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpose.models.heads import RTMCCHead
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType
from torch import Tensor, nn

from mmhot.models.gtpt.grouping import NamedGroups


@MODELS.register_module()
class GroupRTMCCHead(RTMCCHead):
    """RTMPose's head with group attention in place of its gated attention.

    Keypoints attend to the keypoints of all groups, and each group to its own copy of
    the feature map's cells; see
    :class:`~mmhot.models.gtpt.attention.GroupAttention`.

    Args:
        *args: Arguments of MMPose's ``RTMCCHead``.
        attention (dict): Config of the attention; its ``embed_dims`` are set to
            ``gau_cfg.hidden_dims``.
        skeleton (str): Name of the skeleton.
        metainfo (Mapping, optional): Metainfo of the dataset, in place of ``skeleton``.
        groups (str | Sequence[Sequence]): See :class:`NamedGroups`; without dense
            keypoints.
        **kwargs: Arguments of MMPose's ``RTMCCHead``.
    """

    def __init__(
        self,
        *args: Any,
        attention: ConfigType,
        skeleton: str = 'coco-17',
        metainfo: Mapping[str, Any] | None = None,
        groups: str | Sequence[Sequence[str | int]] = 'auto',
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.groups = NamedGroups(metainfo or skeleton, groups)
        self.groups.check_count(self.out_channels)
        if self.groups.num_dense:
            raise ValueError('groups of GroupRTMCCHead must not have dense keypoints')
        embed_dims = self.cls_x.in_features
        self.gau = None
        self.embed = nn.Linear(self.in_channels, embed_dims)
        self.norm = nn.LayerNorm(embed_dims)
        self.attention = MODELS.build(dict(attention, embed_dims=embed_dims))

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Map feature maps to logits of x (B, K, Wx) and y (B, K, Wy)."""
        groups = self.groups
        feature_map = feats[-1]
        keypoints = self.mlp(self.final_layer(feature_map).flatten(2))  # (B, K, C)
        cells = self.embed(feature_map.flatten(2).transpose(1, 2))  # (B, N, C)
        slots = keypoints[:, groups.sparse[groups.slots]]
        slots = slots.unflatten(1, (groups.num_groups, -1))  # (B, G, S, C)
        cells = cells.unsqueeze(1).expand(-1, groups.num_groups, -1, -1)
        x = self.norm(torch.cat([slots, cells], dim=2).flatten(0, 1))
        x = self.attention(x, groups)[0].unflatten(0, (-1, groups.num_groups))
        keypoints = keypoints + groups.take_keypoints(x)
        return self.cls_x(keypoints), self.cls_y(keypoints)
