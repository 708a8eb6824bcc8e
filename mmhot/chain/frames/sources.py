"""Sources of a clip's frames, also from memory, and observers of frames."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError, escape
from mmhot.structures.people import People

_LOGGER = logging.getLogger(__name__)

DEFAULT_FPS = 25.0
"""Frames per second of sources that state no rate: raw streams, folders of images."""


@dataclass
class Frame:
    """One frame of a clip.

    Attributes:
        index (int): Frame number, from 0.
        time (float): Seconds since the first frame; NaN if unknown.
        image (np.ndarray): BGR, uint8 (H, W, 3), upright.
        skipped (Sequence[float]): Times in seconds of the frames that were left out
            just before this one.
        arrived (float): Time at which it was read, in seconds of `time.monotonic`.
    """

    index: int
    time: float
    image: np.ndarray = field(repr=False)
    skipped: Sequence[float] = ()
    arrived: float = field(default_factory=monotonic, compare=False, repr=False)


class FrameSource(ABC):
    """Frames of a clip, read in order.

    Args:
        name (str): Name of the result files.
        path (Path): File, folder or address.
        fps (float): Mean frames per second.
        num_frames (int, optional): Number of frames, if known.
    """

    finite = True  # whether the source has an end; if not, frames come in real time
    ended: str | None = None  # after reading, one line that says why it ended early
    # Number of frames so far that were decoded from damaged data, or skipped.
    num_damaged = 0
    once = False  # whether frames can be read only once
    in_memory = False  # whether the path is only a name, without a file
    span = (0.0, inf)  # seconds from which, and before which, frames are read
    view: Sequence[str] = ()  # how its frames were cropped and turned
    names: Sequence[str] = ()  # names of the frames by number, if each is a file
    focal_35mm: float | None = None  # 35 mm equivalent focal length of the file

    def __init__(
        self, name: str, path: Path, fps: float, num_frames: int | None = None
    ) -> None:
        self.name = name
        self.path = path
        self.fps = fps
        self.label = escape(path)  # name in messages
        self.num_frames = num_frames
        self._first: tuple[int, int] | None = None  # height and width of the first
        self._said: set[str] = set()

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Read from the start."""

    def _warn_once(self, text: str, *values: object) -> None:
        """Log a warning that begins with the label, unless it was logged before."""
        if text not in self._said:
            self._said.add(text)
            _LOGGER.warning(text, self.label, *values)

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        """Scale and pad an image (H, W, 3) to the size of the first one, centered."""
        height, width = image.shape[:2]
        if self._first is None:
            self._first = height, width
        rows, columns = self._first
        if (rows, columns) == (height, width):
            return image
        self._warn_once(
            '%s: frames of %dx%d pixels are scaled and padded to %dx%d',
            width,
            height,
            columns,
            rows,
        )
        from mmhot.geometry.crops import warp_smoothly  # imports OpenCV

        scale = min(rows / height, columns / width)
        margins = np.subtract([columns, rows], np.multiply(scale, [width, height]))
        matrix = np.column_stack([scale * np.eye(2), margins / 2])
        return warp_smoothly(image, matrix, (columns, rows))


def check_image(image: Any, what: str = 'arrays') -> np.ndarray:
    """Return an image as an array, BGR uint8 (H, W, 3).

    Args:
        image (Any): The image.
        what (str): Name of the image in the message.

    Returns:
        np.ndarray: The image, not copied if it is an array.

    Raises:
        ValueError: If it has another shape or type.
    """
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
        fps (float | None): Frames per second; a single image needs none.

    Raises:
        TypeError: If ``images`` are not iterable.
        ArgumentError: If the frame rate is missing.
        ValueError: When frames are read, if an image has another shape or type.
    """

    def __init__(self, images: Iterable[np.ndarray], fps: float | None) -> None:
        is_single = isinstance(images, np.ndarray) and images.ndim == 3
        self._images = [images] if is_single else images
        if not isinstance(self._images, Iterable):
            raise TypeError(
                'source must be a path, an address, or images, got '
                f'{type(images).__name__}'
            )
        if fps is None and not is_single:
            raise ArgumentError('{fps} must be given with frames in memory')
        count = len(self._images) if isinstance(self._images, Sized) else None
        super().__init__('frames', Path('frames'), fps or DEFAULT_FPS, count)
        self.once = iter(self._images) is self._images
        self.in_memory = True

    def __iter__(self) -> Iterator[Frame]:
        """Check each image when it is read, and copy it: the next may refill it."""
        for index, image in enumerate(self._images):
            image = check_image(image, f'frame {index}').copy()
            yield Frame(index, index / self.fps, self._fitted(image))


class FrameView(FrameSource):
    """Changed frames of another source, ``whole``, with the same attributes."""

    def __init__(self, whole: FrameSource) -> None:
        vars(self).update(vars(whole))
        self.whole = whole


class FrameObserver(ABC):
    """Interface of observers that see every frame and its people, once, in order.

    Attributes:
        name (str): Name of its arrays in the cache; it changes when the results do.
        is_kept (bool): Whether its arrays are cached.
    """

    name: str
    is_kept = True

    @abstractmethod
    def observe(
        self, index: int, image: np.ndarray, people: People, new_shot: bool
    ) -> None:
        """Look at the next frame.

        Args:
            index (int): Number of the frame.
            image (np.ndarray): BGR image, uint8 (H, W, 3).
            people (People): The people in it.
            new_shot (bool): Whether a shot begins with it, as with the first frame.
        """

    def arrays(self) -> dict[str, np.ndarray]:
        """Return arrays of all frames, (T, ...), by name, to be cached."""
        return {}


def warn_of_damage(source: FrameSource, ended: str | None = None) -> None:
    """Log why reading a video ended early, and how many frames are damaged.

    Args:
        source (FrameSource): The video, after it was read.
        ended (str, optional): Reason of an earlier run, if frames are cached.
    """
    if ended or source.ended:
        _LOGGER.warning('%s', ended or source.ended)
    if source.num_damaged:
        _LOGGER.warning('%s: %d frames are damaged', source.path, source.num_damaged)
