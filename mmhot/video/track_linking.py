"""Joins pieces of tracks of people who were out of sight for a while."""

import heapq

import numpy as np

from mmhot.clips import Track2D
from mmhot.video.pose_similarity import box_size

# Seconds at an end by which the way that it goes is judged, and of which there must be
# so many to judge.
_SPAN, _LEAST = 0.5, 0.2
# How far apart two ways may be, in sizes of the person: at once, and more per second
# out of sight, in which people turn and stop.
_MISS, _MISS_PER_SECOND = 0.3, 0.4
# How much larger one may be than the other.
_GROWTH = 1.5


def join_pieces(pieces: list[Track2D], fps: float, max_gap: float) -> list[Track2D]:
    """Join pieces of which one goes on where the other ended, the best fit first.

    Args:
        pieces (list[Track2D]): With boxes.
        fps (float): Frames per second.
        max_gap (float): Seconds that may lie between them.

    Returns:
        list[Track2D]: Those joined have the number of their first piece.
    """
    joined = _Pieces(list(pieces), fps, max_gap)
    for piece in range(len(pieces)):
        joined.compare_with_later(piece)
    joined.join()
    return joined.left()


class _Pieces:
    """Pieces, and how well those fit that may be joined: few of all pairs."""

    def __init__(self, pieces: list[Track2D], fps: float, max_gap: float) -> None:
        self._pieces, self._fps = pieces, fps
        self._longest = max_gap * fps
        # of pieces that were joined to others: after and before all time
        self._starts = np.array([x.frames[0] for x in pieces], np.float64)
        self._ends = np.array([x.frames[-1] for x in pieces], np.float64)
        self._changes = [0] * len(pieces)
        self._fits: list[tuple[float, int, int, list[int]]] = []

    def join(self) -> None:
        """Join what fits best as long as anything fits."""
        while self._fits:
            _, first, second, known = heapq.heappop(self._fits)
            if known != [self._changes[first], self._changes[second]]:
                continue  # one of them is another by now, or gone
            self._append(first, second)
            self.compare_with_later(first)
            for earlier in self._within_reach(self._starts[first] - self._ends):
                self._compare(earlier, first)

    def compare_with_later(self, piece: int) -> None:
        """Note how well a piece fits to those that begin when it ends."""
        for later in self._within_reach(self._starts - self._ends[piece]):
            self._compare(piece, later)

    def left(self) -> list[Track2D]:
        """Those that were not joined to another one."""
        return [self._pieces[n] for n in np.flatnonzero(np.isfinite(self._ends))]

    def _within_reach(self, gaps: np.ndarray) -> list[int]:
        return np.flatnonzero((gaps > 0) & (gaps <= self._longest)).tolist()

    def _compare(self, first: int, second: int) -> None:
        before, after = self._pieces[first], self._pieces[second]
        if min(len(before.frames), len(after.frames)) < _LEAST * self._fps:
            return
        misfit = _misfit(before, after, self._fps)
        if misfit < 1:
            known = [self._changes[first], self._changes[second]]
            heapq.heappush(self._fits, (misfit, first, second, known))

    def _append(self, first: int, second: int) -> None:
        pair = self._pieces[first], self._pieces[second]
        self._pieces[first] = _concatenate(*pair)
        self._changes[first] += 1
        self._changes[second] += 1
        self._ends[first] = self._ends[second]
        self._starts[second], self._ends[second] = np.inf, -np.inf


def _misfit(before: Track2D, after: Track2D, fps: float) -> float:
    """How badly two pieces fit together; 1 and more is too badly."""
    ends = slice(None, None, -1), slice(None)
    (frame, center, speed, size), (back_frame, back_center, back_speed, back_size) = (
        _way(track, end, fps) for track, end in zip((before, after), ends, strict=True)
    )
    if max(size, back_size) > _GROWTH * min(size, back_size):
        return np.inf
    gap = back_frame - frame
    # on halfway, from either side
    ahead = center + gap / 2 * speed
    back = back_center - gap / 2 * back_speed
    allowed = (_MISS + _MISS_PER_SECOND * gap / fps) * (size + back_size) / 2
    return float(np.linalg.norm(ahead - back) / allowed)


def _way(
    track: Track2D, from_end: slice, fps: float
) -> tuple[int, np.ndarray, np.ndarray, float]:
    """Frame, center (2,), pixels per frame (2,) and size at an end of a track."""
    frames, boxes = track.frames[from_end], track.bboxes[from_end]
    near = abs(frames - frames[0]) <= max(1, _SPAN * fps)
    frames, boxes = frames[near], boxes[near].astype(np.float64)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = float(box_size(boxes).mean())
    if len(frames) < 3:
        return int(frames[0]), centers[0], np.zeros(2), size
    speed, _ = np.polyfit(frames - frames[0], centers, 1)
    return int(frames[0]), centers[0], speed, size


def _concatenate(before: Track2D, after: Track2D) -> Track2D:
    names = ('frames', 'keypoints', 'scores', 'bboxes')
    return Track2D(
        before.track,
        *(
            np.concatenate([getattr(x, name) for x in (before, after)])
            for name in names
        ),
    )
