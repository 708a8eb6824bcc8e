"""Appearance of people: color histograms of body parts, and distances between them.

Head, trunk, thighs and shins each have one histogram. Brightness is relative to the
median of the person, so that light and shadow change it little.
"""

from dataclasses import dataclass

import numpy as np

from mmhot.chain.frames.sources import FrameObserver
from mmhot.chain.pose2d.footage import Footage
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Track2D
from mmhot.structures.people import People, box_iou

_PARTS = ('head', 'trunk', 'thighs', 'shins')
_SIDES = ('left', 'right')
_TRUNK = ('left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')


@dataclass(frozen=True)
class AppearanceSettings:
    """Frames, points and histogram bins that describe people.

    A part of the body is sampled on a grid of points. Ranges are those of 37 people of
    18 videos, between the first and the second half of their frames. Their distance is
    .038 of the distance to other people, and 4 % of these are as close as people who
    return may be. From 0.5 to 2 of each value that is .035 to .044, and 3.5 to 5 %,
    unless it says more.
    """

    interval: int = 5  # frames between descriptions
    # Largest intersection over union with another box; more would mix the colors of two
    # people. Half of it describes 6 % fewer people.
    max_overlap: float = 0.2
    # Least keypoint score of a part's joints; with less, it counts as not seen.
    min_score: float = 0.3
    # Width of limbs and heads that is sampled, as a share of their length.
    limb_width: float = 0.22
    # The head is sampled from the chin, below the ears, to its top, above them. Both
    # are distances as a share of the distance from the ears to the neck.
    chin: float = 0.3
    top: float = 0.6
    along: int = 10  # samples along a part
    across: int = 5  # samples across a part
    # Gray levels that are added before the logarithm, so that noise in dark clothes
    # counts less. With 10 of it, 15 % of the others are close.
    dark_level: float = 4.0
    # Bins of each opponent color. With half of them 40 % of the others are close, with
    # double the distance is .055.
    colors: int = 7
    levels: int = 6  # bins of brightness; with half of them 10 % of others are close
    # Range of the histograms: log colors are clipped to +-limit, log brightness to
    # twice that. With double, 42 % of the others are close; with half of it, the
    # distance is .049.
    limit: float = 0.9


_SETTINGS = AppearanceSettings()
_BINS = _SETTINGS.colors**2 + _SETTINGS.levels  # values that describe one part


def appearance_of(footage: Footage) -> dict[str, np.ndarray] | None:
    """Return what :class:`AppearanceObserver` recorded in a video, or None.

    Args:
        footage (Footage): The video and the people in it.

    Returns:
        dict[str, np.ndarray] | None: See :meth:`AppearanceObserver.arrays`.
    """
    return footage.people.observed.get(AppearanceObserver.name)


