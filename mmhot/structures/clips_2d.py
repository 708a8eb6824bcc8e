"""2D keypoints of a clip, independent of file formats."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError, escape, list_people
from mmhot.geometry.keypoint_arrays import (
    check_extent,
    check_image_size,
    checked_rate,
    passed_seconds,
    read_only_view,
    relative_scores,
)
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.conventions import (
    ask_about_order,
    ask_about_pixels,
    describe_frames,
    describe_people,
    log_reading,
)
from mmhot.structures.lens import Camera, Lens
from mmhot.structures.rows import CheckedRows, Rows, Steps, take_rows

_LOGGER = logging.getLogger(__name__)
MAX_TRACKS = 2000
"""Largest number of people in a clip; each is lifted and written separately."""


Rules = Mapping[str, tuple[Any, Any, str]]
FIELDS: Rules = {
    'name': (str, object, 'text'),
    'cuts': ((tuple, list), Integral, 'a tuple of frame numbers'),
    'steps': (dict, dict, 'options by the name of the step'),
}
"""Fields of 2D and 3D clips: type, type of each value in it, and both in words."""


def check_fields(clip: object, rules: Rules) -> None:
    """Raise ValueError if a field of a clip has another type than :data:`FIELDS`."""
    for name, (kind, part, expected) in rules.items():
        value = getattr(clip, name)
        parts = value.values() if isinstance(value, dict) else value
        is_right = isinstance(value, kind) and (
            part is object or all(isinstance(x, part) for x in parts)
        )
        if not is_right:
            raise ValueError(f'{name} must be {expected}, got {repr(value):.100}')


def clip_name(path: Path) -> str:
    """Name a clip after its file or folder.

    Control characters, and names that consist of dots, become underscores.
    """
    name = path.stem if path.is_file() else path.resolve().name
    return escape(name, '_') if name.strip('.') else '_'


@dataclass
class Track2D:
    """2D keypoints of one person: ``K`` keypoints in ``T`` frames.

    Attributes:
        track (int): Track ID.
        frames (np.ndarray): Frame numbers, (T,) int64, sorted and unique. Frames
            without the person are left out.
        keypoints (np.ndarray): Pixels, x to the right and y down from the upper left
            corner of the image, (T, K, 2) float32; NaN where missing.
        scores (np.ndarray): Confidence of the 2D model, usually 0 to 1, (T, K) float32;
            0 where missing.
        bboxes (np.ndarray | None): Bounding boxes x1, y1, x2, y2 in pixels, (T, 4)
            float32; None if unknown.

    Example::

        [track] = mmhot.read_keypoints('demo/skating_2d_coco17.npz').tracks
        pose = track.keypoints[track.frames == 30]  # (1, 17, 2)
    """

    track: int
    frames: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray | None = None

    @property
    def boxes(self) -> np.ndarray:
        """Bounding boxes of a person who was detected in a video, (T, 4)."""
        assert self.bboxes is not None
        return self.bboxes

    def take(self, rows: np.ndarray) -> 'Track2D':
        """Select frames by their indices, or by a mask (T,).

        Example::

            second_half = track.take(track.frames >= 93)
        """
        return take_rows(self, rows)


@dataclass
class Clip2D:
    """2D keypoints of all people in a clip.

    Attributes:
        name (str): Name of the clip, usually that of its file.
        skeleton (str): Joint order: a name such as 'coco-17', see
            :func:`mmhot.get_skeleton`.
        tracks (list[Track2D]): People, sorted by track ID.
        width (int): Image width in pixels.
        height (int): Image height in pixels.
        fps (float): Frames per second.
        source (Path | None): File or folder of the keypoints; None for arrays.
        times (np.ndarray | None): Seconds by frame number, (F,) float64; None if frame
            ``n`` is at ``n / fps``.
        lens (Lens | None): Lens of the camera for images of this size; None if unknown.
        camera (Camera | None): Rotation and zoom of a camera that keeps its place.
            Keypoints are then pixels in the image of its first frame. None if each
            frame has camera axes of its own.
        cuts (tuple[int]): Frame numbers at which another shot begins, sorted.
        steps (dict): Options of the processing steps that have run, by step name.

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
        """Track IDs of all people, sorted."""
        return [track.track for track in self.tracks]

    @property
    def read_as(self) -> str:
        """What the clip was read as, in one line."""
        frames = len(np.unique(np.concatenate([x.frames for x in self.tracks])))
        return (
            f'{describe_frames(frames)} of {self.skeleton}, pixels of {self.width} x '
            f'{self.height}, y down, {self.fps:g} frames/s, '
            f'{describe_people(len(self.tracks))}'
        )

    @property
    def confidences(self) -> list[np.ndarray]:
        """Scores of each track from 0 to 1, (T, K); 1 is usual in this clip.

        See :func:`mmhot.geometry.keypoint_arrays.relative_scores`.
        """
        usual = np.concatenate([track.scores.ravel() for track in self.tracks])
        return [
            read_only_view(relative_scores(track.scores, usual))
            for track in self.tracks
        ]

    @property
    def num_frames(self) -> int:
        """Number of frames up to the last one with a person."""
        ends = [track.frames[-1] for track in self.tracks if len(track.frames)]
        return int(max(ends, default=-1)) + 1

    def times_of(self, frames: np.ndarray) -> np.ndarray:
        """Return the timestamps of frame numbers (T,) in seconds, (T,).

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
            keypoints (np.ndarray): Pixels, x to the right and y down, of one person,
                (T, K, 2), or of several people with the track IDs 0 to P - 1,
                (T, P, K, 2). A third value per keypoint is its score.
            image_size (tuple[int, int]): Width and height in pixels.
            fps (float): Frames per second.
            scores (np.ndarray, optional): Confidence, (T, K) or (T, P, K).
            frames (np.ndarray, optional): Frame numbers, all different, (T,). Defaults
                to 0, 1, ..., T - 1.
            skeleton (str, optional): Joint order, such as 'coco-17'. Defaults to the
                usual one with K joints.
            name (str): Name of the clip. Defaults to 'clip'.

        Returns:
            Clip2D: The clip, checked as by :func:`check_clip`.

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
    """Make a clip of checked rows in pixels.

    Args:
        rows (CheckedRows): One row per person and frame.
        name (str): Name of the clip.
        skeleton (Skeleton): Skeleton of the keypoints.
        image_size (tuple[int, int]): Width and height in pixels.
        fps (float): Frames per second.
        source (Path, optional): File or folder of the keypoints, for messages.

    Raises:
        ArgumentError: If the size or rate is invalid, or people have no track IDs.
        ValueError: If no keypoint is known, or keypoints cannot be pixels of the image.
    """
    fps = checked_rate(fps)
    label = str(source or name)
    if rows.track[0] < 0:
        numbers, counts = np.unique(rows.frame, return_counts=True)
        raise ArgumentError(
            "has %s people in frame %s but no track IDs ('track' in .npz, 'track_id' "
            'in JSON, model.track() of Ultralytics): add them, or keep one person per '
            "frame with {single='largest'}",
            counts.max(),
            numbers[counts.argmax()],
        )
    tracks = _split_tracks(rows, label)
    size = check_image_size(image_size)
    clip = _check_numbers(
        Clip2D(
            name,
            skeleton.name,
            tracks,
            *size,
            fps,
            source=source,
            times=rows.seconds(np.arange(rows.frame.max() + 1), fps),
            steps=rows.steps,
        )
    )
    log_reading(label, clip.read_as, rows.guesses)
    ask_about_order(rows.points, skeleton, label)
    ask_about_pixels(rows.points, skeleton, size, label)
    return clip


def _split_tracks(rows: CheckedRows, name: str) -> list[Track2D]:
    """Return the people who have a keypoint; raise ValueError if there are none."""
    ids = np.unique(rows.track)
    if len(ids) > MAX_TRACKS:
        raise ValueError(f'has {len(ids)} track IDs: at most {MAX_TRACKS} are read')
    rows.warn_of_ids(name)
    people = [_track_2d(x, rows.take(rows.track == x)) for x in ids.tolist()]
    lost = [x.track for x in people if np.isnan(x.keypoints).all()]
    if len(lost) == len(people):
        raise ValueError('has no keypoint that is finite and has a score above 0')
    if lost:
        _LOGGER.warning(
            '%s: %s left out, as no keypoint is known', name, list_people(lost)
        )
    return [x for x in people if x.track not in lost]


def _track_2d(track: int, rows: CheckedRows) -> Track2D:
    """Make a track of a person's rows: sorted by frame, with the documented types."""
    rows = rows.take(np.argsort(rows.frame))
    return Track2D(
        track,
        rows.frame,
        rows.points.astype(np.float32),
        rows.scores.astype(np.float32),
        None if rows.bboxes is None else rows.bboxes.astype(np.float32),
    )


