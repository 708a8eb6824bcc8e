"""MPJPE and P-MPJPE in millimetres."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmpose.registry import METRICS

from .pose_errors import mpjpe, p_mpjpe


@METRICS.register_module()
class LiftingError(BaseMetric):
    """MPJPE and P-MPJPE of root-relative poses, mean over frames, in millimetres.

    Samples of several datasets (``dataset_name`` in their metainfo: true or noisy 2D,
    say) are counted apart: the metrics are then ``NAME/MPJPE`` and ``NAME/P-MPJPE``.
    Frames outside of a clip (``lifting_target_visible`` zero) do not count.
    """

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep predictions and targets of (T', K, 3)."""
        for sample in data_samples:
            target = sample['gt_instances']['lifting_target']
            visible = sample['gt_instances']['lifting_target_visible']
            inside = np.reshape(visible, target.shape[:2]).all(-1)
            pred = np.asarray(sample['pred_instances']['keypoints'])
            self.results.append(
                (sample.get('dataset_name', ''), pred[inside], target[inside])
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average each dataset's errors."""
        poses = defaultdict(list)
        for name, pred, target in results:
            poses[name].append((pred, target))
        metrics = {}
        for name, pairs in sorted(poses.items()):
            pred, target = (np.concatenate(each) for each in zip(*pairs, strict=True))
            prefix = f'{name}/' if len(poses) > 1 else ''
            metrics[f'{prefix}MPJPE'] = 1000 * float(mpjpe(pred, target).mean())
            metrics[f'{prefix}P-MPJPE'] = 1000 * float(p_mpjpe(pred, target).mean())
        return metrics
