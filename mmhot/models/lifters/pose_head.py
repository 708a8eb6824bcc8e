"""Heads that regress 3D poses from features of pose sequences."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from mmengine.structures import InstanceData
from mmpose.models.heads.base_head import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.tensor_utils import to_numpy
from mmpose.utils.typing import ConfigType, InstanceList, SampleList
from torch import Tensor, nn

from mmhot.errors import require_choice
from mmhot.geometry.keypoint_arrays import mirror_poses
from mmhot.models.layers.blocks import full_precision
from mmhot.models.lifters.host import PrunedFeatures
from mmhot.models.tokens.selection import gather_tokens

Features: TypeAlias = Tensor | PrunedFeatures
TARGETS = 'center', 'all'
"""Frames that are predicted."""


@MODELS.register_module()
class PoseLiftingHead(BaseHead):
    """Linear regression of keypoint positions in each output frame.

    Args:
        in_channels (int): Channels ``C`` of the features.
        out_channels (int): Coordinates of a keypoint.
        num_keypoints (int, optional): Keypoints ``K`` if features describe whole poses,
            (B, T', C). Defaults to None: features describe keypoints, (B, T', K, C).
        loss (dict): Config of the loss. It is called with predicted and true poses,
            (B, T', K, 3), and weights, (B, T', K, 1), which MMPose's losses use if
            built with ``use_target_weight=True``.
        decoder (dict, optional): Codec that decodes outputs to poses in camera axes;
            required by :meth:`predict`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        num_keypoints: int | None = None,
        loss: ConfigType = {'type': 'MPJPELoss'},  # noqa: B006 (MMPose's way)
        decoder: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.out_channels = out_channels
        self.num_keypoints = num_keypoints
        self.fc = nn.Linear(in_channels, out_channels * (num_keypoints or 1))
        self.loss_module = MODELS.build(loss)
        self.decoder = None if decoder is None else KEYPOINT_CODECS.build(decoder)

    @property
    def full_precision_layers(self) -> tuple[nn.Module, ...]:
        """Layers that stay in float32 when weights are converted to half precision."""
        return (self.fc,)

    def forward(self, feats: Features) -> Tensor:
        """Map features ``(B, T', [K,] C)`` to poses ``(B, T', K, 3)``, recovered."""
        if isinstance(feats, PrunedFeatures):
            return feats.recover(self.coordinates(feats.feats))
        return self.coordinates(feats)

    def coordinates(self, feats: Tensor) -> Tensor:
        """Map features ``(B, T', [K,] C)`` to poses ``(B, T', K, 3)``."""
        # Half precision would round a meter to millimeters.
        with full_precision(feats):
            coords = self.fc(feats.to(self.fc.weight.dtype))
        if self.num_keypoints is None:
            return coords
        return coords.unflatten(-1, (self.num_keypoints, self.out_channels))

    def predict(
        self,
        feats: Features | list[Features],
        batch_data_samples: SampleList,
        test_cfg: ConfigType = {},  # noqa: B006 (MMPose's signature)
    ) -> InstanceList:
        """Predict and decode poses.

        Args:
            feats (Tensor | PrunedFeatures | list): Features, (B, T', K, C); with the
                flip test a list of two, for the windows and for their mirror images.
            batch_data_samples (list[PoseDataSample]): B samples.
            test_cfg (dict): ``flip_test`` (bool, defaults to False) averages both
                images; ``target`` ('center' or 'all', defaults to 'center') selects
                the output frames. A sample with one target frame, such as the samples
                of MMPose's inferencers, always gets the center frame.

        Returns:
            list[InstanceData]: ``keypoints`` (T, K, 3) and ``keypoint_scores``
            (T, K) of each sample.
        """
        target = test_cfg.get('target', 'center')
        if test_cfg.get('flip_test', False):
            flip_indices = batch_data_samples[0].metainfo['flip_indices']
            coords = self.average(feats, flip_indices, target)
        else:
            coords = self.select(feats, target)
        return [
            self.decode(*pair)
            for pair in zip(to_numpy(coords), batch_data_samples, strict=True)
        ]

    def average(
        self, feats: Sequence[Features], flip_indices: Sequence[int], target: str
    ) -> Tensor:
        """Average the poses of windows and of their mirror images, mirrored back.

        Args:
            feats (Sequence[Tensor | PrunedFeatures]): Features of the windows and of
                their mirror images, for the same frames.
            flip_indices (Sequence[int]): Partner of each keypoint on the other side,
                (K,).
            target (str): 'center' or 'all'.

        Returns:
            Tensor: Poses, (B, T', K, 3).
        """
        coords, mirrored = (self.select(feat, target) for feat in feats)
        return (coords + mirror_poses(mirrored, flip_indices)) / 2

    def select(self, feats: Features, target: str) -> Tensor:
        """Regress poses of the center frame, (B, 1, K, 3), or of all output frames."""
        require_choice('target', target, TARGETS)
        coords = self.forward(feats)
        frames = kept_frames(feats)
        if target == 'all':
            return coords
        if frames is None:
            center = (coords.shape[1] - 1) // 2
            return coords[:, center : center + 1]
        is_center = frames == (feats.num_frames - 1) // 2
        return gather_tokens(coords, is_center.int().argmax(1, keepdim=True))

    def decode(self, coords: np.ndarray, data_sample) -> InstanceData:
        """Decode the output of one sample.

        Args:
            coords (np.ndarray): Output of the network, (T', K, 3).
            data_sample (PoseDataSample): The sample. If it has a single target frame,
                only the center frame is decoded.

        Returns:
            InstanceData: ``keypoints`` (T, K, 3) in meters and camera axes, and
            ``keypoint_scores`` (T, K).

        Raises:
            RuntimeError: If the head has no decoder.
        """
        if self.decoder is None:
            raise RuntimeError(
                'PoseLiftingHead needs a decoder to predict poses: set head.decoder in '
                'the config to a codec'
            )
        target = data_sample.get('gt_instances', {}).get('lifting_target')
        if target is not None and len(target) == 1:
            center = (len(coords) - 1) // 2
            coords = coords[center : center + 1]
        metainfo = data_sample.metainfo
        keys = getattr(self.decoder, 'auxiliary_decode_keys', ())
        settings = {key: metainfo[key] for key in keys if key in metainfo}
        keypoints, scores = self.decoder.decode(coords, **settings)
        return InstanceData(keypoints=keypoints, keypoint_scores=scores)

    def loss(
        self,
        feats: Features,
        batch_data_samples: SampleList,
        train_cfg: ConfigType = {},  # noqa: B006 (MMPose's signature)
    ) -> dict[str, Tensor]:
        """Compute the loss against ``lifting_target_label``.

        Dropped frames that are not recovered do not count.

        Returns:
            dict: ``loss_pose3d`` and, for the log, ``mpjpe`` in millimeters over
            the keypoints of positive weight.

        Raises:
            ValueError: If labels and poses differ in the number of frames.
        """
        labels = [sample.gt_instance_labels for sample in batch_data_samples]
        coords = self.forward(feats)
        frames = kept_frames(feats)
        num_frames = coords.shape[1] if frames is None else feats.num_frames
        num_targets = len(labels[0].lifting_target_label)
        if num_targets != num_frames:
            raise ValueError(
                f'the model predicts poses of {num_frames} frames, but samples have '
                f'targets of {num_targets} frames: set num_targets={num_frames} in '
                'train_dataloader.dataset'
            )

        def stack(field: str) -> Tensor:
            """Stack a label of all samples, (B, T', ...)."""
            values = torch.stack([label[field] for label in labels])
            return values if frames is None else gather_tokens(values, frames)

        target = stack('lifting_target_label')
        weight = stack('lifting_target_weight')
        losses = {'loss_pose3d': self.loss_module(coords, target, weight[..., None])}
        valid = weight > 0
        error = (coords.detach() - target).norm(dim=-1) * valid
        losses['mpjpe'] = 1000 * error.sum() / valid.sum().clamp(min=1)
        return losses


@MODELS.register_module()
class RepresentationHead(PoseLiftingHead):
    """Linear layer and tanh, then :class:`PoseLiftingHead`'s regression.

    MotionBERT and MotionAGFormer have this head. Its weights have the names of MMPose's
    ``MotionRegressionHead``.

    Args:
        in_channels (int): Channels ``C`` of the features.
        rep_dims (int): Channels of the representation.
        **head: Further arguments of :class:`PoseLiftingHead`.
    """

    def __init__(self, in_channels: int, rep_dims: int = 512, **head: Any) -> None:
        super().__init__(rep_dims, **head)
        self.pre_logits = nn.Sequential(
            OrderedDict(fc=nn.Linear(in_channels, rep_dims), act=nn.Tanh())
        )

    def coordinates(self, feats: Tensor) -> Tensor:
        """Map features ``(B, T', K, C)`` to poses ``(B, T', K, 3)``."""
        return super().coordinates(self.pre_logits(feats))


def kept_frames(feats: Features) -> Tensor | None:
    """Return the indices (B, T') of the frames that a head returns; None if all."""
    return feats.frames if isinstance(feats, PrunedFeatures) else None
