"""Head with a motion representation before the poses."""

from collections import OrderedDict

from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType, OptConfigType
from torch import Tensor, nn

from .pose_lifting_head import PoseLiftingHead


@MODELS.register_module()
class RepresentationHead(PoseLiftingHead):
    """Linear layer and tanh, then :class:`PoseLiftingHead`'s regression.

    The head of MotionBERT and MotionAGFormer; keys are those of MMPose's
    ``MotionRegressionHead``.

    Args:
        in_channels (int): Channels ``C`` of the features.
        rep_dims (int): Channels of the representation. Defaults to 512.
        out_channels (int): Coordinates of a keypoint. Defaults to 3.
        loss (dict): See :class:`PoseLiftingHead`.
        decoder (dict, optional): See :class:`PoseLiftingHead`.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(
        self,
        in_channels: int,
        rep_dims: int = 512,
        out_channels: int = 3,
        loss: ConfigType = {'type': 'MPJPELoss'},  # noqa: B006 (MMPose's way)
        decoder: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ) -> None:
        super().__init__(
            rep_dims, out_channels, loss=loss, decoder=decoder, init_cfg=init_cfg
        )
        fc = nn.Linear(in_channels, rep_dims)
        self.pre_logits = nn.Sequential(OrderedDict(fc=fc, act=nn.Tanh()))

    def coordinates(self, feats: Tensor) -> Tensor:
        """Map features ``(B, T', K, C)`` to poses ``(B, T', K, 3)``."""
        return super().coordinates(self.pre_logits(feats))
