"""What papers report, by name: how it is computed of a track, and in which unit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mmhot.errors import hint_at_names
from mmhot.evaluation.pose_errors import (
    AUC_THRESHOLDS,
    PCK_THRESHOLD,
    acceleration_errors,
    aligned_errors,
    hit_rates,
    joint_errors,
    scaled_errors,
    velocity_errors,
)
from mmhot.evaluation.track_predictions import Track


@dataclass(frozen=True)
class Measure:
    """A number that a paper's table has, for each joint.

    Attributes:
        name (str): As papers write it.
        unit (str): Its unit.
        of_joints (Callable): Gives that number for each joint of a track, (F', K),
            from the track and its root joint.
        num_frames (int): Consecutive frames that it takes: 2 for velocities, 3 for
            accelerations.
        per_second (bool): Whether it takes the frame rate.
        hits (bool): Whether it is a percentage of joints that count as found.
    """

    name: str
    unit: str
    of_joints: Callable[[Track, int], np.ndarray]
    num_frames: int = 1
    per_second: bool = False
    hits: bool = False


def _position(track: Track, root: int) -> np.ndarray:
    return 1000 * joint_errors(track.pred, track.target, root)


def _aligned(track: Track, root: int) -> np.ndarray:
    return 1000 * aligned_errors(track.pred, track.target)


def _scaled(track: Track, root: int) -> np.ndarray:
    return 1000 * scaled_errors(track.pred, track.target, root)


def _velocity(track: Track, root: int) -> np.ndarray:
    return 1000 * velocity_errors(track.pred, track.target, track.frames, root)


def _acceleration(track: Track, root: int) -> np.ndarray:
    return 1000 * acceleration_errors(track.pred, track.target, track.frames, root)


def _velocity_per_second(track: Track, root: int) -> np.ndarray:
    return _velocity(track, root) * track.fps


def _acceleration_per_second(track: Track, root: int) -> np.ndarray:
    return _acceleration(track, root) * track.fps**2 / 1000


def _found(track: Track, root: int) -> np.ndarray:
    errors = joint_errors(track.pred, track.target, root)
    return hit_rates(errors, [PCK_THRESHOLD])


def _area(track: Track, root: int) -> np.ndarray:
    return hit_rates(joint_errors(track.pred, track.target, root), AUC_THRESHOLDS)


_ALL = (
    Measure('MPJPE', 'mm', _position),
    Measure('P-MPJPE', 'mm', _aligned),
    Measure('N-MPJPE', 'mm', _scaled),
    Measure('MPJVE', 'mm/frame', _velocity, 2),
    Measure('MPJAE', 'mm/frame^2', _acceleration, 3),
    Measure('MPJVE-s', 'mm/s', _velocity_per_second, 2, per_second=True),
    Measure('MPJAE-s', 'm/s^2', _acceleration_per_second, 3, per_second=True),
    Measure('PCK@150', '%', _found, hits=True),
    Measure('AUC', '%', _area, hits=True),
)

MEASURES = MappingProxyType({measure.name: measure for measure in _ALL})

DEFAULT_MEASURES = tuple(m.name for m in _ALL if not m.per_second)


def get_measures(names: Sequence[str]) -> list[Measure]:
    """Return measures by name.

    Args:
        names (Sequence[str]): Some of ``MEASURES``.
    """
    names = [names] if isinstance(names, str) else names
    for name in names:
        if name not in MEASURES:
            raise ValueError(
                f'unknown measure: {name!r}; {hint_at_names(name, MEASURES)}'
            )
    return [MEASURES[name] for name in names]
