"""Re-identification: people who leave and return keep their track ID.

Tracks are merged if their appearance agrees, and no other person's nearly as well.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.geometry.outliers import list_spans
from mmhot.pose2d.footage import Footage, VideoStep
from mmhot.structures.clips_2d import Clip2D, Track2D, join_tracks
from mmhot.tracking.appearance import (
    appearance_of,
    average_looks,
    look_distances,
    looks_of,
)
from mmhot.tracking.track import missing_frames

_MOST_NAMED = 5  # people in a line
_FINDS_MORE = (
    '; {det_model} rtmdet-nano, 4 MB once downloaded, finds more, and whole_image a '
    'person who fills the image'
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
class MergeReturning(VideoStep):
    """Step ``returning``: one track for people who leave and return."""

    name, part, of_people = 'returning', 'track', True

    limits: ReturnLimits = ReturnLimits()

    def __call__(self, clip: Clip2D, footage: Footage) -> Clip2D:
        """Merge the tracks of people who return."""
        looks = appearance_of(footage)
        clip = clip if looks is None else self.merge(clip, looks)
        missing = missing_frames(clip, len(footage.people.people))
        if missing:
            total = len(footage.people.people) - footage.people.first
            listed = [
                f'{track} in {len(frames)} of {total} frames ({list_spans(frames)})'
                for track, frames in missing.items()
            ]
            more = ', ...' if len(listed) > _MOST_NAMED else ''
            hint = _FINDS_MORE if footage.finds_more else ''
            text = (
                '%s: missing inside the image is person %s: occluded there, or lost; '
                '{det_every} 1 detects people in every frame'
            )
            people = ', person '.join(listed[:_MOST_NAMED]) + more
            self.report.say(ArgumentError(text + hint, clip.name, people))
        return clip

    def merge(self, clip: Clip2D, appearance: dict[str, np.ndarray]) -> Clip2D:
        """Merge tracks, which have boxes; number them from 0 by their first frame.

        The appearance has frames, boxes and values, see
        :class:`mmhot.tracking.appearance.AppearanceObserver`. Tracks of different shots
        stay apart.
        """
        limits, tracks = self.limits, clip.tracks
        groups = [[track] for track in tracks]
        looks = [looks_of(track, appearance)[1] for track in tracks]
        starts = [track.frames[0] for track in tracks]
        shots = np.searchsorted(sorted(clip.cuts), starts, 'right')
        apart = _find_apart(tracks, shots)
        least = max(math.ceil(limits.min_seconds * clip.fps), 2)
        while True:
            averages = np.stack([average_looks(x, limits.min_looks) for x in looks])
            distances = look_distances(averages, averages, limits.max_part)
            lengths = [sum(len(track.frames) for track in group) for group in groups]
            short = np.array(lengths) < least  # to be recognized
            never = apart | short[:, None] | short
            pair = self._find_pair(distances, never, shots)
            if pair is None:
                break
            first, second = pair
            groups[first] += groups.pop(second)
            looks[first] = np.concatenate([looks[first], looks.pop(second)])
            apart[first] |= apart[second]
            apart[:, first] = apart[first]
            apart = np.delete(np.delete(apart, second, 0), second, 1)
            shots = np.delete(shots, second)
        merged = [
            join_tracks(sorted(group, key=lambda track: track.frames[0]))
            for group in groups
        ]
        merged.sort(key=lambda track: (track.frames[0], track.track))
        numbered = [replace(track, track=number) for number, track in enumerate(merged)]
        return replace(clip, tracks=numbered)

    def _find_pair(
        self, distances: np.ndarray, apart: np.ndarray, shots: np.ndarray
    ) -> tuple[int, int] | None:
        """Find the two groups that are most alike, and more than any two others."""
        alike = np.nan_to_num(distances, nan=np.inf) < self.limits.max_distance
        pairs = np.argwhere(np.triu(alike & ~apart, 1))
        order = np.argsort(distances[tuple(pairs.T)], kind='stable')
        for first, second in pairs[order]:
            here = shots == shots[first]
            others = np.r_[
                distances[second, apart[first] & here],
                distances[first, apart[second] & here],
            ]
            limit = self.limits.max_ratio * np.nanmin(others, initial=np.inf)
            if distances[first, second] < limit:
                return first, second
        return None


def _find_apart(tracks: list[Track2D], shots: np.ndarray) -> np.ndarray:
    """Return which tracks (N, N) were seen at once, or in different shots."""
    frames = [track.frames for track in tracks]
    begin, end = np.array([[x[0], x[-1]] for x in frames]).T
    apart = shots[:, None] != shots
    overlap = (begin[:, None] <= end) & (begin <= end[:, None]) & ~apart
    for first, second in np.argwhere(np.triu(overlap, 1)):
        apart[first, second] = np.isin(frames[first], frames[second]).any()
    return apart | apart.T
