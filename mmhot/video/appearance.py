"""Re-identification: appearance of people by body part, and tracks that are one person.

Histograms of colors relative to the person's own brightness describe head, trunk,
thighs and shins; tracks of people who left and returned are merged where these and the
proportions of their limbs agree, and those of no other person do nearly as well.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.clips import Track2D
from mmhot.video.people import FrameObserver, People, box_iou
from mmhot.video.tracking import join_tracks

INTERVAL = 5
"""Frames from one look at people to the next."""
# Samples along and across a part, and the share of its width that they cover.
_ALONG, _ACROSS = 10, 5
# Bins of both opponent colors and of brightness; the range of their logarithms.
_COLORS, _LEVELS, _RANGE = 7, 6, 0.9
# Boxes that overlap more than this show two people.
_MAX_OVERLAP = 0.2
# Width of limbs and heads over the length of the part.
_LIMB_WIDTH = 0.22
_PARTS = ('head', 'trunk', 'thighs', 'shins')
_BINS = _COLORS**2 + _LEVELS
_MIN_SCORE = 0.3

# Least looks at a track; largest distance of one person's tracks, and its ratio to the
# distance from other people; largest difference of proportions, as a logarithm.
_MIN_LOOKS, _MAX_DISTANCE, _MAX_RATIO, _MAX_PROPORTION = 4, 0.16, 0.6, 0.3
# Largest distance of a single part.
_MAX_PART = 0.3
# Least frames, in seconds, of a track that may be merged.
_MIN_SECONDS = 0.5
_LIMBS = (
    ('left_hip', 'left_knee'),
    ('right_hip', 'right_knee'),
    ('left_knee', 'left_ankle'),
    ('right_knee', 'right_ankle'),
    ('left_shoulder', 'left_hip'),
    ('right_shoulder', 'right_hip'),
)


class AppearanceObserver(FrameObserver):
    """Describe the people of every fifth frame.

    Args:
        skeleton (str): Of their keypoints.
    """

    name = 'appearance'

    def __init__(self, skeleton: str) -> None:
        self._skeleton = get_skeleton(skeleton)
        self._frames: list[np.ndarray] = []
        self._boxes: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Look at a frame; see the parent class."""
        if index % INTERVAL or not len(people):
            return
        overlap = box_iou(people.bboxes[:, None], people.bboxes[None])
        np.fill_diagonal(overlap, 0)
        for row in np.flatnonzero(overlap.max(1) <= _MAX_OVERLAP):
            person = people.keypoints[row], people.scores[row]
            self._frames.append(np.array([index]))
            self._boxes.append(people.bboxes[row : row + 1])
            self._values.append(describe_person(image, *person, self._skeleton)[None])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return descriptions.

        Returns:
            dict[str, np.ndarray]: ``frames`` (M,) int64, ``boxes`` (M, 4) float32 and
            ``values``, histograms of each part, NaN where it was not seen, (M, 4, B)
            float16.
        """
        empty = np.zeros((0, len(_PARTS), _BINS), np.float16)
        return dict(
            frames=np.concatenate([np.zeros(0, np.int64), *self._frames]),
            boxes=np.concatenate([np.zeros((0, 4), np.float32), *self._boxes]),
            values=np.concatenate([empty, *self._values]).astype(np.float16),
        )


def describe_person(
    image: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """Compute color histograms of body parts.

    Args:
        image (np.ndarray): BGR, uint8 (H, W, 3).
        keypoints (np.ndarray): Pixels, (K, 2).
        scores (np.ndarray): Their confidences, (K,).
        skeleton (Skeleton): Of the keypoints.

    Returns:
        np.ndarray: Histograms of two opponent colors and of brightness relative to the
        person's, each with a sum of 1/2; NaN where a part is not seen, (4, B) float32.
    """
    values = np.full((len(_PARTS), _BINS), np.nan, np.float32)
    known = {
        name: keypoints[index]
        for index, name in enumerate(skeleton.joints)
        if scores[index] >= _MIN_SCORE and np.isfinite(keypoints[index]).all()
    }
    grids = _part_grids(known)
    colors = {part: _sample(image, grid) for part, grid in grids.items()}
    colors = {part: own for part, own in colors.items() if len(own) >= 2 * _ALONG}
    if not colors:
        return values
    everything = np.log(np.concatenate(list(colors.values())) + 4.0)
    level = np.median(everything.mean(-1))
    for part, own in colors.items():
        logs = np.log(own + 4.0)
        blue, green, red = logs.T
        values[_PARTS.index(part), : _COLORS**2] = _soft_histogram(
            [red - green, blue - green], [_COLORS] * 2
        )
        values[_PARTS.index(part), _COLORS**2 :] = _soft_histogram(
            [logs.mean(-1) - level], [_LEVELS], 2 * _RANGE
        )
    return values / 2


def _part_grids(known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return points (N, 2) on the parts whose joints are known."""
    grids: dict[str, list[np.ndarray]] = {}
    corners = [
        f'{side}_{part}' for part in ('shoulder', 'hip') for side in ('left', 'right')
    ]
    if all(name in known for name in corners):
        down, right = np.meshgrid(
            np.linspace(0.1, 0.9, _ALONG), np.linspace(0.2, 0.8, _ACROSS)
        )
        down, right = down.reshape(-1, 1), right.reshape(-1, 1)
        upper = known[corners[0]] * (1 - right) + known[corners[1]] * right
        lower = known[corners[2]] * (1 - right) + known[corners[3]] * right
        grids['trunk'] = [upper * (1 - down) + lower * down]
    for part, first, second in (('thighs', 'hip', 'knee'), ('shins', 'knee', 'ankle')):
        for side in ('left', 'right'):
            ends = known.get(f'{side}_{first}'), known.get(f'{side}_{second}')
            if ends[0] is not None and ends[1] is not None:
                grids.setdefault(part, []).append(_limb_grid(*ends))
    if 'left_ear' in known and 'right_ear' in known and 'trunk' in grids:
        middle = (known['left_ear'] + known['right_ear']) / 2
        neck = (known[corners[0]] + known[corners[1]]) / 2
        # from the chin to above the ears
        grids['head'] = [
            _limb_grid(middle + 0.3 * (neck - middle), middle + 0.6 * (middle - neck))
        ]
    return {part: np.concatenate(own) for part, own in grids.items()}