class AppearanceObserver(FrameObserver):
    """Describe the appearance of people in every few frames of a video.

    People with overlapping boxes are skipped.
    """

    name = 'appearance'

    def __init__(self, skeleton: str) -> None:
        self._skeleton = get_skeleton(skeleton)
        self._rows: list[tuple[int, np.ndarray, np.ndarray]] = []

    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Describe the people in a frame; see the parent class."""
        if index % _SETTINGS.interval or not len(people):
            return
        overlap = box_iou(people.bboxes[:, None], people.bboxes[None])
        np.fill_diagonal(overlap, 0)
        for row in np.flatnonzero(overlap.max(1) <= _SETTINGS.max_overlap):
            values = self.describe(image, people.keypoints[row], people.scores[row])
            self._rows.append((index, people.bboxes[row], values))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the M descriptions recorded so far.

        Returns:
            dict[str, np.ndarray]: ``frames``, frame numbers, (M,) int64; ``boxes``, the
            person's box (x1, y1, x2, y2) in pixels, (M, 4) float32; ``values``, the
            histograms of head, trunk, thighs and shins with B bins, NaN where a part
            was not seen, (M, 4, B) float16.
        """
        frames, boxes, values = [*zip(*self._rows, strict=True)] or [()] * 3
        return dict(
            frames=np.array(frames, np.int64),
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            values=np.array(values, np.float16).reshape(-1, len(_PARTS), _BINS),
        )

    def describe(
        self, image: np.ndarray, keypoints: np.ndarray, scores: np.ndarray
    ) -> np.ndarray:
        """Compute color histograms of a person's body parts.

        Each part has a joint histogram of two opponent colors (red - green and
        blue - green) and one of brightness relative to the person's median. Both sum to
        1/2.

        Args:
            image (np.ndarray): Frame, BGR, (H, W, 3) uint8.
            keypoints (np.ndarray): Keypoints in pixels, (K, 2).
            scores (np.ndarray): Confidence of the keypoints, (K,).

        Returns:
            np.ndarray: Histograms of head, trunk, thighs and shins, (4, B) float32; NaN
            where a part is not seen.
        """
        values = np.full((len(_PARTS), _BINS), np.nan, np.float32)
        seen = (scores >= _SETTINGS.min_score) & np.isfinite(keypoints).all(-1)
        names = self._skeleton.joints
        grids = self._part_grids({names[x]: keypoints[x] for x in np.flatnonzero(seen)})
        samples = {part: _sample(image, points) for part, points in grids.items()}
        logs = {
            part: np.log(colors + _SETTINGS.dark_level)
            for part, colors in samples.items()
            if len(colors)
        }
        if not logs:
            return values
        level = np.median(np.concatenate(list(logs.values())).mean(-1))
        limit = _SETTINGS.limit
        for part, colors in logs.items():
            blue, green, red = colors.T
            across = _bin(red - green, _SETTINGS.colors, limit)
            along = _bin(blue - green, _SETTINGS.colors, limit)
            levels = _bin(colors.mean(-1) - level, _SETTINGS.levels, 2 * limit)
            histogram = across.T @ along / len(colors)
            values[_PARTS.index(part)] = [*histogram.ravel(), *levels.mean(0)]
        return values / 2

    def _part_grids(self, joints: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Place sample points (N, 2), pixels, on each part that has all its joints.

        Args:
            joints (dict[str, np.ndarray]): Pixels (2,) of the joints that are seen.

        Returns:
            dict[str, np.ndarray]: Points by name of the part.
        """
        grids: dict[str, list[np.ndarray]] = {}
        if joints.keys() >= {*_TRUNK}:
            corners = [joints[name] for name in _TRUNK]
            grids['trunk'] = [_grid(corners)]
        for part, *ends in (('thighs', 'hip', 'knee'), ('shins', 'knee', 'ankle')):
            for side in _SIDES:
                first, second = (f'{side}_{end}' for end in ends)
                if joints.keys() >= {first, second}:
                    grid = self._limb_grid(joints[first], joints[second])
                    grids.setdefault(part, []).append(grid)
        if joints.keys() >= {'left_ear', 'right_ear'} and 'trunk' in grids:
            middle = (joints['left_ear'] + joints['right_ear']) / 2
            neck = (joints['left_shoulder'] + joints['right_shoulder']) / 2
            chin = middle + _SETTINGS.chin * (neck - middle)
            top = middle + _SETTINGS.top * (middle - neck)
            grids['head'] = [self._limb_grid(chin, top)]
        return {part: np.concatenate(limbs) for part, limbs in grids.items()}

    def _limb_grid(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Place points (N, 2) in a rectangle around a bone from start to end (2,)."""
        along = end - start
        across = np.array([-along[1], along[0]]) * _SETTINGS.limb_width / 2
        return _grid([start - across, start + across, end - across, end + across])


def looks_of(
    track: Track2D, looks: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Select the descriptions of one track by its frames and boxes.

    Args:
        track (Track2D): Track with boxes.
        looks (dict[str, np.ndarray]): Descriptions, see
            :meth:`AppearanceObserver.arrays`.

    Returns:
        tuple[np.ndarray, np.ndarray]: Frame numbers (M,), and descriptions (M, 4, B).
    """
    rows = np.flatnonzero(np.isin(looks['frames'], track.frames))
    places = np.searchsorted(track.frames, looks['frames'][rows])
    same = (track.boxes[places] == looks['boxes'][rows]).all(1)
    rows = rows[same]
    return looks['frames'][rows], looks['values'][rows].astype(np.float32)


def average_looks(looks: np.ndarray, min_looks: int) -> np.ndarray:
    """Average the descriptions of a person over time.

    Args:
        looks (np.ndarray): Descriptions, NaN where a part is not seen, (M, 4, B).
        min_looks (int): Parts that were seen less often become NaN.

    Returns:
        np.ndarray: Mean description, (4, B).
    """
    seen = np.isfinite(looks).all(-1)
    total = np.where(seen[..., None], looks, 0).sum(0)
    count = seen.sum(0)[:, None]
    return np.where(count >= min_looks, total / count.clip(1), np.nan)


def look_distances(
    first: np.ndarray, second: np.ndarray, max_part: float = 1.0
) -> np.ndarray:
    """Compute distances between the appearances of people.

    A distance is 1 - the Bhattacharyya coefficient, averaged over body parts.

    Args:
        first (np.ndarray): Descriptions of M people, (M, 4, B).
        second (np.ndarray): Descriptions of N people, (N, 4, B).
        max_part (float): If one part differs by more, the distance is 1.

    Returns:
        np.ndarray: Distances from 0 to 1, (M, N); NaN where two people have fewer than
        two parts in common.

    Two people have the same head and trunk, and different thighs and shins:

    >>> black, white = np.eye(2)
    >>> people = np.array([[black] * 4, [black, black, white, white]])
    >>> look_distances(people, people).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    roots = [np.sqrt(averages) for averages in (first, second)]
    alike = np.einsum('apb,cpb->acp', *map(np.nan_to_num, roots))
    seen, also_seen = (np.isfinite(root).all(-1) for root in roots)
    both = seen[:, None] & also_seen
    count = both.sum(-1)
    differ = np.where(both, 1 - alike, 0)
    mean = differ.sum(-1) / count.clip(1)
    # Different clothes on a single part are enough to tell people apart.
    mean = np.where(differ.max(-1) > max_part, 1.0, mean)
    return np.where(count >= 2, mean, np.nan)


def _grid(corners: list[np.ndarray]) -> np.ndarray:
    """Place points (N, 2) in a quadrangle, up to its sides.

    Corners (2,) are upper left, upper right, lower left and lower right.
    """
    down, right = np.meshgrid(
        np.linspace(0, 1, _SETTINGS.along), np.linspace(0, 1, _SETTINGS.across)
    )
    down = down.reshape(-1, 1)
    right = right.reshape(-1, 1)
    upper = corners[0] * (1 - right) + corners[1] * right
    lower = corners[2] * (1 - right) + corners[3] * right
    return upper * (1 - down) + lower * down


def _sample(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the BGR colors (N', 3) at the points (N, 2) that are inside an image."""
    pixels = points.round().astype(int)
    inside = ((pixels >= 0) & (pixels < image.shape[1::-1])).all(1)
    pixels = pixels[inside]
    return image[pixels[:, 1], pixels[:, 0]].astype(np.float32)


def _bin(values: np.ndarray, bins: int, limit: float) -> np.ndarray:
    """Spread values (N,), clipped to +-limit, over the two nearest bins.

    Returns the weights (N, bins); each row sums to 1.
    """
    places = ((values / limit).clip(-1, 1) + 1) / 2 * (bins - 1)
    return np.maximum(1 - abs(places[:, None] - np.arange(bins)), 0)
