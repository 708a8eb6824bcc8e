"""Evaluator metrics: lifting errors, COCO-WholeBody by part."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpose.evaluation.metrics import CocoWholeBodyMetric
from mmpose.registry import METRICS
from xtcocotools.cocoeval import COCOeval

from mmhot.errors import require_choice
from mmhot.evaluation.clip_predictions import (
    ClipPrediction,
    join_predictions,
    read_sample,
)
from mmhot.evaluation.error_report import DEFAULT_MEASURES, ErrorReport, get_measures
from mmhot.skeletons.joints import configured_skeleton

_PRECISIONS = ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)')
_STATISTICS = *_PRECISIONS, *(name.replace('AP', 'AR') for name in _PRECISIONS)


@METRICS.register_module()
class LiftingErrorMetric(BaseMetric):
    """Measure errors of root-relative poses, as defined in ``docs/training.md``.

    Samples of several datasets have separate metrics, named ``NAME/MPJPE``, by
    ``dataset_name`` in their metainfo, such as ground truth and noisy 2D. Windows may
    come in any order. A frame in several windows counts once, with the mean of its
    predictions, weighted as in lifting. After an evaluation, ``report`` has the tables,
    on the main process.

    Args:
        measures (Sequence[str]): Some of 'MPJPE', 'P-MPJPE', 'N-MPJPE' (mm), 'MPJVE'
            (mm/frame), 'MPJAE' (mm/frame^2), 'PCK@150' and 'AUC' (percent); by default
            all. Measures of consecutive frames are left out if there are none.
            (MMEngine treats an evaluator with a key ``metrics`` as a list of metrics.)
        average (str): 'actions' averages over frames, then over actions, if each
            sample has an action (Human3.6M's protocol), else over frames; 'frames'
            always averages over frames.
        count_padding (bool): Whether frames outside of a clip count as well; they
            repeat its first or last frame. MixSTE's and HoT's published numbers count
            them.
        skip_list (Sequence[str]): Recordings to leave out, without their camera, as
            in MMPose's metric: 'S9_Greeting'.
        **kwargs: Arguments of MMEngine's ``BaseMetric``.
    """

    # Names have no prefix; None would make MMEngine warn.
    default_prefix = ''

    def __init__(
        self,
        measures: Sequence[str] = DEFAULT_MEASURES,
        average: str = 'actions',
        count_padding: bool = False,
        skip_list: Sequence[str] = (),
        **kwargs,
    ) -> None:
        require_choice('average', average, ('actions', 'frames'))
        super().__init__(**kwargs)
        self.measures = [measure.name for measure in get_measures(measures)]
        self.average = average
        self.count_padding = count_padding
        self.skip_list = set(skip_list)
        self.report: ErrorReport | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect predictions and targets of (T', K, 3), one result per sample."""
        self.results += [
            read_sample(sample, self.count_padding) for sample in data_samples
        ]

    def compute_metrics(self, results: list[ClipPrediction]) -> dict[str, float]:
        """Average each dataset's errors."""
        # Clips are named RECORDING.CAMERA.
        parts = [x for x in results if x.clip.split('.')[0] not in self.skip_list]
        if not sum(len(part.pred) for part in parts):
            raise ValueError(
                'LiftingErrorMetric got no frame that counts: check skip_list, and '
                'lifting_target_visible of the samples'
            )
        self.report = ErrorReport(
            join_predictions(parts),
            configured_skeleton(self.dataset_meta),
            self.measures,
            self.average,
        )
        if self.report.left_out:
            MMLogger.get_current_instance().warning(
                f'LiftingErrorMetric leaves out {", ".join(self.report.left_out)}: no '
                'frames are consecutive; set dataset.stride to at most num_targets'
            )
        several = len(self.report.datasets) > 1
        return {
            f'{dataset}/{name}' if several else name: value
            for dataset in self.report.datasets
            for name, value in self.report.overall(dataset).items()
        }


@METRICS.register_module()
class CocoWholeBodyPartsMetric(CocoWholeBodyMetric):
    """Report COCO-WholeBody's AP and AR of each part.

    MMPose's metric prints the parts' values but returns the whole body's only. This one
    adds ``body/AP``, ``foot/AP``, ``face/AP``, ``lefthand/AP``, ``righthand/AP`` and
    their AR; ``hand/AP`` and ``hand/AR`` are means of both hands. Keys without a part,
    such as ``AP``, are the whole body's. It has the arguments of
    :class:`mmpose.evaluation.CocoWholeBodyMetric`.
    """

    def _do_python_keypoint_eval(self, outfile_prefix: str) -> list[tuple[str, float]]:
        """Evaluate the file of detections by part; return pairs of name and value."""
        detected = self.coco.loadRes(f'{outfile_prefix}.keypoints.json')
        values: dict[str, float] = {}
        sizes = dict(
            body=self.body_num,
            foot=self.foot_num,
            face=self.face_num,
            lefthand=self.left_hand_num,
            righthand=self.right_hand_num,
        )
        ends = pairwise(accumulate(sizes.values(), initial=0))
        parts = {part: slice(*span) for part, span in zip(sizes, ends, strict=True)}
        for part, joints in (parts | {'wholebody': slice(None)}).items():
            sigmas = np.asarray(self.dataset_meta['sigmas'])[joints]
            evaluation = COCOeval(
                self.coco, detected, f'keypoints_{part}', sigmas, self.use_area
            )
            evaluation.params.useSegm = None
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
            stats = dict(zip(_STATISTICS, map(float, evaluation.stats), strict=True))
            if part == 'wholebody':
                values |= stats
            else:
                values |= {f'{part}/{name}': stats[name] for name in ('AP', 'AR')}
        for name in ('AP', 'AR'):
            hands = values[f'lefthand/{name}'], values[f'righthand/{name}']
            values[f'hand/{name}'] = sum(hands) / 2
        return list(values.items())
