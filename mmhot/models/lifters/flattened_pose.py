"""MMPose's lifters that see a pose as one vector."""

from mmengine.model import BaseModule
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType
from torch import Tensor


@MODELS.register_module()
class FlattenedPoseBackbone(BaseModule):
    """Adapter for networks on flattened poses, such as MMPose's ``TCN``.

    With it the fully convolutional lifters of MMPose, `VideoPose3D
    <https://arxiv.org/abs/1811.11742>`_ and, with one frame, `SimpleBaseline3D
    <https://arxiv.org/abs/1705.03098>`_, take part in whatever is made for sequences
    of poses: codecs, heads, training data, lifting of whole clips.

    Args:
        net (dict): Config of a backbone that maps ``(B, K * C, T)`` to features
            ``(B, C', T')``, or to a tuple that ends with them.
        num_frames (int): Input frames ``T``.
        num_keep_frames (int): Output frames ``T'``, in their middle. Defaults to 1.
        init_cfg (dict, optional): Initialization. Defaults to None.
    """

    def __init__(
        self,
        net: ConfigType,
        num_frames: int,
        num_keep_frames: int = 1,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_frames, self.num_keep_frames = num_frames, num_keep_frames
        self.net = MODELS.build(net)

    def forward(self, x: Tensor) -> Tensor:
        """Map poses ``(B, T, K, C)`` to features ``(B, T', C')`` of whole poses."""
        if x.ndim != 4 or x.shape[1] != self.num_frames:
            raise ValueError(
                f'FlattenedPoseBackbone wants (B, {self.num_frames}, K, C) poses, '
                f'got {tuple(x.shape)}'
            )
        feats = self.net(x.flatten(2).transpose(1, 2))
        feats = feats[-1] if isinstance(feats, tuple) else feats
        return feats.transpose(1, 2)
