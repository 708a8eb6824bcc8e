"""Linking of tracklets on both sides of an occlusion, the best fit first."""

import heapq

import numpy as np

from mmhot.clips import Track2D
from mmhot.video.people import box_size

# Seconds at an end from which its motion is estimated, and least length of a tracklet.
_SPAN, _MIN_LENGTH = 0.5, 0.2
# Largest distance of two extrapolations, in sizes of the person, and its growth per
# second of occlusion.
_MAX_DISTANCE, _DISTANCE_PER_SECOND = 0.3, 0.4
_MAX_SIZE_RATIO = 1.5


def link_tracklets(
    tracklets: list[Track2D], fps: float, max_gap: float
) -> list[Track2D]:
    """Link tracklets where one continues another, the best fit first.

    Args:
        tracklets (list[Track2D]): With boxes.
        fps (float): Frames per second.
        max_gap (float): Longest occlusion in seconds.

    Returns:
        list[Track2D]: Linked tracks have the number of their first tracklet.
    """
    linker = _TrackletLinker(list(tracklets), fps, max_gap)
    for index in range(len(tracklets)):
        linker.compare_with_later(index)
    linker.link()
    return linker.remaining()


class _TrackletLinker:
    """Tracklets, and a heap of the misfits of those that may be linked."""

    def __init__(self, tracklets: list[Track2D], fps: float, max_gap: float) -> None:
        self._tracklets, self._fps = tracklets, fps
        self._max_gap = max_gap * fps
        # infinite for tracklets that were linked to an earlier one
        self._starts = np.array([x.frames[0] for x in tracklets], np.float64)
        self._ends = np.array([x.frames[-1] for x in tracklets], np.float64)
        self._versions = [0] * len(tracklets)
        self._misfits: list[tuple[float, int, int, list[int]]] = []

    def link(self) -> None:
        """Link the best fit as long as there is one."""
        while self._misfits:
            _, first, second, versions = heapq.heappop(self._misfits)
            if versions != [self._versions[first], self._versions[second]]:
                continue  # one of them was linked since
            self._append(first, second)
            self.compare_with_later(first)
            for earlier in self._within_gap(self._starts[first] - self._ends):
                self._compare(earlier, first)

    def compare_with_later(self, index: int) -> None:
        """Compare a tracklet with those that begin soon after its end."""
        for later in self._within_gap(self._starts - self._ends[index]):
            self._compare(index, later)

    def remaining(self) -> list[Track2D]:
        """Return the tracklets that were not linked to an earlier one."""
        return [self._tracklets[n] for n in np.flatnonzero(np.isfinite(self._ends))]

    def _within_gap(self, gaps: np.ndarray) -> list[int]:
        return np.flatnonzero((gaps > 0) & (gaps <= self._max_gap)).tolist()

    def _compare(self, first: int, second: int) -> None:
        before, after = self._tracklets[first], self._tracklets[second]
        if min(len(before.frames), len(after.frames)) < _MIN_LENGTH * self._fps:
            return
        misfit = _misfit(before, after, self._fps)
        if misfit < 1:
            versions = [self._versions[first], self._versions[second]]
            heapq.heappush(self._misfits, (misfit, first, second, versions))

    def _append(self, first: int, second: int) -> None:
        self._tracklets[first] = _concatenate(
            self._tracklets[first], self._tracklets[second]
        )
        self._versions[first] += 1
        self._versions[second] += 1
        self._ends[first] = self._ends[second]
        self._starts[second], self._ends[second] = np.inf, -np.inf


def _misfit(before: Track2D, after: Track2D, fps: float) -> float:
    """Return the distance of both extrapolations; 1 is the largest allowed."""
    end, center, speed, size = _motion(before, slice(None, None, -1), fps)
    start, next_center, next_speed, next_size = _motion(after, slice(None), fps)
    if max(size, next_size) > _MAX_SIZE_RATIO * min(size, next_size):
        return np.inf
    gap = start - end
    # extrapolated to the middle of the gap
    ahead = center + gap / 2 * speed
    back = next_center - gap / 2 * next_speed
    allowed = _MAX_DISTANCE + _DISTANCE_PER_SECOND * gap / fps
    return float(np.linalg.norm(ahead - back) / (allowed * (size + next_size) / 2))


def _motion(
    track: Track2D, order: slice, fps: float
) -> tuple[int, np.ndarray, np.ndarray, float]:
    """Return frame, center (2,), pixels per frame (2,) and size at an end."""
    frames, boxes = track.frames[order], track.bboxes[order]
    near = abs(frames - frames[0]) <= max(1, _SPAN * fps)
    frames, boxes = frames[near], boxes[near].astype(np.float64)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = float(box_size(boxes).mean())
    if len(frames) < 3:
        return int(frames[0]), centers[0], np.zeros(2), size
    speed, _ = np.polyfit(frames - frames[0], centers, 1)
    return int(frames[0]), centers[0], speed, size


def _concatenate(before: Track2D, after: Track2D) -> Track2D:
    return Track2D(
        before.track,
        np.concatenate([before.frames, after.frames]),
        np.concatenate([before.keypoints, after.keypoints]),
        np.concatenate([before.scores, after.scores]),
        np.concatenate([before.bboxes, after.bboxes]),
    )