_FIELDS = {
    **FIELDS,
    'tracks': ((list, tuple), Track2D, 'a list of Track2D'),
    'lens': (Lens | None, object, 'a Lens or None'),
    'camera': (Camera | None, object, 'a Camera or None'),
}


def check_clip(clip: Clip2D) -> Clip2D:
    """Check a clip, which may be made by hand.

    Keypoints are missing as in :meth:`Clip2D.from_arrays`.

    Args:
        clip (Clip2D): Clip with arrays of any type of numbers; it stays as it is.

    Returns:
        Clip2D: A clip with arrays of the documented types.

    Raises:
        TypeError: If it is not a clip.
        ValueError: If it is empty, a number is out of range, an array has a wrong type
            or shape, frames are not unique, or keypoints cannot be pixels of the image.
    """
    if not isinstance(clip, Clip2D):
        raise TypeError(
            f'clip must be a Clip2D, got {type(clip).__name__}: make one by '
            'Clip2D.from_arrays(keypoints, image_size=(1920, 1080), fps=30)'
        )
    check_fields(clip, _FIELDS)
    ids = clip.track_ids
    are_numbers = all(isinstance(x, Integral) and x >= 0 for x in ids)
    if not (ids and are_numbers and len(set(ids)) == len(ids)):
        raise ValueError(
            'tracks must be one or more people, with different numbers from 0 as track '
            f'IDs, got {ids}'
        )
    skeleton = get_skeleton(clip.skeleton)
    tracks = [_check_track(track, skeleton) for track in clip.tracks]
    return _check_numbers(replace(clip, tracks=tracks))


def _check_track(track: Track2D, skeleton: Skeleton) -> Track2D:
    """Check the arrays of a track, and convert them to the documented types."""
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
    """Check size, rate and timestamps of a clip, and the range of its keypoints."""
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


def join_tracks(tracks: Sequence[Track2D]) -> Track2D:
    """Join tracks that have no common frame; the first track ID is kept."""
    names = ['frames', 'keypoints', 'scores']
    if all(track.bboxes is not None for track in tracks):
        names.append('bboxes')
    columns = [np.concatenate([getattr(x, name) for x in tracks]) for name in names]
    joined = Track2D(tracks[0].track, *columns)
    return joined.take(np.argsort(joined.frames, kind='stable'))
