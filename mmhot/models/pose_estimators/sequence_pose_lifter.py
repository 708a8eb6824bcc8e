"""Estimator for lifters of pose sequences."""

import torch
from mmpose.models.pose_estimators import PoseLifter
from mmpose.registry import MODELS
from mmpose.utils.typing import ForwardResults, OptSampleList, SampleList
from torch import Tensor

from ..layers import mirror_poses


@MODELS.register_module()
class SequencePoseLifter(PoseLifter):
    """MMPose's :class:`PoseLifter` with another flip test.

    ``PoseLifter`` mirrors its input in place, so that whoever keeps the tensor
    finds it mirrored, and computes ``-x`` as ``(1 - x) - 1``, which costs the
    digits of small coordinates. Here the input stays as it is, ``-x`` is exact,
    and a window and its mirror image go through the network as one batch, which
    at small batch sizes takes little longer than the window alone.

    ``test_cfg`` takes ``flip_test`` (bool, defaults to False) and what the head
    wants to know. The other arguments are those of ``PoseLifter``; trajectory
    models, which it has besides, are not supported.
    """

    def forward(
        self,
        inputs: Tensor,
        data_samples: OptSampleList = None,
        mode: str = 'tensor',
    ) -> ForwardResults:
        """Run MMPose's ``forward``; mode 'tensor' needs no samples."""
        return super().forward(inputs, data_samples, mode)

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Predict poses.

        Args:
            inputs (Tensor): Normalised 2D poses, (B, T, K, C).
            data_samples (list[PoseDataSample]): B samples; with the flip test
                their metainfo needs ``flip_indices``.

        Returns:
            list[PoseDataSample]: The samples, each with ``pred_instances``.
        """
        if not self.test_cfg.get('flip_test', False):
            return super().predict(inputs, data_samples)
        flip_indices = data_samples[0].metainfo['flip_indices']
        mirrored = mirror_poses(inputs, flip_indices)
        feats = self.extract_feat(torch.cat([inputs, mirrored]))
        preds = self.head.predict(
            list(feats.chunk(2)), data_samples, test_cfg=self.test_cfg
        )
        return self.add_pred_to_datasample(preds, None, None, None, data_samples)
