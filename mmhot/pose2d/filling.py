"""2D poses between keyframes: interpolated where predictable, else estimated."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mmhot.frames.sources import Frame
from mmhot.pose2d.chunks import Keyframe, KeyframeSettings, PoseSearch
from mmhot.pose2d.interfaces import Prior
from mmhot.structures.people import People, box_size


@dataclass(frozen=True)
class Gaps:
    """Gaps between two poses of a person that are interpolated."""

    # largest distance of a keypoint in the middle of the gap from the mean of those
    # before and after, per size of the person; 0 to estimate all frames, at once
    tolerance: float = 0.05
    seconds: float = 0.35  # longest gap
    # most frames from one keyframe to the next, if they are no longer
    frames: int = KeyframeSettings.max_step
    min_score: float = 0.3  # least confidence of keypoints that must be predictable

    def max_step(self, frames: list[Frame]) -> int:
        """Return the most frames from one keyframe to the next."""
        seconds = (frames[-1].time - frames[0].time) / max(len(frames) - 1, 1)
        is_near = self.frames * seconds <= self.seconds
        return self.frames if is_near else KeyframeSettings.max_step


def fill_chunk(
    frames: list[Frame],
    keyframes: list[Keyframe],
    search: PoseSearch,
    gaps: Gaps = Gaps(),
) -> list[People]:
    """Find the people of the frames between keyframes, in a few batches.

    People are estimated in the frame between two keyframes. Where their keypoints are
    near the middle of those before and after, the other frames are interpolated;
    otherwise both halves are treated likewise, as where only one end is known. Without
    a tolerance all frames are estimated in one batch, as GPUs prefer.

    Frames and keyframes are those of :func:`~mmhot.pose2d.chunks.track_chunk`.
    """
    filler = _Filler(frames, search, gaps)
    for key in keyframes:
        for row, number in enumerate(key.ids.tolist()):
            filler.poses[number][key.position] = key.people.take(np.array([row]))
    open_gaps = [
        _Gap(number, max(first.position, -1), last.position)
        for first, last in pairwise(keyframes)
        for number in np.union1d(first.ids, last.ids).tolist()
    ]
    if not gaps.tolerance:
        open_gaps = filler.without_known(open_gaps)
        places = [(gap, p) for gap in open_gaps for p in range(gap.first + 1, gap.last)]
        filler.estimate(places)
        open_gaps = []
    while open_gaps := filler.without_known(open_gaps):
        open_gaps = filler.halve(open_gaps)
    people = [poses for _, poses in sorted(filler.poses.items())]
    empty = keyframes[0].people.take(np.zeros(0, int))
    return [
        empty.join(*(poses[place] for poses in people if place in poses))
        for place in range(len(frames))
    ]


class _Gap(NamedTuple):
    """The frames between two positions, one person's number."""

    number: int
    first: int
    last: int

    @property
    def middle(self) -> int:
        return (self.first + self.last) // 2