def _limb_grid(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return points around a bone, (N, 2)."""
    along = end - start
    across = np.array([-along[1], along[0]]) * _LIMB_WIDTH
    places, sides = np.meshgrid(
        np.linspace(0.1, 0.9, _ALONG), np.linspace(-0.5, 0.5, _ACROSS)
    )
    return start + places.reshape(-1, 1) * along + sides.reshape(-1, 1) * across


def _sample(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the colors (N, 3) at points inside of an image."""
    pixels = points.round().astype(int)
    inside = ((pixels >= 0) & (pixels < image.shape[1::-1])).all(1)
    pixels = pixels[inside]
    return image[pixels[:, 1], pixels[:, 0]].astype(np.float32)


def _soft_histogram(
    values: Sequence[np.ndarray], bins: Sequence[int], limit: float = _RANGE
) -> np.ndarray:
    """Count values within +-limit with linear weights in neighboring bins; sum 1."""
    places = [
        ((value / limit).clip(-1, 1) + 1) / 2 * (count - 1)
        for value, count in zip(values, bins, strict=True)
    ]
    total = np.zeros(bins)
    for corner in np.ndindex(*[2] * len(bins)):
        index, weight = [], np.ones(len(values[0]))
        for place, count, step in zip(places, bins, corner, strict=True):
            low = np.minimum(place.astype(int), count - 2)
            share = place - low
            index.append(low + step)
            weight = weight * (share if step else 1 - share)
        np.add.at(total, tuple(index), weight)
    return (total / len(values[0])).ravel()


def merge_returning(
    tracks: Sequence[Track2D],
    looks: dict[str, np.ndarray],
    skeleton: str,
    fps: float,
    cuts: Sequence[int] = (),
) -> list[Track2D]:
    """Merge the tracks of people who left and returned.

    Args:
        tracks (Sequence[Track2D]): Of a clip, with boxes.
        looks (dict[str, np.ndarray]): See :meth:`AppearanceObserver.arrays`.
        skeleton (str): Of the keypoints.
        fps (float): Frames per second.
        cuts (Sequence[int]): Frames with which shots begin; tracks of different shots
            stay apart.

    Returns:
        list[Track2D]: By first frame, numbered from 0.
    """
    if not tracks:
        return []
    merger = _Merger(list(tracks), looks, skeleton, fps, cuts)
    while len(merger.groups) > 1 and merger.merge_best():
        pass
    merged = [
        join_tracks(sorted(group, key=lambda track: track.frames[0]))
        for group in merger.groups
    ]
    merged.sort(key=lambda track: (track.frames[0], track.track))
    return [replace(track, track=number) for number, track in enumerate(merged)]


def _look_at(track: Track2D, looks: dict[str, np.ndarray]) -> np.ndarray:
    """Return the descriptions (M, 4, B) of a track, found by frame and box."""
    rows = np.flatnonzero(np.isin(looks['frames'], track.frames))
    places = np.searchsorted(track.frames, looks['frames'][rows])
    same = (track.bboxes[places] == looks['boxes'][rows]).all(1)
    return looks['values'][rows[same]].astype(np.float32)


def _average(looks: np.ndarray) -> np.ndarray:
    """Average descriptions (M, 4, B) to (4, B); NaN for parts that are rarely seen."""
    known = np.isfinite(looks).all(-1)
    total = np.where(known[..., None], looks, 0).sum(0)
    count = known.sum(0)[:, None]
    return np.where(count >= _MIN_LOOKS, total / count.clip(1), np.nan)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Bhattacharyya distances (M, N), 0 to 1; NaN with less than two parts."""
    roots = [np.sqrt(averages) for averages in (first, second)]
    known = [np.isfinite(each).all(-1) for each in roots]
    filled = [np.where(np.isfinite(each), each, 0) for each in roots]
    alike = np.einsum('apb,cpb->acp', *filled)
    both = known[0][:, None] & known[1][None]
    count = both.sum(-1)
    differ = np.where(both, 1 - alike, 0)
    mean = differ.sum(-1) / count.clip(1)
    # other clothes on one part are enough
    mean = np.where(differ.max(-1) > _MAX_PART, 1.0, mean)
    return np.where(count >= 2, mean, np.nan)


def _proportions(track: Track2D, skeleton: str) -> np.ndarray:
    """Return the logarithms of the longest limb lengths over their mean, (L,)."""
    own = get_skeleton(skeleton)
    lengths = []
    for pair in _LIMBS:
        if not set(pair) <= set(own.joints):
            lengths.append(np.nan)
            continue
        start, end = (track.keypoints[:, own.index(name)] for name in pair)
        height = np.ptp(track.bboxes[:, 1::2], axis=1)
        length = np.linalg.norm(start - end, axis=-1) / height.clip(1)
        known = length[np.isfinite(length) & (length > 0)]
        lengths.append(np.percentile(known, 80) if len(known) else np.nan)
    # both sides of a limb are as long
    pairs = np.array(lengths).reshape(-1, 2).mean(1)
    logs = np.log(pairs)
    return logs - logs.mean()


class _Merger:
    """Groups of tracks, and which may be one person."""

    def __init__(
        self,
        tracks: list[Track2D],
        looks: dict[str, np.ndarray],
        skeleton: str,
        fps: float,
        cuts: Sequence[int],
    ) -> None:
        self.groups = [[track] for track in tracks]
        self._looks = [_look_at(track, looks) for track in tracks]
        self._limbs = [_proportions(track, skeleton) for track in tracks]
        starts = [track.frames[0] for track in tracks]
        self._shots = np.searchsorted(sorted(cuts), starts, 'right').tolist()
        self._least = max(math.ceil(_MIN_SECONDS * fps), 2)
        # of all pairs; rows of a merged group are computed again
        self._averages = np.stack([_average(own) for own in self._looks])
        self._distances = _distances(self._averages, self._averages)
        self._apart = self._find_apart()

    def merge_best(self) -> bool:
        """Merge the two groups that are most alike; False if none may be merged."""
        alike = np.nan_to_num(self._distances, nan=np.inf) < _MAX_DISTANCE
        apart = self._apart | self._are_short()
        pairs = np.argwhere(np.triu(alike & ~apart, 1))
        order = np.argsort(self._distances[tuple(pairs.T)], kind='stable')
        for first, second in pairs[order]:
            if self._are_one(first, second, apart):
                self._merge(first, second)
                return True
        return False

    def _are_one(self, first: int, second: int, apart: np.ndarray) -> bool:
        """Return whether groups are more alike than any who are others for certain."""
        here = self._same_shot(first)
        others = np.concatenate(
            [
                self._distances[second, apart[first] & here],
                self._distances[first, apart[second] & here],
            ]
        )
        limit = _MAX_RATIO * np.nanmin(others, initial=np.inf)
        is_alike = self._distances[first, second] < limit
        return is_alike and self._same_limbs(first, second)

    def _merge(self, first: int, second: int) -> None:
        """Put the second group into the first, and update what depends on these."""
        self.groups[first] += self.groups.pop(second)
        added = self._looks.pop(second)
        self._looks[first] = np.concatenate([self._looks[first], added])
        self._limbs[first] = np.nanmean(
            [self._limbs[first], self._limbs.pop(second)], 0
        )
        self._shots.pop(second)
        self._averages[first] = _average(self._looks[first])
        self._apart[first] |= self._apart[second]
        self._apart[:, first] = self._apart[first]
        for name in ('_averages', '_apart', '_distances'):
            setattr(self, name, np.delete(getattr(self, name), second, 0))
        self._apart = np.delete(self._apart, second, 1)
        self._distances = np.delete(self._distances, second, 1)
        own = _distances(self._averages[first : first + 1], self._averages)[0]
        self._distances[first] = self._distances[:, first] = own

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

    def _are_short(self) -> np.ndarray:
        """Return pairs (N, N) of which one is too short to be recognized."""
        lengths = [sum(len(track.frames) for track in group) for group in self.groups]
        short = np.array(lengths) < self._least
        return short[:, None] | short

    def _same_shot(self, group: int) -> np.ndarray:
        return np.array(self._shots) == self._shots[group]

    def _same_limbs(self, first: int, second: int) -> bool:
        difference = abs(self._limbs[first] - self._limbs[second])
        return not (difference > _MAX_PROPORTION).any()
