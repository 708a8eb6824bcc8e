"""Animated images as clips: GIF, WebP, PNG, AVIF, and TIFF of several pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import escape, ignored_warnings, one_line, require_file
from mmhot.io.images import MAX_PIXELS, check_pixels, frame_numbers
from mmhot.structures.clips import clip_name
from mmhot.video.frames import DEFAULT_FPS, Frame, describe_change

# Browsers show frames of at most 10 ms for 100 ms.
_SHORTEST, _USUAL = 0.01, 0.1


class AnimatedImage:
    """Read the frames of an animated image, each for as long as the file states.

    A damaged file yields the frames before the damage; ``ended`` is the reason then.

    Args:
        path (Path): The file.
        fps (float): Frames per second of TIFF files, which state none. Defaults to 25.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If no frame is readable.
    """

    max_pixels = MAX_PIXELS

    def __init__(self, path: Path, fps: float = DEFAULT_FPS) -> None:
        self.path, self.name, self.fps = require_file(path), clip_name(path), fps
        self._label = escape(path)
        self.ended: str | None = None
        self.num_damaged = 0
        with self._open() as image:
            self.has_rate = image.format != 'TIFF'
            self.numbers = frame_numbers(image)
        self.num_frames: int | None = len(self.numbers)
        if self.has_rate:
            steps = [self._seconds(image) for image in self._pages()]
            if not steps:
                raise ValueError(self.ended)
            self.fps = len(steps) / sum(steps)

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the first frame."""
        time = 0.0
        for index, page in enumerate(self._pages()):
            yield Frame(index, time, _as_bgr(page, self._label))
            time += self._seconds(page)

    def _pages(self) -> Iterator[Any]:
        """Yield the decoded images of Pillow, up to a damaged one or another size."""
        self.ended, size = None, None
        with self._open() as image:
            for index, number in enumerate(self.numbers):
                try:
                    image.seek(number)
                    if size not in (None, image.size):
                        change = describe_change(image.size[::-1], size[::-1])
                        self.ended = f'{self._label} ends at frame {index}: {change}'
                        return
                    size = image.size
                    image.load()
                # damaged content raises nearly anything
                except Exception as error:
                    count = f'{index} of {self.num_frames} frames'
                    reason = one_line(error) or type(error).__name__
                    self.ended = f'{self._label} is damaged after {count}: {reason}'
                    return
                yield image

    @contextmanager
    def _open(self) -> Iterator[Any]:
        from PIL import Image

        try:
            with ignored_warnings():  # of sizes, checked here
                image = Image.open(self.path)
        except Exception as error:  # damaged headers raise nearly anything
            reason = one_line(error) or type(error).__name__
            raise ValueError(f'{self._label} is no readable image: {reason}') from error
        with image:
            check_pixels(*image.size, self.max_pixels, self._label)
            yield image

    def _seconds(self, page: Any) -> float:
        """Return for how long a decoded frame is shown."""
        if not self.has_rate:
            return 1 / self.fps
        seconds = page.info.get('duration', 0) / 1000
        return seconds if seconds > _SHORTEST else _USUAL


def _as_bgr(page: Any, name: str) -> np.ndarray:
    """Convert a decoded image of Pillow to BGR uint8 (H, W, 3), upright."""
    from PIL import Image, ImageOps

    if page.mode == 'F':
        raise ValueError(f'{name} has floating-point pixels: convert it to 8 bits')
    if page.mode.startswith('I'):
        page = Image.fromarray((np.asarray(page) >> 8).astype(np.uint8))
    image = np.asarray(ImageOps.exif_transpose(page).convert('RGB'))
    return np.ascontiguousarray(image[..., ::-1])
