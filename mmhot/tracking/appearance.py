"""Appearance of people by body part, for :mod:`mmhot.motion.returning`.

Histograms of colors relative to the person's own brightness describe head, trunk,
thighs and shins.
"""

import numpy as np

from mmhot.frames.observer import FrameObserver
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.people import People, box_iou

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


class AppearanceObserver(FrameObserver):
    """Describe the people of every fifth frame, given the skeleton of keypoints."""

    name = 'appearance'

    def __init__(self, skeleton: str) -> None:
        self._skeleton = get_skeleton(skeleton)
        self._rows: list[tuple[int, np.ndarray, np.ndarray]] = []

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
            values = describe_person(image, *person, self._skeleton)
            self._rows.append((index, people.bboxes[row], values))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return descriptions.

        Returns:
            dict[str, np.ndarray]: ``frames`` (M,) int64, ``boxes`` (M, 4) float32 and
            ``values``, histograms of each part, NaN where it was not seen, (M, 4, B)
            float16.
        """
        frames, boxes, values = [*zip(*self._rows, strict=True)] or [()] * 3
        return dict(
            frames=np.array(frames, np.int64),
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            values=np.array(values, np.float16).reshape(-1, len(_PARTS), _BINS),
        )


def describe_person(
    image: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """Compute color histograms of body parts, given keypoints (K, 2) and scores (K,).

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
        across, along = _bin(red - green, _COLORS), _bin(blue - green, _COLORS)
        levels = _bin(logs.mean(-1) - level, _LEVELS, 2 * _RANGE)
        histogram = across.T @ along / len(own)
        values[_PARTS.index(part)] = [*histogram.ravel(), *levels.mean(0)]
    return values / 2


def _part_grids(known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return points (N, 2) on the parts whose joints are known."""
    grids: dict[str, list[np.ndarray]] = {}
    corners = [
        f'{side}_{part}' for part in ('shoulder', 'hip') for side in ('left', 'right')
    ]
    if known.keys() >= {*corners}:
        grids['trunk'] = [_grid([known[name] for name in corners], 0.2)]
    for part, first, second in (('thighs', 'hip', 'knee'), ('shins', 'knee', 'ankle')):
        for side in ('left', 'right'):
            ends = f'{side}_{first}', f'{side}_{second}'
            if known.keys() >= {*ends}:
                grid = _limb_grid(*(known[name] for name in ends))
                grids.setdefault(part, []).append(grid)
    if known.keys() >= {'left_ear', 'right_ear'} and 'trunk' in grids:
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
    across = np.array([-along[1], along[0]]) * _LIMB_WIDTH / 2
    return _grid([start - across, start + across, end - across, end + across])


def _grid(corners: list[np.ndarray], margin: float = 0.0) -> np.ndarray:
    """Return points (N, 2) between upper left, upper right, and both lower corners."""
    down, right = np.meshgrid(
        np.linspace(0.1, 0.9, _ALONG), np.linspace(margin, 1 - margin, _ACROSS)
    )
    down, right = down.reshape(-1, 1), right.reshape(-1, 1)
    upper = corners[0] * (1 - right) + corners[1] * right
    lower = corners[2] * (1 - right) + corners[3] * right
    return upper * (1 - down) + lower * down


def _sample(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the colors (N, 3) at points inside of an image."""
    pixels = points.round().astype(int)
    inside = ((pixels >= 0) & (pixels < image.shape[1::-1])).all(1)
    pixels = pixels[inside]
    return image[pixels[:, 1], pixels[:, 0]].astype(np.float32)


def _bin(values: np.ndarray, bins: int, limit: float = _RANGE) -> np.ndarray:
    """Return the linear weights (N, bins) of values within +-limit in bins; sum 1."""
    places = ((values / limit).clip(-1, 1) + 1) / 2 * (bins - 1)
    return np.maximum(1 - abs(places[:, None] - np.arange(bins)), 0)
