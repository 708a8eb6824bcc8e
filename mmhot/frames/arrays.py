"""Images in memory as the frames of a clip."""

from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.frames.sources import DEFAULT_FPS, Frame, FrameSource

_NAME = 'frames'


def check_image(image: Any, what: str = 'arrays') -> np.ndarray:
    """Return an image, BGR uint8 (H, W, 3); raise ValueError if it is none."""
    array = np.asarray(image)
    is_image = array.ndim == 3 and array.shape[2] == 3 and array.size > 0
    if array.dtype != np.uint8 or not is_image:
        raise ValueError(
            f'{what} must be BGR, uint8 (H, W, 3), got {array.dtype} {array.shape}'
        )
    return array


class FrameArrays(FrameSource):
    """Frames in memory, or of a generator, which is read once.

    Args:
        images (Iterable): Images, BGR uint8 (H, W, 3); an array of them, (T, H, W, 3);
            or a single one.
        fps (float, optional): Frames per second; a single image needs none.
    """

    def __init__(self, images: Iterable[np.ndarray], fps: float | None = None) -> None:
        is_single = isinstance(images, np.ndarray) and images.ndim == 3
        self._images = [images] if is_single else images
        if not isinstance(self._images, Iterable):
            raise TypeError(
                f'source must be a path, an address, or images, got {type(images)}'
            )
        if fps is None and not is_single:
            raise ArgumentError('{fps} must be given with frames in memory')
        count = len(self._images) if isinstance(self._images, Sized) else None
        super().__init__(_NAME, Path(_NAME), fps or DEFAULT_FPS, count)
        self.once, self.in_memory = iter(self._images) is self._images, True

    def __iter__(self) -> Iterator[Frame]:
        """Check each image when it is read, and copy it: the next may refill it."""
        for index, image in enumerate(self._images):
            image = check_image(image, f'frames (here {index})').copy()
            yield Frame(index, index / self.fps, self._fitted(image))
