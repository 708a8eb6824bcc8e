"""Estimator of pose sequences, and an adapter for MMPose's lifters of whole poses."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmpose.models.pose_estimators import PoseLifter
from mmpose.registry import MODELS
from mmpose.utils.tensor_utils import to_numpy
from mmpose.utils.typing import ConfigType, ForwardResults, OptSampleList, SampleList
from torch import Tensor, nn

from mmhot.errors import ArgumentError, require_choice
from mmhot.geometry.keypoint_arrays import mirror_poses
from mmhot.models.layers.blocks import check_windows
from mmhot.models.lifters.host import Host, PrunedFeatures
from mmhot.models.lifters.pose_head import (
    TARGETS,
    Features,
    PoseLiftingHead,
    kept_frames,
)


@MODELS.register_module()
class FlattenedPoseBackbone(BaseModule):
    """Adapter for networks on flattened poses, such as MMPose's ``TCN``.

    MMPose's fully convolutional lifters, `VideoPose3D
    <https://arxiv.org/abs/1811.11742>`_ and, with one frame, `SimpleBaseline3D
    <https://arxiv.org/abs/1705.03098>`_, then work with our codecs, heads, training
    data and lifting of whole clips.

    Args:
        net (dict): Config of a backbone that maps ``(B, K * C, T)`` to features
            ``(B, C', T')``, or to a tuple with these features last.
        num_frames (int): Input frames ``T``.
        num_keep_frames (int): Output frames ``T'``, in the middle of the input frames.
    """

    def __init__(
        self,
        net: ConfigType,
        num_frames: int,
        num_keep_frames: int = 1,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_frames = num_frames
        self.num_keep_frames = num_keep_frames
        self.net = MODELS.build(net)

    def forward(self, x: Tensor) -> Tensor:
        """Map poses ``(B, T, K, C)`` to features ``(B, T', C')`` of whole poses."""
        check_windows(self, x, self.num_frames, None, None)
        feats = self.net(x.flatten(2).transpose(1, 2))
        feats = feats[-1] if isinstance(feats, tuple) else feats
        return feats.transpose(1, 2)


@MODELS.register_module()
class SequencePoseLifter(PoseLifter):
    """MMPose's :class:`PoseLifter` for pose sequences and pruned backbones.

    ``PoseLifter`` mirrors its input in place and computes ``-x`` as ``(1 - x) - 1``,
    which is less precise. Here the input is not changed, ``-x`` is exact, and a window
    and its mirror image are one batch. Trajectory models are not supported. Without a
    recoverer the mirror image keeps the same frames as the window, as published. With a
    recoverer, frames are chosen separately for both.

    ``test_cfg`` has the settings of the head and

    * ``flip_test`` (bool, defaults to False): average with the mirror image;
    * ``keep`` (int or list[int], optional): overrides ``num_keep`` of the pruners.
    """

    test_settings = 'flip_test', 'keep', 'target'

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(self.head, PoseLiftingHead):
            raise ValueError(
                'SequencePoseLifter needs PoseLiftingHead or a subclass, got '
                f"{type(self.head).__name__}: use MMPose's heads with PoseLifter, and "
                'with a recoverer of tokens if frames are pruned'
            )
        require_choice('target', self.target, TARGETS)
        keep = self.test_cfg.get('keep')
        if keep is not None:
            if not isinstance(self.backbone, Host):
                raise ArgumentError(
                    '{keep=%s} needs a pruner, and this model has none', keep
                )
            self.backbone.hourglass.keep_counts(keep, self.backbone.num_frames)

    @property
    def target(self) -> str:
        """Frames that are predicted: 'center' or 'all'."""
        return self.test_cfg.get('target', 'center')

    @property
    def pruners(self) -> nn.ModuleList:
        """The backbone's pruners; empty if it has none."""
        is_host = isinstance(self.backbone, Host)
        return self.backbone.hourglass.pruners if is_host else nn.ModuleList()

    @property
    def drops_frames(self) -> bool:
        """Whether frames are pruned and not recovered."""
        return bool(self.pruners) and self.backbone.hourglass.recoverer is None

    def forward(
        self, inputs: Tensor, data_samples: OptSampleList = None, mode: str = 'tensor'
    ) -> ForwardResults | tuple[Tensor, Tensor]:
        """Run MMPose's ``forward``; mode 'tensor' needs no samples.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            data_samples (list[PoseDataSample], optional): B samples.
            mode (str): 'tensor', 'predict' or 'loss'.

        Returns:
            Tensor | tuple[Tensor, Tensor] | list | dict: In mode 'tensor' poses
            (B, T', K, 3), in a pair with their frame indices (B, T') if frames are
            left out; in mode 'predict' the samples; in mode 'loss' the losses.
        """
        if mode != 'tensor':
            return super().forward(inputs, data_samples, mode)
        feats = self.extract_feat(inputs)
        poses = self.head(feats)
        frames = kept_frames(feats)
        return poses if frames is None else (poses, frames)

    def extract_feat(
        self, inputs: Tensor, kept: Sequence[Tensor] | None = None
    ) -> Features:
        """Run the backbone.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            kept (Sequence[Tensor], optional): Indices of the frames that each pruner
                must keep, (B, t). By default pruners choose.

        Returns:
            Tensor | PrunedFeatures: Features, (B, T', ..., C).
        """
        if not isinstance(self.backbone, Host):
            return self.backbone(inputs)
        keep = None if self.training else self.test_cfg.get('keep')
        return self.backbone.encode(inputs, kept, keep)

    def extract_both(
        self, inputs: Tensor, flip_indices: Sequence[int]
    ) -> list[Features]:
        """Return the features of windows (B, T, K, C) and of their mirror images."""
        mirrored = mirror_poses(inputs, flip_indices)
        if not self.drops_frames:
            return list(self.extract_feat(torch.cat([inputs, mirrored])).chunk(2))
        feats = self.extract_feat(inputs)
        return [feats, self.extract_feat(mirrored, feats.kept_by_pruner)]

    def lift(self, inputs: Tensor, flip_indices: Sequence[int] | None = None) -> Tensor:
        """Lift windows of 2D poses, without decoding.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            flip_indices (Sequence[int], optional): Partner of each keypoint on the
                other side, (K,). If given, poses are averaged with the poses of the
                mirror images.

        Returns:
            Tensor: Poses in the units of the codec: of all output frames,
            (B, T', K, 3), or of the center frame, (B, 1, K, 3), if pruned frames are
            not recovered.
        """
        target = 'center' if self.drops_frames else 'all'
        if flip_indices is None:
            return self.head.select(self.extract_feat(inputs), target)
        feats = self.extract_both(inputs, flip_indices)
        return self.head.average(feats, flip_indices, target)

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Predict poses of windows.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            data_samples (list[PoseDataSample]): B samples; for the flip test with
                ``flip_indices`` in their metainfo.

        Returns:
            list[PoseDataSample]: The samples with ``pred_instances``. If the backbone
            prunes, their metainfo has ``kept_frames`` (t,) and ``num_frames``.
        """
        if self.test_cfg.get('flip_test', False):
            flip_indices = data_samples[0].metainfo['flip_indices']
            feats: Any = self.extract_both(inputs, flip_indices)
        else:
            feats = self.extract_feat(inputs)
        preds = self.head.predict(feats, data_samples, test_cfg=self.test_cfg)
        plain = feats[0] if isinstance(feats, list) else feats
        if isinstance(plain, PrunedFeatures):
            for sample, frames in zip(data_samples, to_numpy(plain.kept), strict=True):
                sample.set_metainfo(
                    {'kept_frames': frames, 'num_frames': plain.num_frames}
                )
        return self.add_pred_to_datasample(preds, None, None, None, data_samples)
