"""Reported measures of lifting, their means over clips, and tables of them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmhot.errors import require_choice
from mmhot.evaluation import pose_errors
from mmhot.evaluation.clip_predictions import ClipPrediction
from mmhot.skeletons.joints import Skeleton

TABLES = ('joints', 'groups', 'actions', 'subjects', 'clips')


@dataclass(frozen=True)
class Measure:
    """A measure of papers on lifting, for each joint."""

    name: str
    unit: str
    # Function that computes the error of each joint in meters, (F', K)
    joint_errors: Callable[..., np.ndarray] = pose_errors.joint_position_errors
    num_frames: int = 1  # consecutive frames that the measure needs
    # Rising distances in meters. If given, the measure is the mean percentage of joints
    # within these distances, and higher is better.
    thresholds: Sequence[float] = ()

    def per_joint(self, clip: ClipPrediction) -> tuple[np.ndarray, np.ndarray]:
        """Compute the measure for each joint, relative to the first joint.

        Returns:
            tuple[np.ndarray, np.ndarray]: Values in :attr:`unit`, (F', K), and a mask
            of the joints that are not missing, (F', K). F' is 0 if the measure needs
            consecutive frames and their numbers are unknown.
        """
        if not len(clip.pred) or (self.num_frames > 1 and clip.frames is None):
            none = np.zeros((0, clip.pred.shape[1]))
            return none, none > 0
        target = clip.target
        order = self.num_frames - 1
        if order:
            errors = self.joint_errors(clip.pred, target, order, clip.frames)
            target = pose_errors.frame_changes(target, order, clip.frames)
        else:
            errors = self.joint_errors(clip.pred, target)
        values = 1000 * errors
        if self.thresholds:
            not_above = np.searchsorted(self.thresholds, errors, side='right')
            values = 100 * (1 - not_above / len(self.thresholds))
        return values, ~np.isnan(target[..., 0])

    def joints(self, skeleton: Skeleton) -> list[int] | slice:
        """Return the indices of the joints that count."""
        return pose_errors.pck_joints(skeleton) if self.thresholds else slice(None)


MEASURES = {
    measure.name: measure
    for measure in (
        Measure('MPJPE', 'mm'),
        Measure('P-MPJPE', 'mm', pose_errors.aligned_errors),
        Measure('N-MPJPE', 'mm', pose_errors.scaled_errors),
        Measure('MPJVE', 'mm/frame', pose_errors.change_errors, num_frames=2),
        Measure('MPJAE', 'mm/frame^2', pose_errors.change_errors, num_frames=3),
        # Thresholds of MPI-INF-3DHP: 150 mm, and 0, 5, ..., 150 mm
        Measure('PCK@150', '%', thresholds=(0.15,)),
        Measure('AUC', '%', thresholds=tuple(np.arange(31) * 0.005)),
    )
}
DEFAULT_MEASURES = tuple(MEASURES)


def get_measures(names: str | Sequence[str]) -> list[Measure]:
    """Look up one or several measures by name in ``MEASURES``.

    Raises:
        ValueError: If a name is unknown.
    """
    names = [names] if isinstance(names, str) else names
    for name in names:
        require_choice('measures', name, MEASURES)
    return [MEASURES[name] for name in names]


class _Part(NamedTuple):
    """A clip, and its values of each measure."""

    clip: ClipPrediction
    sums: dict[str, np.ndarray]  # sum over frames of each joint, (K,), by measure
    counts: dict[str, np.ndarray]  # frames in which a joint is known, (K,), by measure


class ErrorReport:
    """Errors of clips, by dataset.

    The errors of a joint are averaged over frames, then over actions if each clip of a
    dataset has an action. A measure is the mean over joints.

    Args:
        clips (Sequence[ClipPrediction]): Clips of any datasets.
        skeleton (Skeleton): Skeleton of the poses, for tables and joints of PCK and
            AUC.
        measures (Sequence[str]): Names of measures. Measures of consecutive frames are
            left out if there are none.
        average (str): 'actions' for the mean over actions, or 'frames' for the mean
            over all frames regardless of actions.

    Raises:
        ValueError: If a measure is unknown, or PCK or AUC do not get the joints of the
            skeleton.
    """

    def __init__(
        self,
        clips: Sequence[ClipPrediction],
        skeleton: Skeleton,
        measures: Sequence[str] = DEFAULT_MEASURES,
        average: str = 'actions',
    ) -> None:
        requested = get_measures(measures)
        expected = skeleton.num_keypoints
        counts = {clip.pred.shape[1] for clip in clips} - {expected}
        if counts and any(measure.thresholds for measure in requested):
            raise ValueError(
                f'PCK and AUC need the {expected} joints of the metainfo, got poses of '
                f'{max(counts)}; other measures do not'
            )
        self.skeleton = skeleton
        self._average = average
        self._parts = defaultdict(list)
        measured: set[str] = set()
        for clip in clips:
            part = _Part(clip, {}, {})
            for measure in requested:
                values, known = measure.per_joint(clip)
                part.sums[measure.name] = np.sum(values, 0, where=known)
                part.counts[measure.name] = known.sum(0)
                if len(values):
                    measured.add(measure.name)
            self._parts[clip.dataset].append(part)
        self.measures = [m for m in requested if m.name in measured]
        self.left_out = [m.name for m in requested if m.name not in measured]

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets, sorted."""
        return sorted(self._parts)

    @property
    def clips(self) -> list[ClipPrediction]:
        """All clips, by dataset."""
        return [part.clip for name in self.datasets for part in self._parts[name]]

    def num_frames(self, dataset: str) -> int:
        """Return the number of poses of a dataset."""
        return sum(len(part.clip.pred) for part in self._parts[dataset])

    def kept(self, dataset: str) -> tuple[int, int] | None:
        """Return how many frames a pruner kept, and how many a window has."""
        return self._parts[dataset][0].clip.kept

    def actions(self, dataset: str) -> list[str]:
        """Return the actions that errors are averaged over; empty if over frames."""
        actions = {part.clip.action for part in self._parts[dataset]}
        return [] if self._average == 'frames' or '' in actions else sorted(actions)

    def overall(self, dataset: str) -> dict[str, float]:
        """Return each measure of a dataset, by name."""
        return self._row(self._parts[dataset], bool(self.actions(dataset)))

    def table(self, dataset: str, kind: str) -> dict[str, dict[str, float]]:
        """Compute each measure by joint, group, action, subject or clip.

        Joints, groups and subjects are averaged over actions if :meth:`overall` is. PCK
        and AUC of a group include all its joints.

        Args:
            dataset (str): Name of the dataset.
            kind (str): One of ``TABLES``.

        Returns:
            dict[str, dict[str, float]]: Values of a row by measure, by name of the row.
        """
        require_choice('kind', kind, TABLES)
        parts = self._parts[dataset]
        over_actions = bool(self.actions(dataset))
        if kind in ('joints', 'groups'):
            rows = pose_errors.error_groups(self.skeleton)
            if kind == 'joints':
                rows = {x: [joint] for joint, x in enumerate(self.skeleton.joints)}
            return {name: self._row(parts, over_actions, rows[name]) for name in rows}
        by_label = _split(parts, kind.removesuffix('s'))
        over_actions = over_actions and kind == 'subjects'
        labels = sorted(label for label in by_label if label)
        return {name: self._row(by_label[name], over_actions) for name in labels}

    def _row(
        self,
        parts: Sequence[_Part],
        over_actions: bool,
        joints: Sequence[int] | None = None,
    ) -> dict[str, float]:
        """Average each measure over frames, then actions, then joints."""
        groups = _split(parts, 'action').values() if over_actions else [parts]
        row = {}
        for measure in self.measures:
            name = measure.name
            sums = np.array([sum(x.sums[name] for x in group) for group in groups])
            counts = np.array([sum(x.counts[name] for x in group) for group in groups])
            means = sums / np.maximum(counts, 1)  # (actions, K)
            known = counts > 0
            mean = np.sum(means, 0, where=known) / np.maximum(known.sum(0), 1)
            chosen = joints or measure.joints(self.skeleton)
            is_known = np.any(known, axis=0)[chosen]
            if is_known.any():
                row[name] = float(np.mean(mean[chosen], where=is_known))
        return row


def _split(parts: Sequence[_Part], label: str) -> dict[str, list[_Part]]:
    """Group clips by a label: 'action', 'subject' or 'clip'."""
    groups = defaultdict(list)
    for part in parts:
        groups[getattr(part.clip, label)].append(part)
    return groups
