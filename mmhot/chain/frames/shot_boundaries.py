"""Shot boundary detection (hard cuts) by content, as in PySceneDetect."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np

from mmhot.chain.frames.sources import Frame

_Small = tuple[np.ndarray, bool]
"""A small image in HSV, and whether it is gray."""


@dataclass(frozen=True)
class CutSettings:
    """Thresholds for cuts; the least difference is PySceneDetect's default.

    In four videos, and in these joined with two flashes, 0.5 to 2 of each setting finds
    the same cuts.
    """

    size: int = 192  # pixels; longer side of the images that are compared
    # Mean difference between color channels, 0 to 255, below which an image is gray.
    max_gray: float = 6
    min_difference: float = 27.0  # least difference of two images at a cut, 0 to 255
    min_ratio: float = 2.5  # least ratio of it to its mean in neighboring frames
    neighbors: int = 2  # neighboring frames on each side; without any, pans have cuts
    max_flash: int = 3  # frames; a longer change is a cut and not a flash


_SETTINGS = CutSettings()


class CutDetector:
    """Find the frames with which shots begin.

    As in PySceneDetect's ``ContentDetector``, the mean absolute difference of hue,
    saturation and brightness is large at a cut. It must also be large relative to
    neighboring frames, because in pans and noisy videos all differences are large. A
    change that is reverted soon is a flash. Dissolves are not detected.
    """

    def __init__(self) -> None:
        # Numbers of the frames with which shots begin, without the first frame
        self.cuts: list[int] = []
        self._images: deque[_Small] = deque(maxlen=_SETTINGS.max_flash + 2)
        # Difference of each frame from the one before, by frame number
        self._differences: dict[int, float] = {}

    def __call__(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames of a video, each when ``cuts`` is final up to it."""
        delayed: deque[Frame] = deque()
        for frame in frames:
            self._compare(frame.index, frame.image)
            self._verify(frame.index - _SETTINGS.neighbors)
            delayed.append(frame)
            if len(delayed) > _SETTINGS.max_flash:
                yield delayed.popleft()
        # The last frames have fewer neighbors.
        for frame in [*delayed][-_SETTINGS.neighbors :]:
            self._verify(frame.index)
        yield from delayed

    def _compare(self, index: int, image: np.ndarray) -> None:
        """Append a frame, BGR (H, W, 3), to the cuts if its difference is large."""
        now = _shrink(image)
        least = _SETTINGS.min_difference
        self._images.append(now)
        if len(self._images) == 1:
            return
        self._differences[index] = _difference(self._images[-2], now)
        if self._differences[index] < least:
            return
        is_back = (
            self.cuts
            and index - self.cuts[-1] <= _SETTINGS.max_flash
            and _difference(self._images[self.cuts[-1] - index - 2], now) < least
        )
        if is_back:
            self.cuts.pop()
        else:
            self.cuts.append(index)

    def _verify(self, index: int) -> None:
        """Remove a cut if the neighboring differences are about as large."""
        if index not in self.cuts:
            return
        around = range(index - _SETTINGS.neighbors, index + _SETTINGS.neighbors + 1)
        neighbors = [
            self._differences[frame]
            for frame in around
            if frame != index and frame in self._differences
        ]
        least = _SETTINGS.min_ratio * np.mean(neighbors or [0])
        if self._differences[index] < least:
            self.cuts.remove(index)


def _shrink(image: np.ndarray) -> _Small:
    """Shrink a BGR image (H, W, 3) to the size at which images are compared."""
    height, width = image.shape[:2]
    zoom = min(1, _SETTINGS.size / max(height, width))
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    # Averaging four pixels is enough and avoids reading all pixels of a large image.
    few = cv2.resize(image, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(few, size, interpolation=cv2.INTER_AREA)
    channels = cv2.split(small)
    highest, lowest = (reduce(choose, channels) for choose in (cv2.max, cv2.min))
    is_gray = cv2.mean(cv2.subtract(highest, lowest))[0] < _SETTINGS.max_gray
    return cv2.cvtColor(small, cv2.COLOR_BGR2HSV), is_gray


def _difference(first: _Small, second: _Small) -> float:
    """Compute the mean difference in HSV, or in V if both are gray, 0 to 255."""
    one, one_is_gray = first
    other, other_is_gray = second
    means = cv2.mean(cv2.absdiff(one, other))[:3]
    return means[2] if one_is_gray and other_is_gray else sum(means) / 3
