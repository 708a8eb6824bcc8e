"""Exchanged IDs of people who met, found by their clothes before and after."""

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from mmhot.structures.clips_2d import Track2D, join_tracks
from mmhot.structures.people import box_overlap, box_size
from mmhot.tracking.appearance import average_looks, look_distances, looks_of


@dataclass(frozen=True)
class CrossingLimits:
    """When two people met, and looks that show an exchange of their IDs.

    Distances are Bhattacharyya's, 0 to 1, summed over both people. Chosen on drawn
    crossings, ``tests/tracking/test_crossings.py``.
    """

    # of boxes that meet, share of the smaller one; higher looks at fewer meetings
    overlap: float = 0.35
    seconds: float = 1.5  # before and after, in which people are looked at
    min_looks: int = 2  # at a body part, before and after; higher needs clearer views
    # of distances with exchanged IDs to those without; higher exchanges more
    max_ratio: float = 0.6
    min_gain: float = 0.05  # difference of these distances; higher exchanges less
    # Distance of one track's looks before and after a meeting from which it is another
    # person's, if the box jumps there: by so many sizes, and times its usual step, a
    # frame. People whom things hide reach 0.3 without a jump. Higher ends fewer tracks.
    other: float = 0.25
    jump: float = 0.2
    jump_ratio: float = 3.0


_LIMITS = CrossingLimits()


class _Meeting(NamedTuple):
    """Two tracks by their places in the list, and frames in which they are apart."""

    before: int
    after: int
    first: int
    second: int


def uncross(
    tracks: list[Track2D], looks: dict[str, np.ndarray], fps: float
) -> list[Track2D]:
    """Exchange the rest of tracks of people who look like each other after they met.

    Args:
        tracks (list[Track2D]): Tracks with boxes, of one shot.
        looks (dict[str, np.ndarray]): Descriptions of people, see
            :class:`mmhot.tracking.appearance.AppearanceObserver`.
        fps (float): Frames per second.
    """
    tracks, waiting = list(tracks), _meetings(tracks)
    while waiting:
        meeting = waiting.pop(0)
        first, second = meeting.first, meeting.second
        pair = tracks[first], tracks[second]
        start = _find_exchange(pair, looks, meeting, _LIMITS.seconds * fps)
        if start is None:
            continue
        before = [track.take(track.frames < start) for track in pair]
        after = [track.take(track.frames >= start) for track in pair]
        tracks[first] = join_tracks((before[0], after[1]))
        tracks[second] = join_tracks((before[1], after[0]))
        # also those with others, meanwhile
        waiting = [x for x in _meetings(tracks) if x.after > meeting.before]
    return [track for track in tracks if len(track.frames)]


def end_takeovers(
    tracks: list[Track2D], looks: dict[str, np.ndarray], fps: float
) -> list[Track2D]:
    """End tracks that go on with another person whom they met, who gets a new one.

    Arguments are those of :func:`uncross`.
    """
    ended = []
    for number, track in enumerate(tracks):
        others = [*tracks[:number], *tracks[number + 1 :]]
        span = _LIMITS.seconds * fps
        while (start := _find_takeover(track, others, looks, span)) is not None:
            ended.append(track.take(track.frames < start))
            track = track.take(track.frames >= start)
        ended.append(track)
    return ended


def _find_takeover(
    track: Track2D,
    others: list[Track2D],
    looks: dict[str, np.ndarray],
    span: float,
) -> int | None:
    """Find the frame from which a track looks like another person, after a meeting."""
    frames, boxes = track.frames, track.boxes
    meets = np.zeros(len(frames), bool)
    for other in others:
        near = (frames >= other.frames[0] - span) & (frames <= other.frames[-1] + span)
        overlap = box_overlap(boxes, _last_boxes(other, frames))
        meets |= near & (overlap > _LIMITS.overlap)
    # Steps of both corners from frame to frame, in sizes of the person.
    moved = np.linalg.norm(np.diff(boxes, axis=0, prepend=boxes[:1]), axis=1)
    steps = moved / np.sqrt(2) / box_size(boxes) / np.diff(frames, prepend=-1)
    least = max(_LIMITS.jump, _LIMITS.jump_ratio * float(np.median(steps)))
    times, values = looks_of(track, looks)
    best, start = _LIMITS.other, None
    for last, first in pairwise(times):
        around = (frames > last - span / 2) & (frames <= first)
        between = (frames > last) & (frames <= first)
        if not meets[around].any():
            continue
        before = values[(times <= last) & (times >= last - span)]
        after = values[(times >= first) & (times <= first + span)]
        pair = [average_looks(x, _LIMITS.min_looks) for x in (before, after)]
        distance = look_distances(np.stack(pair[:1]), np.stack(pair[1:]))[0, 0]
        frame = frames[between][steps[between].argmax()]
        if distance > best and steps[between].max() > least:
            best, start = distance, int(frame)
    return start


