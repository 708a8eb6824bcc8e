"""Repair of track IDs that were exchanged when people met, by their appearance."""

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from mmhot.chain.tracking.appearance import average_looks, look_distances, looks_of
from mmhot.chain.tracking.linking import misfit
from mmhot.structures.clips_2d import Track2D, join_tracks
from mmhot.structures.people import box_overlap, box_size


@dataclass(frozen=True)
class CrossingLimits:
    """Limits of meetings, and of appearance distances that show exchanged IDs.

    Distances are Bhattacharyya distances of 0 to 1. The limits were chosen on drawn
    crossings, ``tests/chain/tracking/test_crossings.py``. In eight real videos and a
    rendered one, results stay from .5 to 2 of each, but not at 2 of ``min_change``.
    """

    # Two people meet if their boxes share more than this part of the smaller one.
    min_overlap: float = 0.35
    # Seconds before and after a meeting that give a person's appearance. A longer time
    # averages more views, but may reach into other meetings.
    look_seconds: float = 1.5
    # Views of a body part, before and after the meeting; with fewer, it does not count.
    min_looks: int = 2
    # IDs are exchanged if that lowers the appearance distance, summed over both people,
    # below this share of its value.
    max_ratio: float = 0.6
    # IDs are exchanged only if that lowers the appearance distance by this per person,
    # too.
    min_gain: float = 0.05
    # Seconds before and after a slide; people who pass behind objects have other colors
    # for a shorter time. 1.5 to 12 split no track of 29 videos.
    long_look: float = 6.0
    # A track changes to another person in a meeting if its appearance before and after
    # differs by more than this, and its box jumps. People behind objects reach 0.3
    # without a jump.
    min_change: float = 0.25
    min_jump: float = 0.2  # person sizes per frame; smaller steps are not jumps
    # A track slides if its parts fit worse than this, where 1 is the limit of links.
    # Of 206 tracks that were spliced from two people, 82 are split with 1, 127 with 0.5
    # and 148 with 0.25. No track of 29 videos is split, with 0 either. If light or an
    # object in front changes their colors, in 9 ways, of 520 tracks 1, 6 and 9 are
    # split, and 27 with 0.
    min_misfit: float = 0.5


_LIMITS = CrossingLimits()


class _Meeting(NamedTuple):
    """A span of frames in which the boxes of two tracks overlap."""

    before: int  # last frame before the boxes overlap
    after: int  # first frame in which they no longer overlap
    first: int  # index of one track in the list
    second: int  # index of the other track


def uncross(
    tracks: list[Track2D], looks: dict[str, np.ndarray], fps: float
) -> list[Track2D]:
    """Exchange the IDs of two people where each looks like the other after they met.

    Meetings are examined in order of time. An exchange swaps all later frames of the
    two tracks, so the meetings after it are listed again.

    Args:
        tracks (list[Track2D]): Tracks with boxes, of one shot.
        looks (dict[str, np.ndarray]): Descriptions of people, see
            :meth:`mmhot.chain.tracking.appearance.AppearanceObserver.arrays`.
        fps (float): Frames per second.

    Returns:
        list[Track2D]: The repaired tracks, without empty ones.
    """
    tracks = list(tracks)
    waiting = _meetings(tracks)
    while waiting:
        meeting = waiting.pop(0)
        first = meeting.first
        second = meeting.second
        pair = tracks[first], tracks[second]
        start = _find_exchange(pair, looks, meeting, _LIMITS.look_seconds * fps)
        if start is None:
            continue
        before = [track.take(track.frames < start) for track in pair]
        after = [track.take(track.frames >= start) for track in pair]
        tracks[first] = join_tracks((before[0], after[1]))
        tracks[second] = join_tracks((before[1], after[0]))
        # The exchange changes later meetings, including those with other people.
        waiting = [x for x in _meetings(tracks) if x.after > meeting.before]
    return [track for track in tracks if len(track.frames)]


