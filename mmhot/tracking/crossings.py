"""Exchanged IDs of people who met, found by their clothes before and after."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from mmhot.structures.clips import Track2D, join_tracks
from mmhot.structures.people import box_overlap
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


class _Meeting(NamedTuple):
    """Two tracks by their places in the list, and frames in which they are apart."""

    before: int
    after: int
    first: int
    second: int


def uncross(
    tracks: list[Track2D],
    looks: dict[str, np.ndarray],
    fps: float,
    limits: CrossingLimits = CrossingLimits(),
) -> list[Track2D]:
    """Exchange the rest of tracks of people who look like each other after they met.

    Args:
        tracks (list[Track2D]): Tracks with boxes, of one shot.
        looks (dict[str, np.ndarray]): Descriptions of people, see
            :class:`mmhot.tracking.appearance.AppearanceObserver`.
        fps (float): Frames per second.
        limits (CrossingLimits): Meetings, and looks that show an exchange.
    """
    tracks, span = list(tracks), limits.seconds * fps
    waiting = _meetings(tracks, limits)
    while waiting:
        meeting = waiting.pop(0)
        first, second = meeting.first, meeting.second
        pair = tracks[first], tracks[second]
        people = _Pair(pair, looks, meeting, span, limits)
        if not people.are_exchanged():
            continue
        tracks[first], tracks[second] = people.exchange()
        later = [x for x in waiting if not {first, second} & {x.first, x.second}]
        again = _meetings(tracks, limits, (first, second))
        # also those with others, meanwhile
        waiting = sorted(later + [x for x in again if x.after > meeting.before])
    return [track for track in tracks if len(track.frames)]


def _meetings(
    tracks: list[Track2D],
    limits: CrossingLimits,
    of: Collection[int] | None = None,
) -> list[_Meeting]:
    """List the meetings of tracks, in order; of some places in the list, if given."""
    return sorted(
        _Meeting(*span, first, second)
        for first, second in combinations(range(len(tracks)), 2)
        if of is None or {first, second} & {*of}
        for span in _overlaps(tracks[first], tracks[second], limits.overlap)
    )


def _overlaps(one: Track2D, other: Track2D, limit: float) -> list[tuple[int, int]]:
    """Return frames before and after each overlap of the boxes of two tracks.

    In frames without a box the last one counts.
    """
    if not len(one.frames) or not len(other.frames):
        return []
    start = max(one.frames[0], other.frames[0])
    if start > min(one.frames[-1], other.frames[-1]):
        return []
    frames = np.union1d(one.frames, other.frames)
    frames = frames[frames >= start]
    boxes = [_last_boxes(track, frames) for track in (one, other)]
    edges = np.flatnonzero(np.diff(box_overlap(*boxes) > limit, prepend=0, append=0))
    ends = np.r_[start - 1, frames, frames[-1:] + 1]
    return [(int(ends[low]), int(ends[high + 1])) for low, high in edges.reshape(-1, 2)]


class _Pair:
    """Two people who met, and their looks before, after and in between."""

    def __init__(
        self,
        tracks: tuple[Track2D, Track2D],
        looks: dict[str, np.ndarray],
        meeting: _Meeting,
        span: float,
        limits: CrossingLimits,
    ) -> None:
        self.tracks, self.meeting, self.limits = tracks, meeting, limits
        self._looks = [looks_of(track, looks) for track in tracks]
        self._before = self._average(meeting.before - span, meeting.before)
        self._after = self._average(meeting.after, meeting.after + span)

    def _average(self, first: float, last: float) -> np.ndarray:
        """Return the average looks of both in some frames, (2, 4, B)."""
        near = (
            values[(frames >= first) & (frames <= last)]
            for frames, values in self._looks
        )
        return np.stack([average_looks(looks, self.limits.min_looks) for looks in near])

    def are_exchanged(self) -> bool:
        """Return whether both look like the other one after they met."""
        # rows are people before, columns people after
        distances = look_distances(self._before, self._after)
        columns = np.isfinite(distances).all(0)
        same = np.diag(distances)[columns].sum()
        exchanged = np.diag(distances[::-1])[columns].sum()
        gain = same - exchanged
        is_alike = exchanged < self.limits.max_ratio * same
        return bool(is_alike and gain > self.limits.min_gain * columns.sum())

    def exchange(self) -> tuple[Track2D, Track2D]:
        """Exchange the rest of both tracks."""
        start = self._find_start()
        before = [track.take(track.frames < start) for track in self.tracks]
        after = [track.take(track.frames >= start) for track in self.tracks]
        return join_tracks((before[0], after[1])), join_tracks((before[1], after[0]))

    def _find_start(self) -> int:
        """Find the frame of the exchange.

        It is where one of both is hidden or returns, if it is any of these, agrees with
        the looks while they meet, and moves boxes less than without it.
        """
        frames = np.arange(self.meeting.before + 1, self.meeting.after + 1)
        doubt = np.zeros(len(frames))
        for row, (seen, values) in enumerate(self._looks):
            distances = look_distances(self._before, values)
            wrong = np.nan_to_num(distances[row] - distances[1 - row])
            earlier = seen < frames[:, None]
            inside = (seen > self.meeting.before) & (seen < self.meeting.after)
            doubt += np.where(earlier, wrong, -wrong)[:, inside].sum(1)
        changes, moved = np.zeros(len(frames), bool), np.zeros(len(frames))
        for track, partner in (self.tracks, self.tracks[::-1]):
            was_there, is_there = np.isin([frames - 1, frames], track.frames)
            changes |= was_there != is_there
            now = _last_boxes(track, frames)
            from_own, from_other = (
                np.linalg.norm(now - _last_boxes(x, frames - 1), axis=-1)
                for x in (track, partner)
            )
            moved += np.where(is_there, from_other - from_own, 0)
        possible = np.flatnonzero(changes if changes.any() else np.ones_like(changes))
        best = np.lexsort([moved[possible], doubt[possible].round(2)])[0]
        return int(frames[possible[best]])


def _last_boxes(track: Track2D, frames: np.ndarray) -> np.ndarray:
    """Return a track's last boxes (F, 4) up to each frame, before it the first."""
    rows = np.searchsorted(track.frames, frames, 'right') - 1
    return track.boxes[rows.clip(0)]
