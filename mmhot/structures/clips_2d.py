"""2D keypoints of a clip, independent of file formats."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmhot.errors import ArgumentError, escape, ignored_warnings
from mmhot.geometry.keypoint_arrays import (
    check_extent,
    check_image_size,
    is_number,
    relative_scores,
    to_numbers,
    warn_of_steps,
)
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.conventions import warn_of_other_pixels
from mmhot.structures.lens import Camera, Lens
from mmhot.structures.rows import CheckedRows, Rows, Steps

_LOGGER = logging.getLogger(__name__)
_MIN_FPS = 1e-6
_MAX_FPS = 100_000
MAX_TRACKS = 2000
"""Most people of one clip; each is lifted, and written, on its own."""
# Separate photos are recognized by how much a person changes between images: the median
# distance of joints from the middle of the joints before and after, relative to the
# smallest size, plus the same of the logarithm of sizes. Images with a larger change
# than this are photos. 1 of CMU's 458 motions at 2 images per second has such a change,
# and none from 3 on.
_PHOTO_CHANGE = 0.8
# If legs are seen, this change is enough at a speed above the next limit. Real photos
# change by 0.2 and more.
_PHOTO_POSE_CHANGE = 0.12
# Person sizes per second, 4 m/s for 1.7 m. CMU's motions have up to 2.3 m/s,
# and 3.3 if they are 1.6 times as fast.
_PHOTO_SPEED = 4.0 / 1.7
_FEWEST_PHOTOS = 4  # images; fewer are never taken for photos
_LEGS = 'knee', 'ankle', 'foot'
MIN_STEP = 1e-6
"""Seconds between frames, at least."""
# Range of the rate of times relative to the stated rate. Other times are not seconds.
_SAME_RATE = 0.3, 3.0
_WHOLE_RATE = 1e-4  # rates are whole numbers up to this difference


def clip_name(path: Path) -> str:
    """Name a clip after a file; control characters, ``.`` and ``..`` become ``_``."""
    name = path.stem if path.is_file() else path.resolve().name
    return escape(name, '_') if name.strip('.') else '_'


@dataclass
class Track2D:
    """2D keypoints of one person.

    Attributes:
        track (int): Track ID.
        frames (np.ndarray): Frame numbers, sorted and unique, (T,) int64.
        keypoints (np.ndarray): Pixels, NaN where missing, (T, K, 2) float32.
        scores (np.ndarray): Confidence, 0 where missing, (T, K) float32.
        bboxes (np.ndarray | None): Boxes as x1, y1, x2, y2, (T, 4) float32.

    Example::

        [track] = mmhot.read_keypoints('demo/skating_2d_coco17.npz').tracks
        track.keypoints[track.frames == 30]
    """

    track: int
    frames: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray | None = None

    @property
    def boxes(self) -> np.ndarray:
        """The boxes (T, 4), xyxy pixels, of a track that has boxes, as from videos."""
        assert self.bboxes is not None
        return self.bboxes

    def take(self, rows: np.ndarray) -> 'Track2D':
        """Select frames by index or mask (T,).

        Example::

            second_half = track.take(track.frames >= 93)
        """
        arrays = {x: y for x, y in vars(self).items() if isinstance(y, np.ndarray)}
        return replace(self, **{name: array[rows] for name, array in arrays.items()})


@dataclass
class Clip2D:
    """2D keypoints of all people in a clip.

    Attributes:
        name (str): Name of the clip, from its file.
        skeleton (str): Joint order, a name of :mod:`mmhot.skeletons.joints`.
        tracks (list[Track2D]): People, sorted by track ID.
        width (int): Image width in pixels.
        height (int): Image height in pixels.
        fps (float): Frames per second.
        source (Path | None): File or folder of the keypoints, if there is one.
        times (np.ndarray | None): Timestamps in seconds by frame number, for clips
            with a variable frame rate.
        lens (Lens | None): Of the keypoints, for images of this size, if it is known.
        camera (Camera | None): Of the images, if all frames share the axes of the
            first; keypoints are as a static camera would see them.
        cuts (tuple[int]): Frames with which another shot begins.
        steps (dict): Names of the processing steps that have run, and their options.

    Example::

        clip = mmhot.read_keypoints('demo/skating_2d_coco17.npz')
        mmhot.lift(dataclasses.replace(clip, fps=50.0)).save('skating.bvh')
    """

    name: str
    skeleton: str
    tracks: list[Track2D]
    width: int
    height: int
    fps: float
    source: Path | None = None
    times: np.ndarray | None = None
    lens: Lens | None = None
    camera: Camera | None = None
    cuts: tuple[int, ...] = ()
    steps: Steps = field(default_factory=dict)

    @property
    def track_ids(self) -> list[int]:
        """Track IDs of all people."""
        return [track.track for track in self.tracks]

    @property
    def confidences(self) -> list[np.ndarray]:
        """Scores of each track relative to the clip's usual ones, (T, K)."""
        usual = np.concatenate([track.scores.ravel() for track in self.tracks])
        return [relative_scores(track.scores, usual) for track in self.tracks]

    @property
    def num_frames(self) -> int:
        """Frames up to the last one with a person."""
        ends = [track.frames[-1] for track in self.tracks if len(track.frames)]
        return int(max(ends, default=-1)) + 1

    def times_of(self, frames: np.ndarray) -> np.ndarray:
        """Return the timestamps of frames (T,) in seconds, (T,).

        Example::

            seconds = clip.times_of(clip.tracks[0].frames)
        """
        return frames / self.fps if self.times is None else self.times[frames]

    @classmethod
    def from_arrays(
        cls,
        keypoints: np.ndarray,
        image_size: tuple[int, int],
        fps: float,
        *,
        scores: np.ndarray | None = None,
        frames: np.ndarray | None = None,
        skeleton: str | None = None,
        name: str = 'clip',
    ) -> 'Clip2D':
        """Make a clip of arrays.

        A keypoint is missing if it is NaN or exactly (0, 0), or its score is not above
        zero.

        Args:
            keypoints (np.ndarray): Pixels of one person, (T, K, 2), or of several
                people with the track IDs 0 to P - 1, (T, P, K, 2): frames first. A
                third value per keypoint is its score.
            image_size (tuple[int, int]): Width and height in pixels.
            fps (float): Frames per second.
            scores (np.ndarray, optional): Confidence, (T, K) or (T, P, K).
            frames (np.ndarray, optional): Frame numbers, sorted and unique, (T,). By
                default from 0.
            skeleton (str, optional): Joint order. By default the one with K joints.
            name (str): Name of the clip. Defaults to 'clip'.

        Returns:
            Clip2D: Checked, see :func:`check_clip`.

        Raises:
            ValueError: If an argument is invalid.

        Example::

            clip = mmhot.Clip2D.from_arrays(keypoints, (1920, 1080), fps=30)
            poses = mmhot.Lifter()(clip)
        """
        rows = Rows(keypoints, scores, frames).checked(2, name)
        rows, joints = rows.with_joints(name, skeleton)
        return clip_2d(rows, name, joints, image_size, fps)


