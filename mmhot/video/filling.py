"""2D poses between keyframes: interpolated where predictable, else estimated."""

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np

from mmhot.video.chunks import (
    MAX_STEP,
    Estimate,
    Keyframe,
    are_certain,
    prior_of,
    refine,
    rows_of,
    search_boxes,
    turns_of,
)
from mmhot.video.frames import Frame
from mmhot.video.people import People, Prior, box_size

# Keypoints with a lower confidence need not be predictable.
_MIN_SCORE = 0.3


@dataclass(frozen=True)
class Gaps:
    """Gaps between two poses of a person that are interpolated.

    Attributes:
        tolerance (float): Largest distance of a keypoint in the middle of the gap from
            the mean of those before and after, per size of the person; 0 for no
            interpolation.
        seconds (float): Longest gap.
        frames (int): Most frames from one keyframe to the next, if they are no longer.
    """

    tolerance: float = 0.05
    seconds: float = 0.35
    frames: int = MAX_STEP

    def max_step(self, frames: list[Frame]) -> int:
        """Return the most frames from one keyframe to the next."""
        seconds = (frames[-1].time - frames[0].time) / max(len(frames) - 1, 1)
        return self.frames if self.frames * seconds <= self.seconds else MAX_STEP


def fill_chunk(
    frames: list[Frame],
    keyframes: list[Keyframe],
    estimate: Estimate,
    gaps: Gaps = Gaps(),
) -> list[People]:
    """Find the people of the frames between keyframes, in a few batches.

    People are estimated in the frame between two keyframes. Where their keypoints are
    near the middle of those before and after, the other frames are interpolated;
    otherwise both halves are treated likewise.

    Args:
        frames (list[Frame]): Frames of :func:`~mmhot.video.chunks.track_chunk`.
        keyframes (list[Keyframe]): Its result.
        estimate (Callable): See :data:`~mmhot.video.chunks.Estimate`.
        gaps (Gaps): Gaps that are interpolated.

    Returns:
        list[People]: People of each frame.
    """
    filler = _Filler(frames, keyframes, estimate, gaps)
    while len(filler.gaps) + len(filler.alone):
        filler.halve_gaps()
    return filler.by_frame()


