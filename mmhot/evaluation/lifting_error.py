"""The errors that papers on lifting report, as a metric of MMEngine's evaluators."""

from collections.abc import Sequence

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpose.registry import METRICS

from mmhot.evaluation.error_report import ErrorReport
from mmhot.evaluation.measures import DEFAULT_MEASURES, get_measures
from mmhot.evaluation.track_predictions import Track, join_tracks, read_sample
from mmhot.skeletons.joints import Skeleton, get_skeleton


@METRICS.register_module()
class LiftingErrorMetric(BaseMetric):
    """Errors of root-relative poses, as ``docs/metrics.md`` defines them.

    Samples of several datasets (``dataset_name`` in their metainfo: true or noisy 2D,
    say) are counted apart: a metric is then ``NAME/MPJPE``. Windows may come in any
    order; a frame that several of them predict counts once, with the mean of its
    predictions, weighted as in lifting. After an evaluation ``report`` has the tables,
    on the main process.

    Args:
        measures (Sequence[str]): Some of 'MPJPE', 'P-MPJPE', 'N-MPJPE' (mm), 'MPJVE'
            (mm/frame), 'MPJAE' (mm/frame^2), 'MPJVE-s' (mm/s), 'MPJAE-s' (m/s^2),
            'PCK@150' and 'AUC' (percent); by default all but those per second. Those
            that need consecutive frames are left out where there are none. (MMEngine
            takes an evaluator with ``metrics`` for a list of metrics.)
        average (str): 'actions' averages over frames, then over actions, where each
            sample has an action (Human3.6M's protocol), else over frames; 'frames'
            always averages over frames.
        count_padding (bool): Whether frames outside of a clip, which repeat its first
            or last, count as well. MixSTE's and HoT's published numbers count them.
        root_index (int): The joint that poses are made relative to.
        skip_list (Sequence[str]): Recordings to leave out, without their camera, as
            in MMPose's metric: 'S9_Greeting'.
        collect_device (str): 'cpu' or 'gpu', where results of processes are gathered.
        prefix (str, optional): Prefix of the names.
        collect_dir (str, optional): Folder for gathering on the CPU.
    """

    # none, without MMEngine's warning
    default_prefix = ''

    def __init__(
        self,
        measures: Sequence[str] = DEFAULT_MEASURES,
        average: str = 'actions',
        count_padding: bool = False,
        root_index: int = 0,
        skip_list: Sequence[str] = (),
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        if average not in ('actions', 'frames'):
            raise ValueError(f"average must be 'actions' or 'frames', got {average!r}")
        super().__init__(collect_device, prefix, collect_dir)
        self.measures = [measure.name for measure in get_measures(measures)]
        self.average = average
        self.count_padding = count_padding
        self.root_index = root_index
        self.skip_list = set(skip_list)
        self.report: ErrorReport | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep predictions and targets of (T', K, 3), one result a sample."""
        self.results += [
            read_sample(sample, self.count_padding) for sample in data_samples
        ]

    def compute_metrics(self, results: list[Track]) -> dict[str, float]:
        """Average each dataset's errors."""
        parts = [part for part in results if part.recording not in self.skip_list]
        if not sum(len(part.pred) for part in parts):
            raise ValueError('LiftingErrorMetric got no frame that counts')
        self.report = ErrorReport(
            join_tracks(parts),
            measures=self.measures,
            skeleton=self._skeleton(parts[0].pred.shape[1]),
            average=self.average,
            root_index=self.root_index,
        )
        if self.report.left_out:
            MMLogger.get_current_instance().warning(
                f'LiftingErrorMetric: no {", ".join(self.report.left_out)}: no frames '
                'are consecutive: set dataset.stride to at most num_targets'
            )
        several = len(self.report.datasets) > 1
        return {
            f'{dataset}/{name}' if several else name: value
            for dataset in self.report.datasets
            for name, value in self.report.overall(dataset).items()
        }

    def _skeleton(self, num_keypoints: int) -> Skeleton | None:
        """The dataset's skeleton, if it is one that we know."""
        try:
            skeleton = get_skeleton((self.dataset_meta or {}).get('dataset_name', ''))
        except ValueError:
            return None
        return skeleton if skeleton.num_keypoints == num_keypoints else None
