"""Detection of shot boundaries (hard cuts) in videos.

The score of a step is that of PySceneDetect's ``ContentDetector``: the mean absolute
difference of hue, saturation and brightness.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from mmhot.video.frames import Frame

# Longer side of the pictures that are compared.
_SIZE = 192
# Pictures whose channels differ by less than that on average have no colors.
_GRAY = 6
# A flash is over after so many frames.
_FLASH = 3
# Steps of a cut are at least so large, of 255, and so many times as large as the mean
# of so many steps before and after.
_LEAST, _RATIO, _NEAR = 27.0, 2.5, 2


class CutDetector:
    """Finds the frames with which shots begin.

    Two frames belong to different shots if hue, saturation and brightness, or the
    brightness of pictures without colors, differ by more than 27 of 255 on average,
    PySceneDetect's own threshold, and 2.5 times as much as in the two steps before and
    after: where cameras pan fast and pictures are noisy, all frames differ. If the film
    is as before within three frames, that was a flash. Dissolves are not noticed.

    Attributes:
        cuts (list[int]): Frames with which shots begin, but the first.
    """

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self._pictures: deque[np.ndarray] = deque(maxlen=_FLASH + 2)
        # into each frame from the one before
        self._steps = [0.0]

    def __call__(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass frames on, each after those behind it were looked at.

        Args:
            frames (Iterable[Frame]): All of a film.

        Yields:
            Frame: The same. By then ``cuts`` is right up to it.
        """
        held: deque[Frame] = deque()
        last = 0
        for frame in frames:
            last = frame.index
            self._look(last, frame.image)
            self._judge(last - _NEAR)
            held.append(frame)
            if len(held) > _FLASH:
                yield held.popleft()
        for index in range(last - _NEAR + 1, last + 1):
            self._judge(index)
        while held:
            yield held.popleft()

    def _look(self, index: int, image: np.ndarray) -> None:
        """Note whether a shot may begin with a frame."""
        now = _reduced(image)
        self._pictures.append(now)
        if len(self._pictures) == 1:
            return
        self._steps.append(_difference(self._pictures[-2], now))
        if self._steps[-1] < _LEAST:
            return
        since = index - self.cuts[-1] if self.cuts else np.inf
        if since <= _FLASH:
            old_shot = self._pictures[-2 - since]
            if _difference(old_shot, now) < _LEAST:
                self.cuts.pop()
                return
        self.cuts.append(index)

    def _judge(self, index: int) -> None:
        """Forget a cut where other steps are about as large."""
        if index not in self.cuts:
            return
        low = max(index - _NEAR, 1)
        others = self._steps[low:index] + self._steps[index + 1 : index + _NEAR + 1]
        if others and self._steps[index] < _RATIO * np.mean(others):
            self.cuts.remove(index)


def _reduced(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    zoom = min(1, _SIZE / max(height, width))
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of two images in HSV, or V if gray, 0 to 255."""
    if one.shape != other.shape:
        return 255.0
    gray = all(np.ptp(image, axis=-1).mean() < _GRAY for image in (one, other))
    hsv = [cv2.cvtColor(image, cv2.COLOR_BGR2HSV) for image in (one, other)]
    means = cv2.mean(cv2.absdiff(*hsv))[:3]
    return means[2] if gray else sum(means) / 3
