"""Rows of people, 2D or 3D, as a source states them: their checks and joints."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.geometry.keypoint_arrays import (
    check_time_first,
    mark_missing,
    to_numbers,
    whole_numbers,
)
from mmhot.skeletons.joints import Skeleton, get_skeleton, match_joints, skeleton_with
from mmhot.structures.conventions import follow_people, joint_order

_LOGGER = logging.getLogger(__name__)
Steps = dict[str, dict[str, object]]
"""Options of steps by the steps' names."""
LARGEST_FRAME = 10_000_000
# Third values of keypoints are no scores if more than the last share of them are
# negative by more than the first number, or if their median is above the second.
_NEGATIVE = 0.01
_MOST_SCORE = 150.0
_MOST_WRONG = 0.1
_UNIT_ERROR = 0.01  # largest difference between the length of a quaternion and 1
# Median size of coordinates above which they are pixels and not meters.
_FAR = 30.0
_LARGEST_ID = 2**63 - 1
_WHOLE = re.compile('-?[0-9]+')
_NAMES = {2: 'keypoints', 3: 'keypoints_3d'}
_OTHERS = {2: '3D poses are for mmhot refine', 3: '2D keypoints are for mmhot lift'}


@dataclass
class Rows:
    """One row per person and frame; None where the source states nothing.

    Before :meth:`checked`, arrays may also have the axes of frames and people, (T, P),
    in place of the N rows, and points their score as last value.
    """

    points: np.ndarray  # pixels (N, K, 2), or positions in any unit (N, K, 3)
    scores: np.ndarray | None = None  # confidence, (N, K)
    frame: np.ndarray | None = None  # frame numbers, (N,)
    track: np.ndarray | None = None  # track IDs, (N,); -1 where they are unknown
    bboxes: np.ndarray | None = None  # x1, y1, x2, y2 in pixels, (N, 4)
    root_3d: np.ndarray | None = None  # translations, added to 3D points, (N, 3)
    keypoints_2d: np.ndarray | None = None  # the 3D points in pixels, (N, K, 2)
    width: float | None = None  # width and height of the image, pixels
    height: float | None = None
    fps: float | None = None
    focal_length: float | None = None  # pixels
    skeleton: str | None = None  # joint order, a name of mmhot.skeletons.joints
    joint_names: tuple[str, ...] | None = None
    axes: str | None = None  # axes of 3D points, one of GIVEN_AXES
    usual_axes: str | None = None  # axes that are assumed if people do not show others
    steps: Steps = field(default_factory=dict)  # steps that have run, and their options
    is_normalized: bool = False  # whether pixels are shares of the image size
    times: tuple[np.ndarray, np.ndarray] | None = None  # frames and seconds, (F,)

    def checked(self, size: int, name: str) -> 'CheckedRows':
        """Return rows of ``size`` coordinates that have frame numbers and track IDs.

        Points are missing if their score is not above zero, if they are pixels at
        (0, 0), or if all joints of a 3D pose are one point. Missing points become NaN
        with a score of 0. Without track IDs, one person per frame becomes one track.
        People without an ID are left out if others have one. Warnings have the clip's
        name.
        """
        stated, scores = _split_scores(self.points, self.scores, size)
        lead = stated.shape[:-2]
        count = stated.shape[-2]
        frame, track = _number(lead, self.frame, self.track, name)
        are_several = len(lead) > 1 and lead[1] > 1
        sizes: dict[str, tuple[int, ...]] = {
            'scores': (count,),
            'bboxes': (4,),
            'root_3d': (3,),
            'keypoints_2d': (count, 2),
        }
        given = vars(self) | {'scores': scores}
        arrays: dict[str, Any] = {
            key: _flatten(key, given[key], lead, shape) for key, shape in sizes.items()
        }
        points = stated.reshape(-1, count, size).astype(np.float64)
        points, arrays['scores'] = mark_missing(points, arrays['scores'])
        if are_several:
            roots = arrays['root_3d']
            places = points if roots is None else points + roots[:, None]
            places = places.reshape(*lead, *points.shape[1:])
            track = np.argsort(follow_people(places, name), axis=1).ravel()
        arrays |= dict(points=points, frame=frame, track=track)
        rows = CheckedRows(**{**vars(self), **arrays}).with_tracks(name)
        is_there = np.isfinite(rows.points).any((1, 2))
        return rows.take(is_there) if are_several and is_there.any() else rows