class _Filler:
    """Poses of people by number and position in a chunk, each a single person."""

    def __init__(self, frames: list[Frame], search: PoseSearch, limits: Gaps) -> None:
        self.poses: dict[int, dict[int, People]] = defaultdict(dict)
        self._frames, self._search, self._limits = frames, search, limits
        times = [frame.time for frame in frames]
        # the last one is that of the frame before, at -1
        self._times = np.append(times, 2 * times[0] - times[min(1, len(times) - 1)])

    def without_known(self, gaps: list[_Gap]) -> list[_Gap]:
        """Select gaps with frames between, of which an end is known."""
        return [x for x in gaps if x.last - x.first > 1 and self._ends(x)]

    def halve(self, gaps: list[_Gap]) -> list[_Gap]:
        """Estimate the middle of each gap; returns the halves that are left."""
        halves = []
        middles = [(gap, gap.middle) for gap in gaps]
        for gap, (guess, pose) in zip(gaps, self.estimate(middles), strict=True):
            if self._search.are_certain(pose)[0] and self._fits(gap, guess, pose):
                self._interpolate(gap)
            else:
                halves += [
                    gap._replace(last=gap.middle),
                    gap._replace(first=gap.middle),
                ]
        return halves

    def estimate(self, places: list[tuple[_Gap, int]]) -> list[tuple[People, People]]:
        """Estimate people at places in gaps; returns what was guessed and found."""
        if not places:
            return []
        guesses, rows_at, search = [], defaultdict(list), self._search
        ends = {gap: self._ends(gap) for gap, _ in places}
        around = {
            gap: [search.boxes_of(pose) for pose in poses]
            for gap, poses in ends.items()
        }
        # unless they are upright at all known ends
        confidence = {
            gap: max(search.prior_of(pose).confidence[0] for pose in poses)
            for gap, poses in ends.items()
        }
        for row, (gap, place) in enumerate(places):
            guesses.append(self._between(gap, place, ends[gap], around[gap]))
            rows_at[place].append(row)
        expected, boxes, priors = [], [], []
        for rows in rows_at.values():
            people = People.join(*(guesses[row] for row in rows))
            expected.append(people)
            boxes.append((people.bboxes, people.bbox_scores))
            confidences = np.array([confidence[places[row][0]] for row in rows])
            priors.append(Prior(confidences, search.turns_of(people)))
        frames = [self._frames[position] for position in rows_at]
        estimated = search.find(frames, boxes, priors)
        search.find_arms(frames, estimated, expected)
        people = People.join(*estimated)
        order = np.argsort(np.concatenate(list(rows_at.values())))
        poses = [people.take(order[[place]]) for place in range(len(order))]
        certain = search.are_certain(people)
        for (gap, place), pose, row in zip(places, poses, order, strict=True):
            if certain[row]:
                self.poses[gap.number][place] = pose
        return list(zip(guesses, poses, strict=True))

    def _ends(self, gap: _Gap) -> list[People]:
        """Return the known poses at the ends of a gap, one or two."""
        poses = self.poses[gap.number]
        return [poses[end] for end in (gap.first, gap.last) if end in poses]

    def _between(
        self, gap: _Gap, place: int, ends: list[People], boxes: list[np.ndarray]
    ) -> People:
        """Interpolate a pose at a place in a gap, in the box to search it in."""
        first, last = ends[0], ends[-1]
        start, now, end = self._times[[gap.first, place, gap.last]]
        share = np.float32((now - start) / (end - start))
        return People(
            boxes[0] + share * (boxes[-1] - boxes[0]),
            first.bbox_scores,
            first.keypoints + share * (last.keypoints - first.keypoints),
            np.minimum(first.scores, last.scores),
        )

    def _fits(self, gap: _Gap, guess: People, found: People) -> bool:
        """Return whether a person's keypoints are where they were expected."""
        distance = np.linalg.norm(guess.keypoints - found.keypoints, axis=-1)
        distance = distance[found.scores >= self._limits.min_score].max(initial=0)
        near = distance < self._limits.tolerance * box_size(guess.bboxes)[0]
        seconds = self._times[gap.last] - self._times[gap.first]
        return near and seconds <= self._limits.seconds and len(self._ends(gap)) == 2

    def _interpolate(self, gap: _Gap) -> None:
        """Add the other frames, on the parabola through the ends and the middle."""
        nodes = [gap.first, gap.middle, gap.last]
        poses = [self.poses[gap.number][node] for node in nodes]
        for place in {*range(gap.first + 1, gap.last)} - {gap.middle}:
            # Lagrange's
            at, times = self._times[place], self._times[nodes]
            factors = [[(at - x) / (t - x) for x in times if x != t] for t in times]
            weights = np.prod(factors, axis=1).astype(np.float32)
            near = poses[0 if place < gap.middle else 2]
            self.poses[gap.number][place] = People(
                np.sum([w * x.bboxes for w, x in zip(weights, poses, strict=True)], 0),
                near.bbox_scores,
                np.sum(
                    [w * x.keypoints for w, x in zip(weights, poses, strict=True)], 0
                ),
                (near.scores + poses[1].scores) / 2,
            )