def end_takeovers(
    tracks: list[Track2D], looks: dict[str, np.ndarray], fps: float
) -> list[Track2D]:
    """Split tracks that continue on another person.

    This happens in a meeting, or where a track slides to a person who was not found.

    Args:
        tracks (list[Track2D]): Tracks with boxes, of one shot.
        looks (dict[str, np.ndarray]): Descriptions of people, see
            :meth:`mmhot.chain.tracking.appearance.AppearanceObserver.arrays`.
        fps (float): Frames per second.

    Returns:
        list[Track2D]: The tracks. Both parts of a split one have its number.
    """
    ended = []
    for track in tracks:
        others = [other for other in tracks if other is not track]
        while (start := _find_takeover(track, others, looks, fps)) is not None:
            ended.append(track.take(track.frames < start))
            track = track.take(track.frames >= start)
        ended.append(track)
    return ended


def _find_takeover(
    track: Track2D,
    others: list[Track2D],
    looks: dict[str, np.ndarray],
    fps: float,
) -> int | None:
    """Find the frame in which a track moves over to another person, or None.

    There its appearance before and after differs, and it meets another track while its
    box jumps, or it slides: its parts do not continue each other.
    """
    span = _LIMITS.look_seconds * fps
    frames = track.frames
    boxes = track.boxes
    meets = np.zeros(len(frames), bool)
    for other in others:
        near = (frames >= other.frames[0] - span) & (frames <= other.frames[-1] + span)
        overlap = box_overlap(boxes, _last_boxes(other, frames))
        meets |= near & (overlap > _LIMITS.min_overlap)
    # Steps of the box's corners from frame to frame, in person sizes
    moved = np.linalg.norm(np.diff(boxes, axis=0, prepend=boxes[:1]), axis=1)
    steps = moved / np.sqrt(2) / box_size(boxes) / np.diff(frames, prepend=-1)
    times, values = looks_of(track, looks)
    changes: dict[int, float] = {}  # appearance distances by frame
    for last, first in pairwise(times):
        around = (frames > last - span / 2) & (frames <= first)
        between = np.flatnonzero((frames > last) & (frames <= first))
        jump = between[steps[between].argmax()]
        jumps = meets[around].any() and steps[jump] > _LIMITS.min_jump
        distance = _change_of(times, values, (last, first), span)
        if not jumps and distance > _LIMITS.min_change:
            distance = _change_of(times, values, (last, first), _LIMITS.long_look * fps)
            parts = track.take(frames <= last), track.take(frames >= first)
            jumps = misfit(*parts, fps) >= _LIMITS.min_misfit
        if jumps and distance > _LIMITS.min_change:
            changes[int(frames[jump])] = distance
    return max(changes, key=lambda frame: changes[frame], default=None)


def _change_of(
    times: np.ndarray, values: np.ndarray, gap: tuple[int, int], span: float
) -> float:
    """Compare the appearance of a track before and after a gap between two frames.

    Descriptions ``values`` (M, 4, B) in frames ``times`` (M,) count up to ``span``
    frames away. Returns the distance, NaN if it is not known.
    """
    last, first = gap
    before = values[(times <= last) & (times >= last - span)]
    after = values[(times >= first) & (times <= first + span)]
    pair = np.stack([average_looks(x, _LIMITS.min_looks) for x in (before, after)])
    return float(look_distances(pair[:1], pair[1:])[0, 0])


def _meetings(tracks: list[Track2D]) -> list[_Meeting]:
    """List the meetings of all pairs of tracks, in order of time."""
    return sorted(
        _Meeting(*span, first, second)
        for first, second in combinations(range(len(tracks)), 2)
        for span in _overlaps(tracks[first], tracks[second])
    )


def _overlaps(one: Track2D, other: Track2D) -> list[tuple[int, int]]:
    """List the spans in which the boxes of two tracks overlap.

    Each is the last frame before the overlap, and the first one after it.
    """
    if not len(one.frames) or not len(other.frames):
        return []
    start = max(one.frames[0], other.frames[0])
    if start > min(one.frames[-1], other.frames[-1]):
        return []
    frames = np.union1d(one.frames, other.frames)
    frames = frames[frames >= start]
    boxes = [_last_boxes(track, frames) for track in (one, other)]
    edges = np.flatnonzero(
        np.diff(box_overlap(*boxes) > _LIMITS.min_overlap, prepend=0, append=0)
    )
    ends = np.r_[start - 1, frames, frames[-1:] + 1]
    return [(int(ends[low]), int(ends[high + 1])) for low, high in edges.reshape(-1, 2)]