class CheckedRows(Rows):
    """Rows of numbers, (N, ...), with frame numbers and track IDs."""

    scores: np.ndarray
    frame: np.ndarray
    track: np.ndarray

    def take(self, index: np.ndarray) -> 'CheckedRows':
        """Select rows by index or mask (N,)."""
        arrays = {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, **{name: array[index] for name, array in arrays.items()})

    def with_tracks(self, name: str) -> 'CheckedRows':
        """Give IDs to people that are alone, and leave out those without one."""
        rows = self
        unknown = self.track < 0
        if unknown.all():
            for rows in (self, self.take(np.isfinite(self.points).any((1, 2)))):
                if len(np.unique(rows.frame)) == len(rows.frame):
                    return replace(rows, track=np.zeros(len(rows.frame), np.int64))
            return self
        if unknown.any():
            _LOGGER.warning(
                '%s: %d of %d poses are left out: they have no track ID',
                name,
                unknown.sum(),
                len(unknown),
            )
            rows = self.take(~unknown)
        pairs = np.stack([rows.frame, rows.track], 1)
        pairs, counts = np.unique(pairs, axis=0, return_counts=True)
        if counts.max() > 1:
            frame, track = pairs[counts.argmax()]
            raise ValueError(f'frame {frame} has two poses of track {track}')
        return rows

    def seconds(self, frames: np.ndarray, fps: float) -> np.ndarray | None:
        """Return the times of frame numbers, (F,); None at a constant or other rate."""
        if self.times is None or fps != self.fps:
            return None
        numbers, seconds = self.times
        return frames / fps + np.interp(frames, numbers, seconds - numbers / fps)

    def with_joints(
        self, name: str, skeleton: str | None, usual: Mapping[int, str] = {}
    ) -> tuple['CheckedRows', Skeleton]:
        """Return rows in the order of a skeleton: the given, named or usual one.

        ``usual`` are skeletons of unnamed joints by their number.
        """
        stated = self.skeleton
        names = self.joint_names
        count = self.points.shape[-2]
        order = None
        if stated is None and names is not None:
            if len(names) != count:
                raise ValueError(
                    f'has {len(names)} names of joints, but {count} keypoints'
                )
            named, order = match_joints(names) or (None, None)
            stated = ', '.join(names)[:60] if named is None else named.name
            if named is None and skeleton is None:
                raise ArgumentError(
                    'no skeleton has the joints %r: name shoulders and hips '
                    'left_shoulder, right_hip and so on, or give {skeleton}',
                    stated,
                )
        if skeleton is not None and stated not in (None, skeleton):
            _LOGGER.warning('%s states %s; %s is used instead', name, stated, skeleton)
        chosen = get_skeleton(
            skeleton or stated or usual.get(count) or skeleton_with(count)
        )
        if not (skeleton or stated):
            chosen = joint_order(self.points, chosen, name)
        if names is not None and order is not None and chosen.name == stated:
            return self._reordered(name, names, chosen, order), chosen
        if chosen.num_keypoints != count:
            raise ArgumentError(
                '{skeleton}: %s has %d joints, but there are %d',
                chosen.name,
                chosen.num_keypoints,
                count,
            )
        return self, chosen

    def _reordered(
        self, name: str, names: Sequence[str], skeleton: Skeleton, order: list[int]
    ) -> 'CheckedRows':
        """Reorder joints by the indices of their names; index -1 is a missing joint."""
        lost = [x for x, n in zip(skeleton.joints, order, strict=True) if n < 0]
        unused = [x for n, x in enumerate(names) if n not in order]
        for joints, text in (
            (lost, 'the joints %.200s of %s are missing'),
            (unused, 'the joints %.200s are left out: %s does not have them'),
        ):
            if joints:
                _LOGGER.warning(f'%s: {text}', name, ', '.join(joints), skeleton.name)
        is_lost = np.array(order) < 0
        pixels = self.keypoints_2d
        return replace(
            self,
            points=np.where(is_lost[:, None], np.nan, self.points[:, order]),
            scores=np.where(is_lost, 0, self.scores[:, order]),
            keypoints_2d=None if pixels is None else pixels[:, order],
        )


def rows_of_tracks(
    values: np.ndarray, frame: np.ndarray, joint_names: Iterable[str]
) -> Rows:
    """Convert the frames of tracks (P, T, K, 2 or 3) that have a keypoint to rows."""
    track, time = np.isfinite(values[..., :2]).all(-1).any(-1).nonzero()
    if not len(track):
        raise ValueError('has no people with keypoints')
    names = tuple(joint_names)
    return Rows(values[track, time], frame=frame[time], track=track, joint_names=names)


