"""Errors of each keypoint of a 2D model, for ``tools/test.py --table joints``."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmpose.registry import METRICS

from mmhot.errors import align

_BOX_COVERAGE = 0.53  # area of COCO's people over that of their boxes
_COLUMNS = ('keypoint', 'labeled', 'mean error', 'PCK@0.1', 'OKS')


@METRICS.register_module()
class KeypointErrorMetric(BaseMetric):
    """Measure each keypoint by its distance to the label, for any model of MMPose.

    The mean error and the PCK are relative to the longer side of the box. OKS is
    COCO's term of a keypoint, ``exp(-d^2 / (2 area (2 sigma)^2))``. After an
    evaluation, ``rows`` has them by name, and of all keypoints as ''.
    """

    default_prefix = ''

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the distances (K,) of a batch, NaN if not labeled, and sizes."""
        for sample in data_samples:
            truth = sample['gt_instances']
            if 'keypoints' not in truth:
                raise ValueError(
                    '--table: samples have no labels; take annotated boxes, '
                    '--cfg-options test_dataloader.dataset.bbox_file=None'
                )
            found = sample['pred_instances']['keypoints'][0]
            apart = np.linalg.norm(found - truth['keypoints'][0], axis=1)
            is_labeled = truth['keypoints_visible'][0].reshape(len(apart), -1)[:, 0] > 0
            sides = np.ptp(np.reshape(truth['bboxes'][0], (2, 2)), axis=0)
            area = (sample.get('raw_ann_info') or {}).get('area')
            area = area or _BOX_COVERAGE * sides.prod()
            distances = np.where(is_labeled, apart, np.nan)
            self.results.append((distances, sides.max(), area))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the table; no metric is added."""
        distances, sides, areas = map(np.array, zip(*results, strict=True))
        shares = distances / sides[:, None]
        sigmas = np.asarray(self.dataset_meta['sigmas'])
        similar = np.exp(-(distances**2) / (8 * areas[:, None] * sigmas**2))
        names = self.dataset_meta['keypoint_id2name']
        places = {names[index]: [index] for index in range(len(names))}
        self.rows = {}
        for name, columns in (places | {'': slice(None)}).items():
            labeled = ~np.isnan(shares[:, columns])
            if labeled.any():
                part = shares[:, columns][labeled]
                self.rows[name] = dict(
                    labeled=int(labeled.sum()),
                    error=float(part.mean()),
                    pck=float((part <= 0.1).mean()),
                    oks=float(similar[:, columns][labeled].mean()),
                )
        return {}


def format_keypoints(rows: dict[str, dict[str, float]]) -> str:
    """Tabulate :attr:`KeypointErrorMetric.rows`."""
    lines = [_COLUMNS]
    for name, row in rows.items():
        numbers = (f'{row[key]:.3f}' for key in ('error', 'pck', 'oks'))
        lines.append((name or 'all', str(row['labeled']), *numbers))
    return align(lines)