def clip_2d(
    rows: CheckedRows,
    name: str,
    skeleton: Skeleton,
    image_size: tuple[int, int],
    fps: float,
    source: Path | None = None,
) -> Clip2D:
    """Make a clip of checked rows in pixels; errors say what is missing or wrong."""
    fps = checked_rate(fps)
    warn_of_steps(source or name, rows.frame)
    if rows.track[0] < 0:
        numbers, counts = np.unique(rows.frame, return_counts=True)
        raise ArgumentError(
            "has %s people in frame %s but no track IDs ('track' in .npz, 'track_id' "
            'in JSON, model.track() of Ultralytics): add them, or keep one person per '
            "frame with {single='largest'}",
            counts.max(),
            numbers[counts.argmax()],
        )
    rows = _apart(rows, str(source or name), fps, skeleton)
    tracks = _split_tracks(rows, source or name)
    size = check_image_size(image_size)
    times = rows.seconds(np.arange(rows.frame.max() + 1), fps)
    clip = Clip2D(name, skeleton.name, tracks, *size, fps, source, times)
    clip.steps = rows.steps
    clip = _check_numbers(clip)
    people = [(track.keypoints, track.scores) for track in tracks]
    warn_of_other_pixels(people, skeleton, size, clip.fps, str(source or name))
    return clip


