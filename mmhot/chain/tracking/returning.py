"""Re-identification: people who leave and return keep their track ID.

Two tracks are merged if they look alike, and no other person looks nearly as similar.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from mmhot.chain.pose2d.footage import Footage, VideoStep
from mmhot.chain.tracking.appearance import (
    appearance_of,
    average_looks,
    look_distances,
    looks_of,
)
from mmhot.chain.tracking.clip_tracks import number_tracks
from mmhot.structures.clips_2d import Clip2D, Track2D, join_tracks


@dataclass(frozen=True)
class ReturnLimits:
    """Limits of tracks that are merged.

    ``docs/tracking.md`` names the video on which they were chosen. Distances are
    Bhattacharyya distances of 0 to 1. In nine other videos, results stay from .5 to 2
    of the maximums and from 0 to 1 of the minimums, but not at .5 of ``max_ratio``; at
    2 of a minimum, a person who returns gets a second track.
    """

    min_looks: int = 4  # views of a body part; with fewer, it is not compared
    min_seconds: float = 0.5  # seconds of detections; a shorter track is never merged
    # Distance of two tracks, mean over body parts; tracks that differ more stay apart.
    max_distance: float = 0.16
    # Distance of one body part; two tracks that differ more in any part stay apart.
    max_part: float = 0.3
    # Distance of two tracks, relative to the least distance from people who were seen
    # at the same time as either; tracks with a larger ratio are ambiguous, and stay
    # apart.
    max_ratio: float = 0.6


@dataclass(frozen=True, kw_only=True)
class MergeReturning(VideoStep):
    """Step ``returning``: merge the tracks of people who leave and return."""

    name = 'returning'
    part = 'track'
    of_people = True

    limits: ReturnLimits = ReturnLimits()

    def __call__(self, clip: Clip2D, footage: Footage) -> Clip2D:
        """Merge the tracks of people who return."""
        looks = appearance_of(footage)
        return clip if looks is None else self.merge(clip, looks)

    def merge(self, clip: Clip2D, appearance: dict[str, np.ndarray]) -> Clip2D:
        """Merge tracks that look alike, the most similar ones first.

        Tracks that were seen in the same frame, or in different shots, stay apart.

        Args:
            clip (Clip2D): Tracks with boxes.
            appearance (dict[str, np.ndarray]): Descriptions of people, see
                :meth:`mmhot.chain.tracking.appearance.AppearanceObserver.arrays`.

        Returns:
            Clip2D: The clip with merged tracks, numbered from 0 by their first frame.
        """
        groups = [[track] for track in clip.tracks]
        looks = [looks_of(track, appearance)[1] for track in clip.tracks]
        starts = [track.frames[0] for track in clip.tracks]
        shots = np.searchsorted(sorted(clip.cuts), starts, 'right')
        apart = _find_apart(clip.tracks, shots)
        least = max(math.ceil(self.limits.min_seconds * clip.fps), 2)
        averages = np.stack([average_looks(x, self.limits.min_looks) for x in looks])
        distances = look_distances(averages, averages, self.limits.max_part)
        while True:
            lengths = [sum(len(track.frames) for track in group) for group in groups]
            short = np.array(lengths) < least  # too short to be recognized
            never = apart | short[:, None] | short
            pair = self._find_pair(distances, never, shots)
            if pair is None:
                break
            # The second group stays in its row, without tracks and appearance.
            first, second = pair
            groups[first] += groups[second]
            groups[second] = []
            looks[first] = np.concatenate([looks[first], looks[second]])
            looks[second] = looks[second][:0]
            for row in pair:  # the distances between other groups stay
                averages[row] = average_looks(looks[row], self.limits.min_looks)
                near = look_distances(averages[[row]], averages, self.limits.max_part)
                distances[row] = distances[:, row] = near[0]
            apart[first] |= apart[second]
            apart[:, first] = apart[first]
        merged = [join_tracks(group) for group in groups if group]
        return replace(clip, tracks=number_tracks(merged))

    def _find_pair(
        self, distances: np.ndarray, apart: np.ndarray, shots: np.ndarray
    ) -> tuple[int, int] | None:
        """Find the two most similar groups of tracks that clearly are one person.

        Args:
            distances (np.ndarray): Appearance distances of the groups, (N, N).
            apart (np.ndarray): Pairs that must not be merged, (N, N) bool.
            shots (np.ndarray): Shot of each group, (N,).

        Returns:
            tuple[int, int] | None: Rows of the groups, or None if no pair is clear.
        """
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
    """Find pairs of tracks that have a common frame, or are in different shots.

    Returns (N, N) bool; ``shots`` (N,) is the shot of each track.
    """
    frames = [track.frames for track in tracks]
    begin, end = np.array([x[[0, -1]] for x in frames]).T
    apart = shots[:, None] != shots
    # Only tracks that overlap in time can have a common frame.
    overlap = (begin[:, None] <= end) & (begin <= end[:, None]) & ~apart
    for first, second in np.argwhere(np.triu(overlap, 1)):
        apart[first, second] = np.isin(frames[first], frames[second]).any()
    return apart | apart.T
