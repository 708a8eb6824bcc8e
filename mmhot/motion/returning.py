"""Re-identification: people who leave and return keep their track ID.

Tracks are merged where the appearance and the proportions of limbs agree, and those of
no other person agree nearly as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.state import State, Step
from mmhot.structures.clips import Clip2D, Track2D, join_tracks
from mmhot.tracking.appearance import (
    appearance_of,
    average_looks,
    look_distances,
    looks_of,
)

_LIMBS = (
    ('left_hip', 'left_knee'),
    ('right_hip', 'right_knee'),
    ('left_knee', 'left_ankle'),
    ('right_knee', 'right_ankle'),
    ('left_shoulder', 'left_hip'),
    ('right_shoulder', 'right_hip'),
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
    max_proportion: float = 0.3  # difference of limb proportions, logarithm


@dataclass(frozen=True, kw_only=True)
class MergeReturning(Step):
    """Step ``returning``: one track for people who leave and return."""

    name, part = 'returning', 'track'
    of_people, of_keypoints = True, True

    limits: ReturnLimits = ReturnLimits()

    def __call__(self, state: State) -> State:
        """Merge the tracks of people who return."""
        clip, looks = state.clip_2d(), appearance_of(state)
        if looks is None:
            return state
        merged = self.merge(clip, looks, state.cuts or ())
        return replace(state, tracked=merged, keypoints=merged)

    def merge(
        self, clip: Clip2D, appearance: dict[str, np.ndarray], cuts: Sequence[int] = ()
    ) -> Clip2D:
        """Merge tracks, which have boxes; number them from 0 by their first frame.

        The appearance has frames, boxes and values, see
        :class:`mmhot.tracking.appearance.AppearanceObserver`. Tracks of different
        shots, which begin at ``cuts``, stay apart.
        """
        if not clip.tracks:
            return clip
        merger = _Merger(clip, appearance, cuts, self.limits)
        while len(merger.groups) > 1 and merger.merge_best():
            pass
        merged = [
            join_tracks(sorted(group, key=lambda track: track.frames[0]))
            for group in merger.groups
        ]
        merged.sort(key=lambda track: (track.frames[0], track.track))
        numbered = [replace(track, track=number) for number, track in enumerate(merged)]
        return replace(clip, tracks=numbered)


def _proportions(track: Track2D, skeleton: Skeleton) -> np.ndarray:
    """Return the logarithms of the longest limb lengths over their mean, (L,)."""
    lengths = []
    for pair in _LIMBS:
        if not set(pair) <= set(skeleton.joints):
            lengths.append(np.nan)
            continue
        start, end = (track.keypoints[:, skeleton.index(name)] for name in pair)
        height = np.ptp(track.boxes[:, 1::2], axis=1)
        length = np.linalg.norm(start - end, axis=-1) / height.clip(1)
        valid = length[np.isfinite(length) & (length > 0)]
        lengths.append(np.percentile(valid, 80) if len(valid) else np.nan)
    # both sides of a limb are as long
    pairs = np.array(lengths).reshape(-1, 2).mean(1)
    logs = np.log(pairs)
    return logs - logs.mean()


class _Merger:
    """Groups of tracks, and which may be one person."""

    def __init__(
        self,
        clip: Clip2D,
        appearance: dict[str, np.ndarray],
        cuts: Sequence[int],
        limits: ReturnLimits,
    ) -> None:
        tracks, self.limits = clip.tracks, limits
        self.groups = [[track] for track in tracks]
        self._looks = [looks_of(track, appearance)[1] for track in tracks]
        skeleton = get_skeleton(clip.skeleton)
        self._limbs = [_proportions(track, skeleton) for track in tracks]
        starts = [track.frames[0] for track in tracks]
        self._shots = np.searchsorted(sorted(cuts), starts, 'right').tolist()
        self._least = max(math.ceil(limits.min_seconds * clip.fps), 2)
        # of all pairs; rows of a merged group are computed again
        averages = [average_looks(looks, limits.min_looks) for looks in self._looks]
        self._averages = np.stack(averages)
        self._distances = look_distances(
            self._averages, self._averages, limits.max_part
        )
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
        here = np.array(self._shots) == self._shots[first]
        others = np.concatenate(
            [
                self._distances[second, apart[first] & here],
                self._distances[first, apart[second] & here],
            ]
        )
        limit = self.limits.max_ratio * np.nanmin(others, initial=np.inf)
        difference = abs(self._limbs[first] - self._limbs[second])
        is_alike = self._distances[first, second] < limit
        return is_alike and not (difference > self.limits.max_proportion).any()

    def _merge(self, first: int, second: int) -> None:
        """Put the second group into the first, and update what depends on these."""
        self.groups[first] += self.groups.pop(second)
        added = self._looks.pop(second)
        self._looks[first] = np.concatenate([self._looks[first], added])
        self._limbs[first] = np.nanmean(
            [self._limbs[first], self._limbs.pop(second)], 0
        )
        self._shots.pop(second)
        self._averages[first] = average_looks(self._looks[first], self.limits.min_looks)
        self._apart[first] |= self._apart[second]
        self._apart[:, first] = self._apart[first]
        for name in ('_averages', '_apart', '_distances'):
            setattr(self, name, np.delete(getattr(self, name), second, 0))
        self._apart = np.delete(self._apart, second, 1)
        self._distances = np.delete(self._distances, second, 1)
        average, limit = self._averages[first : first + 1], self.limits.max_part
        distances = look_distances(average, self._averages, limit)[0]
        self._distances[first] = self._distances[:, first] = distances

    def _find_apart(self) -> np.ndarray:
        """Return which tracks (N, N) were seen at once, or in different shots."""
        frames = [track.frames for (track,) in self.groups]
        begin, end = (np.array([own[place] for own in frames]) for place in (0, -1))
        shots = np.array(self._shots)
        apart = shots[:, None] != shots
        overlap = (begin[:, None] <= end) & (begin <= end[:, None]) & ~apart
        for first, second in np.argwhere(np.triu(overlap, 1)):
            together = np.intersect1d(frames[first], frames[second]).size > 0
            apart[first, second] = apart[second, first] = together
        return apart