def _meetings(tracks: list[Track2D]) -> list[_Meeting]:
    """List the meetings of tracks, in order."""
    return sorted(
        _Meeting(*span, first, second)
        for first, second in combinations(range(len(tracks)), 2)
        for span in _overlaps(tracks[first], tracks[second])
    )


def _overlaps(one: Track2D, other: Track2D) -> list[tuple[int, int]]:
    """Return frames before and after each overlap of the boxes of two tracks."""
    if not len(one.frames) or not len(other.frames):
        return []
    start = max(one.frames[0], other.frames[0])
    if start > min(one.frames[-1], other.frames[-1]):
        return []
    frames = np.union1d(one.frames, other.frames)
    frames = frames[frames >= start]
    boxes = [_last_boxes(track, frames) for track in (one, other)]
    edges = np.flatnonzero(
        np.diff(box_overlap(*boxes) > _LIMITS.overlap, prepend=0, append=0)
    )
    ends = np.r_[start - 1, frames, frames[-1:] + 1]
    return [(int(ends[low]), int(ends[high + 1])) for low, high in edges.reshape(-1, 2)]


def _find_exchange(
    pair: tuple[Track2D, Track2D],
    looks: dict[str, np.ndarray],
    meeting: _Meeting,
    span: float,
) -> int | None:
    """Find the frame in which two people were exchanged.

    None unless both look like the other one after they met, within ``span`` frames.
    """
    seen = [looks_of(track, looks) for track in pair]

    def average(low: float, high: float) -> np.ndarray:
        """Return the average looks of both in some frames, (2, 4, B)."""
        near = (values[(at >= low) & (at <= high)] for at, values in seen)
        return np.stack([average_looks(x, _LIMITS.min_looks) for x in near])

    before = average(meeting.before - span, meeting.before)
    after = average(meeting.after, meeting.after + span)
    # rows are people before, columns people after
    distances = look_distances(before, after)
    columns = np.isfinite(distances).all(0)
    same = np.diag(distances)[columns].sum()
    exchanged = np.diag(distances[::-1])[columns].sum()
    is_alike = exchanged < _LIMITS.max_ratio * same
    if not is_alike or same - exchanged <= _LIMITS.min_gain * columns.sum():
        return None

    # where one of both is hidden or returns, if it is any of these frames, which agrees
    # with the looks while they meet, and moves boxes less than without an exchange
    frames = np.arange(meeting.before + 1, meeting.after + 1)
    doubt = np.zeros(len(frames))
    for row, (times, values) in enumerate(seen):
        distances = look_distances(before, values)
        wrong = np.nan_to_num(distances[row] - distances[1 - row])
        inside = (times > meeting.before) & (times < meeting.after)
        doubt += np.where(times < frames[:, None], wrong, -wrong)[:, inside].sum(1)
    changes, moved = np.zeros(len(frames), bool), np.zeros(len(frames))
    for track, partner in (pair, pair[::-1]):
        was_there, is_there = np.isin([frames - 1, frames], track.frames)
        changes |= was_there != is_there
        now = _last_boxes(track, frames)
        from_same, from_other = (
            np.linalg.norm(now - _last_boxes(x, frames - 1), axis=-1)
            for x in (track, partner)
        )
        moved += np.where(is_there, from_other - from_same, 0)
    possible = np.flatnonzero(changes if changes.any() else np.ones_like(changes))
    best = np.lexsort([moved[possible], doubt[possible].round(2)])[0]
    return int(frames[possible[best]])


def _last_boxes(track: Track2D, frames: np.ndarray) -> np.ndarray:
    """Return a track's last boxes (F, 4) up to each frame, before it the first."""
    rows = np.searchsorted(track.frames, frames, 'right') - 1
    return track.boxes[rows.clip(0)]
