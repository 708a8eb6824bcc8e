"""Shot boundary detection (hard cuts) by content, as in PySceneDetect."""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import reduce

import cv2
import numpy as np

from mmhot.frames.sources import Frame

# Longer side of the images that are compared.
_SIZE = 192
# Images whose channels differ by less on average are gray.
_GRAY = 6
# Longest flash in frames.
_FLASH = 3
# Least difference at a cut, of 255; its least ratio to the mean of neighboring frames;
# number of these on either side.
_MIN_DIFFERENCE, _MIN_RATIO, _NEIGHBORS = 27.0, 2.5, 2

_Small = tuple[np.ndarray, bool]
"""A small image in HSV, and whether it is gray."""


class CutDetector:
    """Find the frames with which shots begin.

    As in PySceneDetect's ``ContentDetector``, the mean absolute difference of hue,
    saturation and brightness exceeds 27 of 255 at a cut. It must also be 2.5 times that
    of neighboring frames, which is large in pans and noisy videos. A change that is
    reverted within three frames is a flash. Dissolves are not detected.

    Attributes:
        cuts (list[int]): Frames with which shots begin, without the first one.
    """

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self._images: deque[_Small] = deque(maxlen=_FLASH + 2)
        # between each frame and the one before
        self._differences = [0.0]

    def __call__(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass the frames of a video on, delayed until ``cuts`` is final up to them."""
        delayed: deque[Frame] = deque()
        last = 0
        for frame in frames:
            last = frame.index
            self._compare(last, frame.image)
            self._verify(last - _NEIGHBORS)
            delayed.append(frame)
            if len(delayed) > _FLASH:
                yield delayed.popleft()
        for index in range(last - _NEIGHBORS + 1, last + 1):
            self._verify(index)
        while delayed:
            yield delayed.popleft()

    def _compare(self, index: int, image: np.ndarray) -> None:
        """Append a frame to the cuts if its difference is large."""
        now = _shrink(image)
        self._images.append(now)
        if len(self._images) == 1:
            return
        self._differences.append(_difference(self._images[-2], now))
        if self._differences[-1] < _MIN_DIFFERENCE:
            return
        since = index - self.cuts[-1] if self.cuts else np.inf
        if since <= _FLASH:
            old_shot = self._images[-2 - since]
            if _difference(old_shot, now) < _MIN_DIFFERENCE:
                self.cuts.pop()
                return
        self.cuts.append(index)

    def _verify(self, index: int) -> None:
        """Remove a cut if the neighboring differences are about as large."""
        if index not in self.cuts:
            return
        low = max(index - _NEIGHBORS, 1)
        neighbors = (
            self._differences[low:index]
            + self._differences[index + 1 : index + _NEIGHBORS + 1]
        )
        if neighbors and self._differences[index] < _MIN_RATIO * np.mean(neighbors):
            self.cuts.remove(index)


def _shrink(image: np.ndarray) -> _Small:
    height, width = image.shape[:2]
    zoom = min(1, _SIZE / max(height, width))
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    # four pixels for each, as not all of a large image need be read
    few = cv2.resize(image, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(few, size, interpolation=cv2.INTER_AREA)
    channels = cv2.split(small)
    highest, lowest = (reduce(choose, channels) for choose in (cv2.max, cv2.min))
    is_gray = cv2.mean(cv2.subtract(highest, lowest))[0] < _GRAY
    return cv2.cvtColor(small, cv2.COLOR_BGR2HSV), is_gray


def _difference(first: _Small, second: _Small) -> float:
    """Compute the mean absolute difference in HSV, or V if both are gray, 0 to 255."""
    (one, one_is_gray), (other, other_is_gray) = first, second
    if one.shape != other.shape:
        return 255.0
    means = cv2.mean(cv2.absdiff(one, other))[:3]
    return means[2] if one_is_gray and other_is_gray else sum(means) / 3
