"""Rows of people, 2D or 3D, as a source states them: their checks and joints."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from mmhot.errors import ArgumentError, choose
from mmhot.geometry.keypoint_arrays import to_numbers
from mmhot.geometry.placeholders import find_placeholders
from mmhot.skeletons.joints import Skeleton, get_skeleton, match_joints, skeleton_with
from mmhot.structures.conventions import follow_people, joint_order

_LOGGER = logging.getLogger(__name__)
Steps = dict[str, dict[str, object]]
"""Options of processing steps by step name."""
LARGEST_FRAME = 10_000_000
# Share of third values of 2D keypoints that may be negative, as some models' scores
# are. If more are, they are not scores. 0 to 1 of it refuse the same 224 of 336 arrays
# with motions of CMU, and none of 105 with keypoints; double refuses 5 fewer.
_MAX_NEGATIVE = 0.1
# Median of third values; larger ones are not scores, but some models have scores above
# 1, or percent: half of it refuses 34 of 35 arrays with percent, double none more.
_MAX_SCORE = 150.0
# Median size of coordinates from which 3D poses are pixels and scores. 0.5 to 2 of it
# refuse the same arrays.
_MAX_METERS = 30.0
_LARGEST_ID = 2**63 - 1
_WHOLE = re.compile('-?[0-9]+')
_NAMES = {2: 'keypoints', 3: 'keypoints_3d'}
_OTHERS = {2: '3D poses are for mmhot refine', 3: '2D keypoints are for mmhot lift'}
_Arrays = TypeVar('_Arrays', bound=Any)


def take_rows(item: _Arrays, rows: np.ndarray) -> _Arrays:
    """Select rows, by index or mask (N,), of all arrays (N, ...) of a dataclass."""
    arrays = {k: v for k, v in vars(item).items() if isinstance(v, np.ndarray)}
    return replace(item, **{name: array[rows] for name, array in arrays.items()})


@dataclass
class Rows:
    """One row per person and frame; None where the source states nothing.

    Before :meth:`checked`, arrays may also have the axes of frames and people, (T, P),
    in place of the N rows, and points their score as last value.
    """

    points: np.ndarray  # pixels (N, K, 2), or positions in any unit (N, K, 3)
    scores: np.ndarray | None = None  # confidence, (N, K)
    frame: np.ndarray | None = None  # frame numbers, (N,)
    track: np.ndarray | None = None  # track IDs, (N,); -1 where unknown
    bboxes: np.ndarray | None = None  # x1, y1, x2, y2 in pixels, (N, 4)
    root_3d: np.ndarray | None = None  # translations, added to 3D points, (N, 3)
    keypoints_2d: np.ndarray | None = None  # the 3D points in pixels, (N, K, 2)
    width: float | None = None  # image width, pixels
    height: float | None = None  # image height, pixels
    fps: float | None = None
    focal_length: float | None = None  # pixels
    skeleton: str | None = None  # joint order, a name of mmhot.skeletons.joints
    joint_names: tuple[str, ...] | None = None
    axes: str | None = None  # axes of 3D points, one of GIVEN_AXES
    usual_axes: str | None = None  # axes of the file format, if people show no others
    steps: Steps = field(default_factory=dict)  # options of steps that have run
    is_normalized: bool = False  # whether pixels are shares of the image size
    times: tuple[np.ndarray, np.ndarray] | None = None  # frames and seconds, (F,)
    guesses: list[str] = field(default_factory=list)  # what is said to be guessed

    def checked(self, size: int, name: str) -> 'CheckedRows':
        """Check all arrays, and number frames and people.

        Points are missing if their score is not above zero, if they are pixels at
        (0, 0), or if all joints of a pose are one point. They become NaN with a
        score of 0. Without track IDs, one person per frame becomes one track. People
        without an ID are left out if others have one.

        Args:
            size (int): Coordinates of a point: 2 or 3.
            name (str): Name of the clip, for warnings.

        Returns:
            CheckedRows: Rows with frame numbers, track IDs and scores.

        Raises:
            ValueError: If an array has a wrong type or shape, or points cannot be what
                they are read as.
        """
        stated, scores = _split_scores(self.points, self.scores, size)
        lead = stated.shape[:-2]
        count = stated.shape[-2]
        frame, track = _number(lead, self.frame, self.track, name)
        are_several = len(lead) > 1 and lead[1] > 1
        if are_several and lead[1] > lead[0]:
            self.guesses.append(
                'the first axis of the array is time, the second people'
            )
        sizes: dict[str, tuple[int, ...]] = {
            'scores': (count,),
            'bboxes': (4,),
            'root_3d': (3,),
            'keypoints_2d': (count, 2),
        }
        given = vars(self) | {'scores': scores}
        arrays: dict[str, Any] = {
            key: _flatten(key, given[key], lead, shape)
            for key, shape in sizes.items()
            if given[key] is not None
        }
        points = stated.reshape(-1, count, size).astype(np.float64)
        points, arrays['scores'] = _mark_missing(points, arrays['scores'])
        if are_several:
            roots = arrays.get('root_3d')
            places = points if roots is None else points + roots[:, None]
            places = places.reshape(*lead, *points.shape[1:])
            track = np.argsort(follow_people(places, name), axis=1).ravel()
        arrays |= dict(points=points, frame=frame, track=track)
        rows = CheckedRows(**{**vars(self), **arrays}).with_tracks(name)
        rows = rows.without_placeholders(name)
        is_there = np.isfinite(rows.points).any((1, 2))
        return rows.take(is_there) if are_several and is_there.any() else rows


class CheckedRows(Rows):
    """Rows of numbers, (N, ...), with frame numbers and track IDs."""

    scores: np.ndarray
    frame: np.ndarray
    track: np.ndarray

    def take(self, index: np.ndarray) -> 'CheckedRows':
        """Select rows by index or mask (N,)."""
        return take_rows(self, index)

    def sorted_poses(self) -> 'CheckedRows':
        """Sort poses by frame and track, and leave out those without joints.

        Raises:
            ValueError: If no joint is known.
        """
        order = np.lexsort((self.track, self.frame))
        rows = self.take(order[(self.scores[order] > 0).any(-1)])
        if not len(rows.points):
            raise ValueError('keypoints_3d has no joint that is finite')
        return rows

    def with_tracks(self, name: str) -> 'CheckedRows':
        """Number a person who is alone in each frame, and leave out unknown people.

        Rows stay as they are, with the track ID -1, if no person has an ID and a frame
        shows several.

        Raises:
            ValueError: If a frame has two rows of one track.
        """
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

    def warn_of_ids(self, name: str) -> None:
        """Warn if each track is one frame long, as IDs may number the poses."""
        if len(np.unique(self.track)) == len(self.track) and np.ptp(self.frame):
            text = (
                '%s: each track is one frame long, as of photos; IDs that number the '
                'poses of a video must be left out'
            )
            remedy = ', or give {single=largest}' if self.points.shape[-1] == 2 else ''
            _LOGGER.warning(ArgumentError(text + remedy, name))

    def without_placeholders(self, name: str) -> 'CheckedRows':
        """Mark points as missing where a place such as (1, 1) or -9999 stands for them.

        A line states the joints and places.
        """
        missing = np.zeros(self.scores.shape, bool)
        for track in np.unique(self.track[self.track >= 0]):
            rows = np.flatnonzero(self.track == track)
            rows = rows[np.argsort(self.frame[rows], kind='stable')]
            missing[rows] = find_placeholders(self.points[rows])
        if not missing.any():
            return self
        row, joint = np.argwhere(missing)[0]
        _LOGGER.warning(
            '%s: %s of row %d stands for a missing joint, as it stays there or is far '
            'away while others move; %d of %d rows have such joints: %s',
            name,
            np.round(self.points[row, joint], 3).tolist(),
            row,
            missing.any(1).sum(),
            len(missing),
            ', '.join(
                str(self.joint_names[x] if self.joint_names else x)
                for x in np.flatnonzero(missing.any(0))
            )[:60],
        )
        points = np.where(missing[..., None], np.nan, self.points)
        return replace(self, points=points, scores=np.where(missing, 0, self.scores))

    def seconds(self, frames: np.ndarray, fps: float) -> np.ndarray | None:
        """Return the timestamps of frame numbers (F,) in seconds, (F,).

        None if the source has no timestamps, or ``fps`` is not the rate that it states.
        Between its frames, the difference to a constant rate is interpolated.
        """
        if self.times is None or fps != self.fps:
            return None
        numbers, seconds = self.times
        return frames / fps + np.interp(frames, numbers, seconds - numbers / fps)

    def with_joints(
        self, name: str, skeleton: str | None, usual: Mapping[int, str] = {}
    ) -> tuple['CheckedRows', Skeleton]:
        """Find the skeleton of the rows, and bring named joints into its order.

        The first of these decides: the given skeleton, the one that the source states,
        the names of joints, and the number of joints, see
        :func:`mmhot.structures.conventions.joint_order`.

        Args:
            name (str): Name of the clip, for warnings.
            skeleton (str | None): Name of the given skeleton.
            usual (Mapping[int, str]): Skeletons of unnamed joints by their number. For
                other numbers, :func:`mmhot.skeletons.joints.skeleton_with` decides.

        Returns:
            tuple[CheckedRows, Skeleton]: Rows in the order of the skeleton, and the
            skeleton. Joints that the source does not name are missing.

        Raises:
            ArgumentError: If no skeleton fits the names, or the number of joints.
        """
        stated, order = self._stated_skeleton(is_needed=skeleton is None)
        count = self.points.shape[-2]
        chosen = get_skeleton(
            choose(name, 'skeleton', stated, skeleton)
            or usual.get(count)
            or skeleton_with(count)
        )
        if not (skeleton or stated):
            chosen, guess = joint_order(self.points, chosen)
            self.guesses = [*self.guesses, *filter(None, [guess])]
        if order is not None and chosen.name == stated:
            return self._reordered(name, chosen, order), chosen
        if chosen.num_keypoints != count:
            raise ArgumentError(
                '{skeleton}: %s has %d joints, but the poses have %d',
                chosen.name,
                chosen.num_keypoints,
                count,
            )
        return self, chosen

    def _stated_skeleton(self, is_needed: bool) -> tuple[str | None, list[int] | None]:
        """Return the skeleton that the source states, and the order of named joints.

        The order is the index of each joint of the skeleton among the names, -1 if it
        is not named; None if joints have no names. If no skeleton fits the names, they
        are returned in its place, or refused if a skeleton ``is_needed``.
        """
        names = self.joint_names
        if self.skeleton is not None or names is None:
            return self.skeleton, None
        count = self.points.shape[-2]
        if len(names) != count:
            raise ValueError(f'has {len(names)} names of joints, but {count} keypoints')
        found = match_joints(names)
        if found is not None:
            return found[0].name, found[1]
        listed = ', '.join(names)[:60]
        if is_needed:
            on_skin = (
                '; markers on the skin are not joints: write the joints of a model '
                'that was fitted to them'
            )
            raise ArgumentError(
                'no skeleton has the joints %r: name shoulders and hips left_shoulder, '
                'right_hip and so on, or give {skeleton}%s',
                listed,
                on_skin if self.points.shape[-1] == 3 else '',
            )
        return listed, None

    def _reordered(
        self, name: str, skeleton: Skeleton, order: list[int]
    ) -> 'CheckedRows':
        """Reorder joints by the indices of their names; index -1 is a missing joint."""
        lost = [  # by meaning: in rigs, LeftFoot is an ankle, and left_foot the toes
            skeleton.meanings.get(x, x)
            for x, n in zip(skeleton.joints, order, strict=True)
            if n < 0
        ]
        unused = [x for n, x in enumerate(self.joint_names or ()) if n not in order]
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
    """Convert tracks to rows.

    Args:
        values (np.ndarray): Pixels and, as third value, scores, (P, T, K, 2 or 3); NaN
            where missing.
        frame (np.ndarray): Frame numbers, (T,).
        joint_names (Iterable[str]): Names of the K joints.

    Returns:
        Rows: One row for each person and frame with a keypoint; the track IDs are 0 to
        P - 1.

    Raises:
        ValueError: If there is no keypoint.
    """
    track, time = np.isfinite(values[..., :2]).all(-1).any(-1).nonzero()
    if not len(track):
        raise ValueError('has no people with keypoints')
    return Rows(
        values[track, time],
        frame=frame[time],
        track=track,
        joint_names=tuple(joint_names),
    )


def number_tracks(values: Any) -> tuple[np.ndarray, list]:
    """Convert track IDs, which may be numbers or names, to numbers.

    Args:
        values: IDs in an array or list of any shape (...); None, NaN and empty text
            where unknown.

    Returns:
        tuple[np.ndarray, list]: Numbers (...) int64, -1 where unknown; and the list of
        names, in the order of their first use. The number of a name is its index in
        this list. The list is empty if all IDs are numbers.

    >>> number_tracks(['Ann', 'Bob', 'Ann', None])
    (array([ 0,  1,  0, -1]), ['Ann', 'Bob'])
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in 'iuf':
        # In NumPy 2.5, a plain -1 does not fit unsigned integers.
        values = np.where(np.isnan(values), np.int64(-1), values)
        return whole_numbers('tracks', values), []
    ids: list[Any] = []
    for value in np.array(values, object).ravel().tolist():
        value = value.strip() if isinstance(value, str) else value
        is_unknown = value in (None, '') or value != value  # NaN differs from itself
        ids.append(-1 if is_unknown else value)
    whole = [int(x) if _WHOLE.fullmatch(str(x)) else x for x in ids]
    if len({*whole}) == len({*map(str, ids)}):  # else names such as 07 and 7 differ
        ids = whole
    names = []
    if any(isinstance(x, str) or abs(x) > _LARGEST_ID for x in ids):
        names = [x for x in dict.fromkeys(ids) if x != -1]
        number_of = {-1: -1} | {x: number for number, x in enumerate(names)}
        ids = [number_of[x] for x in ids]
    numbers = whole_numbers('tracks', np.array(ids, object))
    return numbers.reshape(np.shape(values)), names