def number_tracks(values: Any) -> tuple[np.ndarray, list]:
    """Convert track IDs (...), numbers or names, to int64 of the same shape.

    None, NaN and empty text become -1. Names are numbered by their first row, and are
    returned in this order; the list is empty if all IDs are numbers.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in 'iuf':
        # In NumPy 2.5, a plain -1 does not fit unsigned integers.
        values = np.where(np.isnan(values), np.int64(-1), values)
        return whole_numbers('tracks', values), []
    ids: list[Any] = []
    for value in np.array(values, object).ravel().tolist():
        value = value.strip() if isinstance(value, str) else value
        ids.append(-1 if value in (None, '') or value != value else value)
    whole = [int(x) if _WHOLE.fullmatch(str(x)) else x for x in ids]
    if len({*whole}) == len({*map(str, ids)}):  # names such as 07 and 7 differ
        ids = whole
    names = []
    if any(isinstance(x, str) or abs(x) > _LARGEST_ID for x in ids):
        names = [x for x in dict.fromkeys(ids) if x != -1]
        number_of = {-1: -1} | {x: number for number, x in enumerate(names)}
        ids = [number_of[x] for x in ids]
    numbers = whole_numbers('tracks', np.array(ids, object))
    return numbers.reshape(np.shape(values)), names


def _split_scores(
    points: np.ndarray, scores: np.ndarray | None, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Check points (..., K, C), and separate scores (..., K) that they may contain."""
    title = _NAMES[size]
    points = to_numbers(title, points)
    if points.ndim not in (3, 4) or points.shape[-1] not in (size, size + 1):
        raise ValueError(
            f'{title} must have the shape (T, K, {size}), or of several people '
            f'(T, P, K, {size}), got {points.shape}; a further value is the score; '
            f'{_OTHERS[size]}'
        )
    if not points.size:
        raise ValueError(f'{title} is empty, {points.shape}')
    _check_sense(points, size, title)
    if points.shape[-1] > size:
        if scores is not None:
            raise ValueError(
                f'{title} has a score as value {size + 1}, and scores are given, too; '
                f'{_OTHERS[size]}'
            )
        points, scores = points[..., :size], points[..., size]
    if points.ndim == 4:
        check_time_first(points)
    return points, np.ones(points.shape[:-1]) if scores is None else scores


def _check_sense(points: np.ndarray, size: int, title: str) -> None:
    """Refuse points (..., K, C) with a third value that is no score, and rotations."""
    last = points[..., -1]
    if points.shape[-1] == 4:
        is_unit = abs(np.linalg.norm(points, axis=-1) - 1) < _UNIT_ERROR
        if is_unit.mean() > 1 - _MOST_WRONG:
            raise ValueError(
                f'{title} seem to be rotations (quaternions), but positions are needed'
            )
    if points.shape[-1] != 3:
        return
    is_negative = np.mean(last < -_NEGATIVE) > _MOST_WRONG
    if size == 2 and (is_negative or np.nanmedian(last) > _MOST_SCORE):
        raise ValueError(f'the third values of {title} are not scores; {_OTHERS[size]}')
    are_scores = not ((last < 0) | (last > 1)).any()
    if size == 3 and are_scores and np.nanmedian(abs(points)) > _FAR:
        raise ValueError(f'{title} seem to be pixels and scores; {_OTHERS[size]}')


def _flatten(
    name: str, values: Any, lead: tuple[int, ...], shape: tuple[int, ...]
) -> np.ndarray | None:
    """Check an array (*lead, *shape), and join its leading axes, (N, *shape)."""
    if values is None:
        return None
    array = to_numbers(name, values)
    if array.shape != (*lead, *shape):
        raise ValueError(
            f'{name} must have the shape {(*lead, *shape)}, got {array.shape}'
        )
    return array.reshape(-1, *shape).astype(np.float64)


def _number(
    lead: tuple[int, ...], frames: Any, tracks: Any, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return frame numbers (N,) and track IDs (N,) of poses with these leading axes."""
    if frames is None and tracks is not None:
        raise ValueError('tracks must be given with frames')
    frames = np.arange(lead[0]) if frames is None else frames
    frame = whole_numbers('frames', to_numbers('frames', frames))
    if frame.shape != lead[:1]:
        raise ValueError(f'frames must have the shape {lead[:1]}, got {frame.shape}')
    if frame.min() < 0 or frame.max() > LARGEST_FRAME:
        raise ValueError(f'frames must be numbers from 0 to {LARGEST_FRAME}')
    if tracks is None:
        frame = np.repeat(frame, lead[1] if len(lead) > 1 else 1)
        return frame, np.full(len(frame), -1)
    track, names = number_tracks(tracks)
    if names:
        _LOGGER.warning(
            '%s: track IDs are names; they are numbered from 0 in this order: %.80s',
            name,
            ', '.join(map(str, names)),
        )
    if track.shape != lead:
        raise ValueError(f'tracks must have the shape {lead[:1]}, got {track.shape}')
    return frame, track