def _find_exchange(
    pair: tuple[Track2D, Track2D],
    looks: dict[str, np.ndarray],
    meeting: _Meeting,
    span: float,
) -> int | None:
    """Find the frame in which the IDs of two people were exchanged in a meeting.

    Their appearance is compared within ``span`` frames before and after the meeting.
    Returns None unless each person looks like the other one after it.

    The exchange happened where one person disappears or returns, if any frame of the
    meeting has that. Among these frames, the one is chosen that agrees best with the
    appearance during the meeting, and then the one that shortens the steps of the boxes
    most.
    """
    seen = [looks_of(track, looks) for track in pair]

    def average(low: float, high: float) -> np.ndarray:
        """Average the appearance of both people in frames low to high, (2, 4, B)."""
        near = (values[(at >= low) & (at <= high)] for at, values in seen)
        return np.stack([average_looks(x, _LIMITS.min_looks) for x in near])

    before = average(meeting.before - span, meeting.before)
    after = average(meeting.after, meeting.after + span)
    if not are_exchanged(look_distances(before, after)):
        return None
    frames = np.arange(meeting.before + 1, meeting.after + 1)
    doubt = np.zeros(len(frames))
    for row, (times, values) in enumerate(seen):
        distances = look_distances(before, values)
        wrong = np.nan_to_num(distances[row] - distances[1 - row])
        inside = (times > meeting.before) & (times < meeting.after)
        doubt += np.where(times < frames[:, None], wrong, -wrong)[:, inside].sum(1)
    changes, lengthened = _compare_steps(pair, frames)
    possible = np.flatnonzero(changes if changes.any() else np.ones_like(changes))
    best = np.lexsort([lengthened[possible], doubt[possible].round(2)])[0]
    return int(frames[possible[best]])


def are_exchanged(distances: np.ndarray) -> bool:
    """Return whether two people have exchanged their IDs.

    ``distances`` (2, 2) compares the appearance before a meeting (rows) with the
    appearance after it (columns), NaN if unknown. Here each person looks like the other
    one after it:

    >>> are_exchanged(np.array([[0.5, 0.1], [0.2, 0.4]]))
    True
    >>> are_exchanged(np.array([[0.1, 0.5], [0.4, 0.2]]))
    False
    """
    known = np.isfinite(distances).all(0)
    same = np.diag(distances)[known].sum()
    exchanged = np.diag(distances[::-1])[known].sum()
    is_alike = exchanged < _LIMITS.max_ratio * same
    return bool(is_alike and same - exchanged > _LIMITS.min_gain * known.sum())


def _compare_steps(
    pair: tuple[Track2D, Track2D], frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare the steps of two people into frames (F,) with exchanged ones.

    Returns the frames in which one of them disappears or returns, (F,) bool, and by how
    many pixels an exchange there lengthens the steps of their boxes, (F,).
    """
    changes = np.zeros(len(frames), bool)
    lengthened = np.zeros(len(frames))
    for track, partner in (pair, pair[::-1]):
        was_there, is_there = np.isin([frames - 1, frames], track.frames)
        changes |= was_there != is_there
        now = _last_boxes(track, frames)
        from_same, from_other = (
            np.linalg.norm(now - _last_boxes(x, frames - 1), axis=-1)
            for x in (track, partner)
        )
        lengthened += np.where(is_there, from_other - from_same, 0)
    return changes, lengthened


def _last_boxes(track: Track2D, frames: np.ndarray) -> np.ndarray:
    """Return the last box of a track at or before each frame (F,): pixels (F, 4).

    Frames before the track begins get its first box.
    """
    rows = np.searchsorted(track.frames, frames, 'right') - 1
    return track.boxes[rows.clip(0)]