def whole_numbers(name: str, values: np.ndarray) -> np.ndarray:
    """Convert values (...) to int64.

    Raises:
        ValueError: If a value is not a whole number.
    """
    values = np.asarray(values)
    with np.errstate(invalid='ignore'):
        whole = values.astype(np.int64)
    if (whole != values).any():
        wrong = values[whole != values][0]
        raise ValueError(f'{name} must hold whole numbers, got {wrong}')
    return whole


def _split_scores(
    points: np.ndarray, scores: np.ndarray | None, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Check points (..., K, C), and separate scores (..., K) that they may contain."""
    title = _NAMES[size]
    points = to_numbers(title, points)
    if points.ndim not in (3, 4) or points.shape[-1] not in (size, size + 1):
        raise ValueError(
            f'{title} must have the shape (T, K, {size}), or for several people '
            f'(T, P, K, {size}), got {points.shape}; a further value is the score; '
            f'{_OTHERS[size]}'
        )
    if not points.size:
        raise ValueError(f'{title} is empty, {points.shape}')
    _refuse_other_values(points, size, title)
    if points.shape[-1] > size:
        if scores is not None:
            raise ValueError(
                f'{title} has a score as value {size + 1}, and scores are given, too; '
                f'{_OTHERS[size]}'
            )
        scores = points[..., size]
        points = points[..., :size]
    return points, np.ones(points.shape[:-1]) if scores is None else scores


def _refuse_other_values(points: np.ndarray, size: int, title: str) -> None:
    """Refuse 3D poses as 2D keypoints, and 2D keypoints as 3D poses.

    ``points`` (..., K, C) have ``size`` coordinates and perhaps a score.
    """
    last = points[..., -1]
    if points.shape[-1] != 3:
        return
    is_negative = np.mean(last < 0) > _MAX_NEGATIVE
    if size == 2 and (is_negative or np.nanmedian(last) > _MAX_SCORE):
        raise ValueError(f'the third values of {title} are not scores; {_OTHERS[size]}')
    are_scores = not ((last < 0) | (last > 1)).any()
    if size == 3 and are_scores and np.nanmedian(abs(points)) > _MAX_METERS:
        raise ValueError(f'{title} seem to be pixels and scores; {_OTHERS[size]}')


def _mark_missing(
    points: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mark missing points by NaN and a score of 0.

    A point is missing if it is NaN, or its score is not above zero. COCO and several
    models mark missing points by coordinates that are all 0, or all -1. A 3D joint with
    such coordinates is known if it has them in at least half of the frames, as roots
    do, or only once, as at the start of a path. Poses with all of several joints at one
    point are missing.

    Args:
        points (np.ndarray): Pixels or positions, (..., K, 2 or 3).
        scores (np.ndarray): Confidence, (..., K).

    Returns:
        tuple[np.ndarray, np.ndarray]: Points and scores of the same shapes.
    """
    missing = (points == 0).all(-1) | (points == -1).all(-1)
    if points.shape[-1] == 3:
        of_joint = missing.reshape(-1, missing.shape[-1])
        counts = of_joint.sum(0)
        missing = missing & (counts > 1) & (2 * counts < len(of_joint))
    missing = missing | (
        (points == points[..., :1, :]).all((-2, -1))[..., None] & (points.shape[-2] > 1)
    )
    missing = missing | ~(scores > 0) | np.isnan(points).any(-1)
    return np.where(missing[..., None], np.nan, points), np.where(missing, 0, scores)


def _flatten(
    name: str, values: object, lead: tuple[int, ...], shape: tuple[int, ...]
) -> np.ndarray:
    """Check an array (*lead, *shape), and join its leading axes, (N, *shape)."""
    array = to_numbers(name, values)
    if array.shape != (*lead, *shape):
        raise ValueError(
            f'{name} must have the shape {(*lead, *shape)}, got {array.shape}'
        )
    return array.reshape(-1, *shape).astype(np.float64)


def _number(
    lead: tuple[int, ...], frames: object, tracks: object, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return frame numbers (N,) and track IDs (N,) of poses with these leading axes.

    ``lead`` is (N,), (T,) or (T, P). Frames count from 0 if they are None; track IDs
    are -1 if they are None.
    """
    if frames is None and tracks is not None:
        raise ValueError('tracks must be given with frames')
    frames = np.arange(lead[0]) if frames is None else frames
    frame = whole_numbers('frames', _flatten('frames', frames, lead[:1], ()))
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