def _apart(rows: CheckedRows, name: str, fps: float, skeleton: Skeleton) -> CheckedRows:
    """Number the people of unrelated photos, which are one track, by photo."""
    if rows.track.any() or len(rows.frame) < _FEWEST_PHOTOS:
        return rows
    legs = [n for n, x in enumerate(skeleton.joints) if x.endswith(_LEGS)]
    order = np.argsort(rows.frame)
    frame = rows.frame[order]
    points = rows.points[order]

    def bend(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Measure how far values (T, ...) are from the mean of their neighbors."""
        before = values[:-2] * (1 - weights)
        return np.abs(values[1:-1] - before - values[2:] * weights)

    with ignored_warnings():  # NumPy warns of people without keypoints
        size = np.nanmax(np.nanmax(points, 1) - np.nanmin(points, 1), 1)
        after = (frame[1:-1] - frame[:-2]) / (frame[2:] - frame[:-2])
        moved = np.linalg.norm(bend(points, after[:, None, None]), axis=-1)
        smallest = np.fmin(np.fmin(size[:-2], size[2:]), size[1:-1])
        moved = np.nanmedian(moved, 1) / smallest
        least = _PHOTO_CHANGE
        if np.isfinite(points[:, legs]).mean() > 0.5:
            moves = _PHOTO_SPEED * np.median(frame[2:] - frame[:-2]) / 2 / fps
            least = np.clip(moves, _PHOTO_POSE_CHANGE, _PHOTO_CHANGE)
        if not np.nanmedian(moved + bend(np.log(size), after)) > least:
            return rows
    _LOGGER.warning(
        '%s: poses have nothing in common with the ones before and after: each of the '
        '%d images is lifted as a separate photo; track IDs state that they show one '
        'person',
        name,
        len(points),
    )
    return replace(rows, track=np.argsort(np.argsort(rows.frame)))


def _split_tracks(rows: CheckedRows, name: object) -> list[Track2D]:
    """Return the people who have a keypoint; raise ValueError if there are none."""
    ids = np.unique(rows.track)
    if len(ids) > MAX_TRACKS:
        raise ValueError(f'has {len(ids)} track IDs: at most {MAX_TRACKS} are read')
    tracks = []
    for track in ids.tolist():
        person = _track_2d(track, rows.take(rows.track == track))
        if np.isnan(person.keypoints).all():
            _LOGGER.warning(
                '%s: track %s is left out: it has no keypoints', name, track
            )
        else:
            tracks.append(person)
    if not tracks:
        raise ValueError('has no keypoint that is finite and has a score above 0')
    return tracks


def _track_2d(track: int, rows: CheckedRows) -> Track2D:
    """Return a person's rows, sorted by frame, in the types of the class."""
    rows = rows.take(np.argsort(rows.frame))
    return Track2D(
        track,
        rows.frame,
        rows.points.astype(np.float32),
        rows.scores.astype(np.float32),
        None if rows.bboxes is None else rows.bboxes.astype(np.float32),
    )


def check_clip(clip: Clip2D) -> Clip2D:
    """Check a clip, perhaps made by hand, and convert arrays to the documented types.

    Keypoints are missing as in :meth:`Clip2D.from_arrays`.

    Raises:
        TypeError: If it is not a clip.
        ValueError: If it is empty, a number is out of range, an array has a wrong type
            or shape, frames are not sorted and unique, or keypoints cannot be pixels of
            the image.
    """
    if not isinstance(clip, Clip2D):
        raise TypeError(
            f'clip must be a Clip2D, got {type(clip).__name__}: make one by '
            'Clip2D.from_arrays(keypoints, image_size=(1920, 1080), fps=30)'
        )
    skeleton = get_skeleton(clip.skeleton)
    if not len(clip.tracks):
        raise ValueError('tracks is empty: a clip needs at least one person')
    tracks = [_check_track(track, skeleton) for track in clip.tracks]
    ids = [track.track for track in tracks]
    if len(set(ids)) < len(ids):
        raise ValueError(f'tracks must have different IDs, got {ids}')
    return _check_numbers(replace(clip, tracks=tracks))


def _check_track(track: Track2D, skeleton: Skeleton) -> Track2D:
    rows = Rows(track.keypoints, track.scores, track.frames, bboxes=track.bboxes)
    try:
        checked = rows.checked(2, f'track {track.track}')
        if len(np.unique(checked.frame)) < len(checked.frame):
            raise ValueError('frames must differ from each other')
        checked, _ = checked.with_joints('', skeleton.name)
    except ValueError as error:
        raise ValueError(f'track {track.track}: {error}') from error
    return _track_2d(track.track, checked)


def _check_numbers(clip: Clip2D) -> Clip2D:
    """Check a clip beside the arrays of its tracks."""
    width, height = check_image_size((clip.width, clip.height))
    fps = checked_rate(clip.fps)
    times = clip.times
    if times is not None:
        last = max(track.frames[-1] for track in clip.tracks)
        shape = np.shape(times)
        if len(shape) != 1 or len(times) <= last:
            raise ValueError(
                f'times must be seconds of frames 0 to {last}, (F,), got {shape}'
            )
        times = passed_seconds(times, np.arange(len(times)), fps)
    highest = max(float(track.scores.max()) for track in clip.tracks)
    if highest > 1:
        _LOGGER.warning(
            '%s: scores of up to %g are not probabilities: the 95th percentile counts '
            'as 1',
            clip.source or clip.name,
            highest,
        )
    points = np.concatenate([track.keypoints.reshape(-1, 2) for track in clip.tracks])
    check_extent(points, width, height)
    return replace(clip, times=times, width=width, height=height, fps=fps)


def passed_seconds(times: np.ndarray, frame: np.ndarray, fps: float) -> np.ndarray:
    """Return the seconds since the first of increasing times of sorted frames, (N,).

    They are rounded to microseconds, since numbers of seconds since 1970 are as exact,
    and exact at a constant rate.

    Raises:
        ValueError: If times do not increase with frames, or do not agree with the rate.
    """
    times = to_numbers('times', times).astype(np.float64)
    numbers, first, row = np.unique(frame, return_index=True, return_inverse=True)
    steps = np.diff(times[first]) / np.diff(numbers)
    if not ((steps > 0).all() and np.array_equal(times[first][row], times)):
        raise ValueError('times must increase with frames')
    share = fps * np.median(steps) if len(steps) else 1.0
    if not _SAME_RATE[0] < share < _SAME_RATE[1]:
        raise ArgumentError(
            'times are of %.3g frames/s, {fps} is %.3g: times must be seconds',
            fps / share,
            fps,
        )
    passed = times - times[0]
    even = (frame - frame[0]) / fps
    is_even = np.abs(passed - even).max(initial=0) <= MIN_STEP
    return even if is_even else passed.round(6)


def checked_rate(fps: float) -> float:
    """Check a rate in frames per second, and return 25 for 24.999999."""
    if not (is_number(fps) and _MIN_FPS <= fps <= _MAX_FPS):
        raise ArgumentError(
            '{fps} must be from %g to %d, got %r', _MIN_FPS, _MAX_FPS, fps
        )
    whole = round(fps)
    return float(whole if 0 < abs(fps - whole) < _WHOLE_RATE < whole else fps)


def join_tracks(tracks: Sequence[Track2D]) -> Track2D:
    """Join tracks of different frames; the number is that of the first."""
    names = ('frames', 'keypoints', 'scores', 'bboxes')
    columns = [np.concatenate([getattr(x, name) for x in tracks]) for name in names]
    order = np.argsort(columns[0], kind='stable')
    return Track2D(tracks[0].track, *(column[order] for column in columns))
