"""Estimator for lifters of pose sequences."""

from collections.abc import Sequence
from typing import Any

import torch
from mmpose.models.pose_estimators import PoseLifter
from mmpose.registry import MODELS
from mmpose.utils.tensor_utils import to_numpy
from mmpose.utils.typing import ForwardResults, OptSampleList, SampleList
from torch import Tensor, nn

from mmhot.models.layers.mirror import mirror_poses
from mmhot.models.lifters.pose_head import check_target
from mmhot.models.tokens.hourglass import Kept
from mmhot.models.tokens.pruned_features import PrunedFeatures

Features = Tensor | PrunedFeatures


@MODELS.register_module()
class SequencePoseLifter(PoseLifter):
    """MMPose's :class:`PoseLifter` with another flip test, and for pruned backbones.

    ``PoseLifter`` mirrors its input in place, so that whoever keeps the tensor
    finds it mirrored, and computes ``-x`` as ``(1 - x) - 1``, which costs the
    digits of small coordinates. Here the input stays as it is, ``-x`` is exact,
    and a window and its mirror image go through the network as one batch, which
    of small networks takes little longer than the window alone.

    ``test_cfg`` takes what the head wants to know and

    * ``flip_test`` (bool, defaults to False): average with the mirror image;
    * ``keep`` (int or list[int], optional): frames to keep instead of the numbers
      that the backbone's pruners were built with;
    * ``flip_kept`` ('plain' or 'own', defaults to 'plain'): whether the mirror image
      re-uses the frames that were kept of the window, as published, or chooses its
      own. It matters only where dropped frames are not recovered; where they are,
      each image always chooses its own.

    The other arguments are those of ``PoseLifter``; trajectory models, which it has
    besides, are not supported.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        flip_kept = self.test_cfg.get('flip_kept', 'plain')
        if flip_kept not in ('plain', 'own'):
            raise ValueError(f"flip_kept must be 'plain' or 'own', got {flip_kept!r}")
        check_target(self.target, 'test_cfg.target')
        keep = self.test_cfg.get('keep')
        if keep is not None:
            if not self.pruners:
                raise ValueError('test_cfg.keep needs a backbone with a pruner')
            self.backbone.hourglass.keep_counts(keep, self.backbone.num_frames)
        centered = all(pruner.keep_center for pruner in self.pruners)
        if self.target == 'center' and self.leaves_frames_out and not centered:
            raise ValueError(
                "test_cfg.target='center' without a recoverer needs pruners with "
                'keep_center=True'
            )

    @property
    def target(self) -> str:
        """Frames that predictions are of: 'center' or 'all'."""
        return self.test_cfg.get('target', 'center')

    @property
    def pruners(self) -> nn.ModuleList:
        """The backbone's pruners; empty if it has none."""
        hourglass = getattr(self.backbone, 'hourglass', None)
        return nn.ModuleList() if hourglass is None else hourglass.pruners

    @property
    def leaves_frames_out(self) -> bool:
        """Whether frames that a pruner drops never come back."""
        return bool(self.pruners) and self.backbone.hourglass.recoverer is None

    def forward(
        self,
        inputs: Tensor,
        data_samples: OptSampleList = None,
        mode: str = 'tensor',
        kept: Kept | None = None,
    ) -> ForwardResults | tuple[Tensor, Tensor]:
        """Run MMPose's ``forward``; mode 'tensor' needs no samples.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            data_samples (list[PoseDataSample], optional): B samples.
            mode (str): 'tensor', 'predict' or 'loss'.
            kept (Tensor or Sequence[Tensor], optional): In mode 'tensor' frames to
                keep, (B, t) for each pruner, instead of what these would choose.

        Returns:
            Tensor | tuple[Tensor, Tensor] | list | dict: In mode 'tensor' poses
            (B, T', K, 3), and if they are not of all frames also which, (B, T').
        """
        if mode != 'tensor':
            return super().forward(inputs, data_samples, mode)
        feats = self.extract_feat(inputs, kept)
        poses = self.head(feats)
        frames = feats.frames if isinstance(feats, PrunedFeatures) else None
        return poses if frames is None else (poses, frames)

    def extract_feat(
        self, inputs: Tensor, kept: Kept | None = None, target: str = 'all'
    ) -> Features:
        """Run the backbone, pruned as given or as ``test_cfg`` says.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            kept (Tensor or Sequence[Tensor], optional): See :meth:`forward`.
            target (str): 'center' if other frames are not wanted, which is faster with
                some backbones. Defaults to 'all'.
        """
        keep = None if self.training else self.test_cfg.get('keep')
        options = {'kept': kept, 'keep': keep}
        options = {key: value for key, value in options.items() if value is not None}
        if options and not self.pruners:
            raise ValueError('kept needs a backbone with a pruner')
        if target == 'center' and getattr(self.backbone, 'gives_center', False):
            options['center'] = True
        return self.backbone(inputs, **options)

    def extract_both(
        self, inputs: Tensor, flip_indices: Sequence[int], target: str = 'all'
    ) -> list:
        """Features of windows and of their mirror images."""
        mirrored = mirror_poses(inputs, flip_indices)
        own = self.test_cfg.get('flip_kept', 'plain') == 'own'
        if own or not self.leaves_frames_out:
            both = torch.cat([inputs, mirrored])
            return list(self.extract_feat(both, target=target).chunk(2))
        feats = self.extract_feat(inputs, target=target)
        return [feats, self.extract_feat(mirrored, feats.stages, target)]

    def lift(self, inputs: Tensor, flip_indices: Sequence[int] | None = None) -> Tensor:
        """Poses of all frames that the network gives, as it gives them.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            flip_indices (Sequence[int], optional): Each keypoint's partner on the
                other side, to average with the mirror image.

        Returns:
            Tensor: (B, T', K, 3); of the center frame if others have been left out.
        """
        target = 'center' if self.leaves_frames_out else 'all'
        if flip_indices is None:
            feats = self.extract_feat(inputs, target=target)
            return self.head.wanted(feats, target)
        feats = self.extract_both(inputs, flip_indices, target)
        return self.head.average(feats, flip_indices, target)

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Predict poses.

        Args:
            inputs (Tensor): Normalized 2D poses, (B, T, K, C).
            data_samples (list[PoseDataSample]): B samples; with the flip test
                their metainfo needs ``flip_indices``.

        Returns:
            list[PoseDataSample]: The samples, each with ``pred_instances`` and, if
            the backbone prunes, ``kept_frames`` of ``num_frames`` in its metainfo.
        """
        target = self.target
        if self.test_cfg.get('flip_test', False):
            flip_indices = data_samples[0].metainfo['flip_indices']
            feats = self.extract_both(inputs, flip_indices, target)
        else:
            feats = self.extract_feat(inputs, target=target)
        preds = self.head.predict(feats, data_samples, test_cfg=self.test_cfg)
        plain = feats[0] if isinstance(feats, list) else feats
        if isinstance(plain, PrunedFeatures):
            for sample, kept in zip(data_samples, to_numpy(plain.kept), strict=True):
                told = {'kept_frames': kept, 'num_frames': plain.num_frames}
                sample.set_metainfo(told)
        return self.add_pred_to_datasample(preds, None, None, None, data_samples)
