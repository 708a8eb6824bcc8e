"""Re-identification: people who leave and return keep their track ID.

Tracks are merged where their appearance agrees, and that of no other person agrees
nearly as well.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from mmhot.pose2d.footage import Footage
from mmhot.step import KeypointStep
from mmhot.structures.clips_2d import Clip2D, join_tracks
from mmhot.tracking.appearance import (
    appearance_of,
    average_looks,
    look_distances,
    looks_of,
)


@dataclass(frozen=True)
class ReturnLimits:
    """Limits of tracks that are merged; ``docs/tracking.md`` has the video of choice.

    Distances are Bhattacharyya's, 0 to 1. Larger least values (``min_``) merge fewer
    tracks; larger greatest values (``max_``) merge more, also those of two people.
    """

    min_looks: int = 4  # at a body part
    min_seconds: float = 0.5  # frames of a track
    max_distance: float = 0.16  # of one person's tracks, mean over body parts
    max_part: float = 0.3  # of one body part
    max_ratio: float = 0.6  # of the distance to that from other people


@dataclass(frozen=True, kw_only=True)
class MergeReturning(KeypointStep[Footage]):
    """Step ``returning``: one track for people who leave and return."""

    name, part, of_people = 'returning', 'track', True

    limits: ReturnLimits = ReturnLimits()

    def __call__(self, clip: Clip2D, footage: Footage) -> Clip2D:
        """Merge the tracks of people who return."""
        looks = appearance_of(footage)
        return clip if looks is None else self.merge(clip, looks)

    def merge(self, clip: Clip2D, appearance: dict[str, np.ndarray]) -> Clip2D:
        """Merge tracks, which have boxes; number them from 0 by their first frame.

        The appearance has frames, boxes and values, see
        :class:`mmhot.tracking.appearance.AppearanceObserver`. Tracks of different shots
        stay apart.
        """
        merger = _Merger(clip, appearance, self.limits)
        while merger.merge_best():
            pass
        merged = [
            join_tracks(sorted(group, key=lambda track: track.frames[0]))
            for group in merger.groups
            if group
        ]
        merged.sort(key=lambda track: (track.frames[0], track.track))
        numbered = [replace(track, track=number) for number, track in enumerate(merged)]
        return replace(clip, tracks=numbered)


class _Merger:
    """Groups of tracks, and which may be one person.

    A group that was put into another one is empty, and its appearance unknown.
    """

    def __init__(
        self, clip: Clip2D, appearance: dict[str, np.ndarray], limits: ReturnLimits
    ) -> None:
        tracks, self.limits = clip.tracks, limits
        self.groups = [[track] for track in tracks]
        self._looks = [looks_of(track, appearance)[1] for track in tracks]
        starts = [track.frames[0] for track in tracks]
        self._shots = np.searchsorted(sorted(clip.cuts), starts, 'right')
        self._least = max(math.ceil(limits.min_seconds * clip.fps), 2)
        averages = [average_looks(looks, limits.min_looks) for looks in self._looks]
        self._averages = np.stack(averages)
        self._distances = self._distances_of([*range(len(tracks))])
        self._apart = self._find_apart()

    def merge_best(self) -> bool:
        """Merge the two groups that are most alike; False if none may be merged."""
        distances = np.nan_to_num(self._distances, nan=np.inf)
        alike = distances < self.limits.max_distance
        lengths = [sum(len(track.frames) for track in group) for group in self.groups]
        short = np.array(lengths) < self._least  # to be recognized
        apart = self._apart | short[:, None] | short
        pairs = np.argwhere(np.triu(alike & ~apart, 1))
        order = np.argsort(self._distances[tuple(pairs.T)], kind='stable')
        for first, second in pairs[order]:
            if self._are_one(first, second, apart):
                self._merge(first, second)
                return True
        return False

    def _are_one(self, first: int, second: int, apart: np.ndarray) -> bool:
        """Return whether groups are more alike than any who are others for certain."""
        here = self._shots == self._shots[first]
        others = np.concatenate(
            [
                self._distances[second, apart[first] & here],
                self._distances[first, apart[second] & here],
            ]
        )
        limit = self.limits.max_ratio * np.nanmin(others, initial=np.inf)
        return bool(self._distances[first, second] < limit)

    def _merge(self, first: int, second: int) -> None:
        """Put the second group into the first, and update what depends on these."""
        self.groups[first] += self.groups[second]
        self.groups[second] = []
        looks = np.concatenate([self._looks[first], self._looks[second]])
        self._looks[first] = looks
        self._averages[first] = average_looks(looks, self.limits.min_looks)
        self._averages[second] = np.nan
        self._apart[first] |= self._apart[second]
        self._apart[:, first] = self._apart[first]
        distances = self._distances_of([first, second])
        self._distances[[first, second]] = distances
        self._distances[:, [first, second]] = distances.T

    def _distances_of(self, rows: list[int]) -> np.ndarray:
        """Return the distances of groups from all, (R, N)."""
        averages = self._averages
        return look_distances(averages[rows], averages, self.limits.max_part)

    def _find_apart(self) -> np.ndarray:
        """Return which tracks (N, N) were seen at once, or in different shots."""
        frames = [track.frames for (track,) in self.groups]
        begin, end = np.array([[x[0], x[-1]] for x in frames]).T
        apart = self._shots[:, None] != self._shots
        overlap = (begin[:, None] <= end) & (begin <= end[:, None]) & ~apart
        for first, second in np.argwhere(np.triu(overlap, 1)):
            apart[first, second] = np.isin(frames[first], frames[second]).any()
        return apart | apart.T