class _Filler:
    """Poses of a chunk, as rows of arrays, and the gaps between them.

    Attributes:
        gaps (np.ndarray): Rows of one person's poses with frames between, (M, 2).
        alone (np.ndarray): Rows, and positions of frames to search in their boxes,
            (N, 2).
    """

    def __init__(
        self,
        frames: list[Frame],
        keyframes: list[Keyframe],
        estimate: Estimate,
        limits: Gaps,
    ) -> None:
        self._frames, self._estimate, self._limits = frames, estimate, limits
        self._size = frames[0].image.shape[1::-1]
        times = [frame.time for frame in frames]
        # the last one is that of the frame before, at -1
        self._times = np.append(times, 2 * times[0] - times[min(1, len(times) - 1)])
        self._people = reduce(People.join, [key.people for key in keyframes])
        counts = [len(key.ids) for key in keyframes]
        self._ids = np.concatenate([key.ids for key in keyframes])
        self._at = np.repeat([key.position for key in keyframes], counts).astype(int)
        gaps, alone = [], []
        ends = np.cumsum([0, *counts])
        for (start, first), (end, last) in pairwise(zip(ends, keyframes, strict=False)):
            known, rows = rows_of(first.ids, last.ids)
            gaps.append(np.stack([start + np.flatnonzero(known), end + rows], 1))
            new = ~np.isin(last.ids, first.ids)
            for row in [
                *(start + np.flatnonzero(~known)),
                *(end + np.flatnonzero(new)),
            ]:
                between = range(max(first.position, -1) + 1, last.position)
                alone += [(row, position) for position in between]
        self.alone = np.array(alone, int).reshape(-1, 2)
        gaps = np.concatenate(gaps)
        self.gaps = self._open(gaps[self._at[gaps[:, 1]] >= 0])

    def _open(self, gaps: np.ndarray) -> np.ndarray:
        """Select gaps with frames between."""
        return gaps[self._at[gaps[:, 1]] - self._at[gaps[:, 0]] > 1]

    def halve_gaps(self) -> None:
        """Estimate the frame in the middle of each gap, and those who are alone."""
        start, end = self.gaps.T
        middle = (self._at[start] + self._at[end]) // 2
        guess = self._between(self.gaps, middle)
        rows, places = self.alone.T
        kept = self._people.take(rows)
        kept.bboxes = search_boxes(kept, self._size)
        # unless they are upright before and after
        confidence = np.maximum(
            *(prior_of(self._people.take(own)).confidence for own in (start, end))
        )
        prior = Prior(confidence, turns_of(guess))
        found = self._estimate_at(
            np.concatenate([middle, places]),
            guess.join(kept),
            prior.join(prior_of(kept)),
        )
        certain = are_certain(found)
        added = len(self._ids) + np.cumsum(certain) - 1
        self._append(
            found.take(certain),
            np.concatenate([self._ids[start], self._ids[rows]])[certain],
            np.concatenate([middle, places])[certain],
        )
        certain, added = certain[: len(start)], added[: len(start)]
        fits = certain & self._fits(guess, found.take(np.arange(len(start))))
        self._interpolate(np.stack([start, added, end], 1)[fits])
        halves = np.stack([start, added, added, end], 1)[certain & ~fits]
        self.alone = self._rest(self.gaps[~certain], middle[~certain])
        self.gaps = self._open(halves.reshape(-1, 2))

    def _between(self, gaps: np.ndarray, positions: np.ndarray) -> People:
        """Interpolate people between two poses, and the boxes to search them in."""
        first, last = (self._people.take(rows) for rows in gaps.T)
        start, end = self._times[self._at[gaps]].T
        share = ((self._times[positions] - start) / (end - start))[:, None]
        boxes = [search_boxes(each, self._size) for each in (first, last)]
        return People(
            (boxes[0] + share * (boxes[1] - boxes[0])).astype(np.float32),
            first.bbox_scores,
            first.keypoints + share[..., None] * (last.keypoints - first.keypoints),
            np.minimum(first.scores, last.scores),
        )

    def _estimate_at(
        self, positions: np.ndarray, people: People, prior: Prior
    ) -> People:
        """Estimate people (M) in their boxes, each in the frame of a position."""
        order = np.argsort(positions, kind='stable')
        numbers, starts = np.unique(positions[order], return_index=True)
        rows = np.split(order, starts[1:])
        frames = [self._frames[number] for number in numbers]
        boxes = [(people.bboxes[own], people.bbox_scores[own]) for own in rows]
        known = [prior.take(own) for own in rows]
        found = self._estimate(frames, boxes, known)
        found = refine(frames, found, known, self._estimate)
        return reduce(People.join, found).take(np.argsort(order))

    def _append(self, people: People, ids: np.ndarray, positions: np.ndarray) -> None:
        self._people = self._people.join(people)
        self._ids = np.concatenate([self._ids, ids])
        self._at = np.concatenate([self._at, positions])

    def _fits(self, guess: People, found: People) -> np.ndarray:
        """Mark people (M,) whose confident keypoints are where they were expected."""
        distance = np.linalg.norm(guess.keypoints - found.keypoints, axis=-1)
        distance = np.where(found.scores >= _MIN_SCORE, distance, 0)
        near = distance.max(1) < self._limits.tolerance * box_size(guess.bboxes)
        start, end = self._times[self._at[self.gaps]].T
        return near & (end - start <= self._limits.seconds)

    def _interpolate(self, rows: np.ndarray) -> None:
        """Add the frames between three poses (N, 3), on the parabola through these."""
        for three in rows:
            first, middle, last = self._at[three]
            places = np.setdiff1d(np.arange(first + 1, last), middle)
            nodes, at = self._times[[first, middle, last]], self._times[places]
            weights = [
                np.prod([(at - x) / (node - x) for x in nodes if x != node], 0)
                for node in nodes
            ]
            own = self._people.take(three)
            weights = np.stack(weights, 1).astype(np.float32)
            near = np.where(places < middle, 0, 2)
            people = People(
                weights @ own.bboxes,
                own.bbox_scores[near],
                np.einsum('nt,tkc->nkc', weights, own.keypoints),
                (own.scores[near] + own.scores[1]) / 2,
            )
            self._append(people, np.full(len(places), self._ids[three[0]]), places)

    def _rest(self, gaps: np.ndarray, middle: np.ndarray) -> np.ndarray:
        """Return what to search where the person is lost in the middle, (N, 2)."""
        rest = [
            (start if place < lost else end, place)
            for (start, end), lost in zip(gaps, middle, strict=True)
            for place in range(self._at[start] + 1, self._at[end])
            if place != lost
        ]
        return np.array(rest, int).reshape(-1, 2)

    def by_frame(self) -> list[People]:
        """Return the people of each frame, by number."""
        order = np.lexsort((self._ids, self._at))
        ends = np.searchsorted(self._at[order], np.arange(len(self._frames) + 1))
        rows = [order[slice(*pair)] for pair in pairwise(ends)]
        return [self._people.take(own) for own in rows]
