"""MMPose's lifters that see a pose as one vector."""

from mmengine.model import BaseModule
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType
from torch import Tensor


@MODELS.register_module()
class WholePoseBackbone(BaseModule):
    """Adapter for networks on flattened poses, such as MMPose's ``TCN``.

    With it the fully convolutional lifters of MMPose, `VideoPose3D
    <https://arxiv.org/abs/1811.11742>`_ and, with one frame, `SimpleBaseline3D
    <https://arxiv.org/abs/1705.03098>`_, take part in whatever is made for sequences
    of poses: codecs, heads, training data, lifting of whole clips.

    Args:
        net (dict): Config of a backbone that maps ``(B, K * C, T)`` to features
            ``(B, C', T')``, or to a tuple that ends with them.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(self, net: ConfigType, init_cfg: ConfigType | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.net = MODELS.build(net)

    def forward(self, x: Tensor) -> Tensor:
        """Map poses ``(B, T, K, C)`` to features ``(B, T', C')`` of whole poses."""
        feats = self.net(x.flatten(2).transpose(1, 2))
        feats = feats[-1] if isinstance(feats, tuple) else feats
        return feats.transpose(1, 2)
