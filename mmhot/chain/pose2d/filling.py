"""2D poses between keyframes: interpolated where predictable, else estimated."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mmhot.chain.pose2d.chunks import Keyframe, KeyframeSettings
from mmhot.chain.pose2d.interfaces import Prior
from mmhot.chain.pose2d.pose_search import PoseSearch
from mmhot.structures.people import People, box_size


@dataclass(frozen=True)
class Gaps:
    """Gaps between two poses of a person that are interpolated."""

    # Largest distance of a keypoint in the middle of the gap from the mean of its
    # positions before and after, as a share of the person's size; 0 estimates all
    # frames in one batch. 0 to 10 of it change .2 % of the joints of seven videos.
    tolerance: float = 0.05
    # Seconds; longest gap that is interpolated. 0 to 1 of it change .2 % of the joints,
    # more is equal.
    seconds: float = 0.35
    # Frames from one keyframe to the next, at most, if they take at most `seconds`.
    frames: int = KeyframeSettings.max_step

    def max_step(self, times: Sequence[float]) -> int:
        """Return the most frames between keyframes, given frame times in seconds."""
        step = (times[-1] - times[0]) / max(len(times) - 1, 1)
        is_near = self.frames * step <= self.seconds
        return self.frames if is_near else KeyframeSettings.max_step


def fill_chunk(
    times: Sequence[float],
    keyframes: list[Keyframe],
    search: PoseSearch,
    gaps: Gaps = Gaps(),
) -> list[People]:
    """Find the people of the frames between keyframes, in a few batches.

    People are estimated in the middle frame between two keyframes. If their keypoints
    are near the mean of the keypoints at both ends, the other frames are interpolated.
    Otherwise, or if only one end is known, both halves are filled in the same way. With
    a tolerance of 0, all frames are estimated in one batch, as GPUs prefer.

    Args:
        times (Sequence[float]): Times of the chunk's frames in seconds.
        keyframes (list[Keyframe]): People of some frames, the last one included.
        search (PoseSearch): Search of people in the frames of the chunk.
        gaps (Gaps): Limits for gaps that are interpolated.

    Returns:
        list[People]: People of each frame of the chunk.
    """
    paths = _Paths(times, keyframes, search, gaps)
    spans = np.array(
        [
            (person, max(first.position, -1), last.position)
            for first, last in pairwise(keyframes)
            for person in np.union1d(first.ids, last.ids).tolist()
        ],
        int,
    ).reshape(-1, 3)
    if gaps.tolerance:
        paths.fill(spans)
    else:
        paths.estimate_all(spans)
    return [paths.people_at(place) for place in range(len(times))]


class _Paths:
    """Poses of people by ID and place in a chunk; place -1 is the frame before it.

    Each row of ``spans`` (S, 3) is a gap: ID of the person, and the places of the
    frames before and after the gap.
    """

    def __init__(
        self,
        times: Sequence[float],
        keyframes: list[Keyframe],
        search: PoseSearch,
        limits: Gaps,
    ) -> None:
        self._search = search
        self._limits = limits
        step = times[min(1, len(times) - 1)] - times[0]
        self._times = np.array([times[0] - step, *times])
        self._count = 1 + max(int(key.ids.max(initial=-1)) for key in keyframes)
        num_rows = self._count * len(self._times)
        self._known = np.zeros(num_rows, bool)
        columns = vars(keyframes[-1].people).values()
        self._poses = People(
            *(np.zeros((num_rows, *x.shape[1:]), np.float32) for x in columns)
        )
        for key in keyframes:
            if key.position >= -1:
                self._put(self._rows(key.ids, key.position), key.people)

    def _rows(self, person: np.ndarray, place: int | np.ndarray) -> np.ndarray:
        """Return the rows (S,) of the poses of people (S,) at places (S,)."""
        return person * len(self._times) + place + 1

    def _put(self, rows: np.ndarray, people: People) -> None:
        """Store the poses of people in rows (S,)."""
        self._known[rows] = True
        for values, new in zip(
            vars(self._poses).values(), vars(people).values(), strict=True
        ):
            values[rows] = new

    def people_at(self, place: int) -> People:
        """Return the people of a frame."""
        rows = self._rows(np.arange(self._count), place)
        return self._poses.take(rows[self._known[rows]])

    def estimate_all(self, spans: np.ndarray) -> None:
        """Estimate all frames inside spans (S, 3) in one batch."""
        spans = self._select_open(spans)
        places = [np.arange(first + 1, last) for _, first, last in spans.tolist()]
        if places:
            steps = spans[:, 2] - spans[:, 1] - 1
            self._estimate(np.repeat(spans, steps, 0), np.concatenate(places))

    def fill(self, spans: np.ndarray) -> None:
        """Estimate the middles of spans (S, 3); interpolate or halve the spans."""
        while len(spans := self._select_open(spans)):
            middle = spans[:, 1:].sum(1) // 2
            fits = self._estimate(spans, middle)
            for person, first, last in spans[fits].tolist():
                self._interpolate(person, first, last)
            person, first, last = spans[~fits].T
            middle = middle[~fits]
            halves = (person, first, middle), (person, middle, last)
            spans = np.concatenate([np.stack(half, 1) for half in halves])

    def _select_open(self, spans: np.ndarray) -> np.ndarray:
        """Select spans (S, 3) with frames inside and a known pose at an end or both."""
        person, first, last = spans.T
        is_known = self._known[self._rows(person, first)]
        is_known |= self._known[self._rows(person, last)]
        return spans[is_known & (last - first > 1)]

    def _estimate(self, spans: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Estimate the people of spans (S, 3) at one place (S,) in each span.

        Returns:
            np.ndarray: Mask (S,) of spans that can be interpolated: both ends are
            known, the span is short, and the keypoints are where they were expected.
        """
        search = self._search
        person, first, last = spans.T
        ends = np.stack([self._rows(person, first), self._rows(person, last)])
        is_known = self._known[ends]
        # An unknown end is assumed to be equal to the known one.
        before, after = map(self._poses.take, np.where(is_known, ends, ends[::-1]))
        start, now, end = (self._times[x + 1] for x in (first, places, last))
        share = ((now - start) / (end - start)).astype(np.float32)[:, None]
        boxes = search.boxes_of(before)
        moved = after.keypoints - before.keypoints
        guess = People(
            boxes + share * (search.boxes_of(after) - boxes),
            before.bbox_scores,
            before.keypoints + share[..., None] * moved,
            np.minimum(before.scores, after.scores),
        )
        # The prior confidence is -inf only if the person is upright at all known ends.
        confidence = np.maximum(
            search.prior_of(before).confidence, search.prior_of(after).confidence
        )
        prior = Prior(confidence, search.turns_of(guess))
        people = search.find(places, (guess.bboxes, guess.bbox_scores), prior)
        people = search.find_arms(places, people, guess)
        certain = search.are_certain(people)
        self._put(self._rows(person, places)[certain], people.take(certain))
        distance = np.linalg.norm(guess.keypoints - people.keypoints, axis=-1)
        near = distance.max(1) < self._limits.tolerance * box_size(guess.bboxes)
        near &= end - start <= self._limits.seconds
        return certain & is_known.all(0) & near

    def _interpolate(self, person: int, first: int, last: int) -> None:
        """Add the other frames, on the parabola through the ends and the middle.

        ``first`` and ``last`` are the places of the ends.
        """
        nodes = np.array([first, (first + last) // 2, last])
        places = np.setdiff1d(np.arange(first + 1, last), nodes)
        times = self._times[nodes + 1]
        now = self._times[places + 1, None]
        # Weights of Lagrange's interpolation, (N, 3)
        weights = np.empty((len(places), 3), np.float32)
        for node in range(3):
            others = np.delete(times, node)
            weights[:, node] = ((now - others) / (times[node] - others)).prod(1)
        poses = self._poses.take(self._rows(np.array(person), nodes))
        near = np.where(places < nodes[1], 0, 2)
        people = People(
            (weights[..., None] * poses.bboxes).sum(1),
            poses.bbox_scores[near],
            (weights[..., None, None] * poses.keypoints).sum(1),
            (poses.scores[near] + poses.scores[1]) / 2,
        )
        self._put(self._rows(np.array(person), places), people)
