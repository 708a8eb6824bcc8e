"""Errors of many tracks, averaged as papers do, and split up in tables."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmhot.evaluation.joint_groups import error_groups, pck_joints
from mmhot.evaluation.measures import DEFAULT_MEASURES, Measure, get_measures
from mmhot.evaluation.track_predictions import Track
from mmhot.skeletons.joints import Skeleton

TABLES = ('joints', 'groups', 'actions', 'subjects', 'clips')


@dataclass(frozen=True)
class _Sums:
    """Sums of a track's errors, and how many frames are in them, by measure."""

    track: Track
    total: dict[str, np.ndarray]
    count: dict[str, int]


class ErrorReport:
    """Errors of tracks, by dataset.

    Joints are averaged over frames, and these means over actions, if each track of a
    dataset has one; a measure is then the mean over joints.

    Args:
        tracks (Sequence[Track]): Of any datasets.
        measures (Sequence[str]): Their names. Those that need consecutive frames
            are left out where there are none.
        skeleton (Skeleton, optional): Names joints and groups in tables, and says
            which joints PCK and AUC count; without it these are all.
        average (str): 'actions' for the above, or 'frames' for the mean over all
            frames, whatever is done in them.
        root_index (int): The joint that poses are made relative to.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        measures: Sequence[str] = DEFAULT_MEASURES,
        skeleton: Skeleton | None = None,
        average: str = 'actions',
        root_index: int = 0,
    ) -> None:
        wanted = get_measures(measures)
        self.skeleton = skeleton
        self._average = average
        self._sums = defaultdict(list)
        for track in tracks:
            self._sums[track.dataset].append(_sum_up(track, wanted, root_index))
        self.measures = [m for m in wanted if self._is_known(m)]
        self.left_out = [m.name for m in wanted if m not in self.measures]

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets, sorted."""
        return sorted(self._sums)

    def num_frames(self, dataset: str) -> int:
        """Poses of a dataset that count."""
        return sum(len(sums.track.pred) for sums in self._sums[dataset])

    def kept(self, dataset: str) -> tuple[int, int] | None:
        """How many frames of how many a pruner has kept of each window, if it has."""
        return self._sums[dataset][0].track.kept

    def actions(self, dataset: str) -> list[str]:
        """Actions that a dataset's errors are averaged over; none: over frames."""
        return _actions(self._sums[dataset]) if self._average == 'actions' else []

    def overall(self, dataset: str) -> dict[str, float]:
        """Each measure of a dataset."""
        return self._row(self._sums[dataset], bool(self.actions(dataset)))

    def table(self, dataset: str, kind: str) -> dict[str, dict[str, float]]:
        """Each measure by joint, group, action, subject or clip.

        Joints, groups and subjects are averaged over actions where all is; PCK and
        AUC of groups are those of all of the group's joints.

        Args:
            dataset (str): One of :attr:`datasets`.
            kind (str): One of ``TABLES``.

        Returns:
            dict[str, dict[str, float]]: Measures by row, rows in order.
        """
        if kind not in TABLES:
            raise ValueError(f'unknown table: {kind!r}, wanted one of {TABLES}')
        tracks = self._sums[dataset]
        over_actions = bool(self.actions(dataset))
        if kind in ('joints', 'groups'):
            rows = self._joints() if kind == 'joints' else self._groups()
            return {
                name: self._row(tracks, over_actions, joints)
                for name, joints in rows.items()
            }
        label = kind.removesuffix('s')
        rows = _split(tracks, lambda sums: getattr(sums.track, label))
        rows.pop('', None)
        over_actions = over_actions and kind == 'subjects'
        return {name: self._row(rows[name], over_actions) for name in sorted(rows)}

    def as_dict(self, tables: Sequence[str] = ()) -> dict:
        """All of it as plain numbers, for a file.

        Args:
            tables (Sequence[str]): Tables to have besides the overall numbers.

        Returns:
            dict: ``units`` by measure, and ``datasets``, each with ``frames``,
            ``kept`` (see :meth:`kept`), ``average`` ('frames', or the actions' names),
            ``overall`` and the tables.
        """
        return dict(
            units={measure.name: measure.unit for measure in self.measures},
            datasets={
                name: dict(
                    frames=self.num_frames(name),
                    kept=self.kept(name),
                    average=self.actions(name) or 'frames',
                    overall=self.overall(name),
                    **{kind: self.table(name, kind) for kind in tables},
                )
                for name in self.datasets
            },
        )

    def _is_known(self, measure: Measure) -> bool:
        return any(
            sums.count[measure.name]
            for tracks in self._sums.values()
            for sums in tracks
        )

    def _joints(self) -> dict[str, list[int]]:
        if self.skeleton is None:
            num_keypoints = next(iter(self._sums.values()))[0].track.pred.shape[1]
            names = [f'joint {joint}' for joint in range(num_keypoints)]
        else:
            names = self.skeleton.joints
        return {name: [joint] for joint, name in enumerate(names)}

    def _groups(self) -> dict[str, list[int]]:
        return {} if self.skeleton is None else error_groups(self.skeleton)

    def _row(
        self,
        tracks: Sequence[_Sums],
        over_actions: bool,
        joints: Sequence[int] | None = None,
    ) -> dict[str, float]:
        """Each measure's mean over some tracks and joints."""
        row = {}
        for measure in self.measures:
            parts = [tracks]
            if over_actions:
                parts = _split(tracks, lambda sums: sums.track.action).values()
            means = [_mean(part, measure.name) for part in parts]
            means = [mean for mean in means if mean is not None]
            if not means:
                continue
            chosen = joints
            if joints is None and measure.hits and self.skeleton is not None:
                chosen = pck_joints(self.skeleton)
            mean = np.mean(means, axis=0)
            row[measure.name] = float((mean if chosen is None else mean[chosen]).mean())
        return row


def _sum_up(track: Track, measures: Sequence[Measure], root: int) -> _Sums:
    """Sums over frames of each joint's errors."""
    total, count = {}, {}
    num_joints = track.pred.shape[1]
    for measure in measures:
        errors = np.zeros((0, num_joints))
        if len(track.pred) and (measure.num_frames == 1 or track.frames is not None):
            if measure.per_second and track.fps is None:
                raise ValueError(
                    f'LiftingErrorMetric: {measure.name} needs the frame rate: add '
                    "'fps' to PackPoseInputs' meta_keys"
                )
            errors = measure.of_joints(track, root)
        total[measure.name], count[measure.name] = errors.sum(0), len(errors)
    return _Sums(track, total, count)


def _mean(tracks: Sequence[_Sums], measure: str) -> np.ndarray | None:
    """Mean over all frames of some tracks, (K,); None if there is no frame."""
    count = sum(sums.count[measure] for sums in tracks)
    if not count:
        return None
    return sum(sums.total[measure] for sums in tracks) / count


def _actions(tracks: Sequence[_Sums]) -> list[str]:
    """The actions of tracks, if each has one."""
    actions = {sums.track.action for sums in tracks}
    return [] if '' in actions else sorted(actions)


def _split(
    tracks: Sequence[_Sums], label: Callable[[_Sums], str]
) -> dict[str, list[_Sums]]:
    parts = defaultdict(list)
    for sums in tracks:
        parts[label(sums)].append(sums)
    return parts
