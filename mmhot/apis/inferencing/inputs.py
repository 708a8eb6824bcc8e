"""What MMPose's inferencer takes as inputs: pictures one by one, and films."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.arrays import decode_image
from mmhot.video.capture import Capture
from mmhot.video.frames import (
    Frame,
    FrameSource,
    ImageSequence,
    is_image,
    read_image,
)
from mmhot.video.inputs import open_inputs
from mmhot.video.streams import is_url, open_stream


@dataclass(frozen=True)
class Picture:
    """A picture that is read when its turn comes.

    Attributes:
        name (str): File name for results, such as ``'walk.jpg'``.
        read (Callable): Returns BGR, uint8 (H, W, 3).
        path (Path, optional): Its file.
    """

    name: str
    read: Callable[[], np.ndarray]
    path: Path | None = None

    @property
    def stem(self) -> str:
        """Name of its results."""
        return Path(self.name).stem


class PictureFilm:
    """Pictures that are the frames of one film; a :class:`FrameSource`.

    Args:
        pictures (list[Picture]): In order.
        fps (float): Frames per second.
    """

    def __init__(self, pictures: list[Picture], fps: float) -> None:
        self._pictures = pictures
        first = pictures[0]
        self.path = first.path or Path(first.name)
        if len(pictures) > 1 and first.path:
            self.path = first.path.resolve().parent
        self.name = self.path.stem
        self.fps = fps
        self.num_frames: int | None = len(pictures)
        self.ended: str | None = None
        self.num_damaged = 0

    def __iter__(self) -> Iterator[Frame]:
        """Read one after the other, as long as they are of one size."""
        self.ended, shape = None, None
        for index, picture in enumerate(self._pictures):
            image = picture.read()
            if shape not in (None, image.shape):
                self.ended = f'stopped before {picture.name}, which has another size'
                return
            shape = image.shape
            yield Frame(index, index / self.fps, image)


class Webcam:
    """A webcam as a film without an end; a :class:`FrameSource`.

    Frames that nobody has time for are left out.

    Args:
        number (str): Of the webcam, or its device.
    """

    def __init__(self, number: str) -> None:
        self._stream = open_stream(number)
        self.name = self._stream.name
        self.path = Path(self._stream.address)
        self.fps = self._stream.fps
        self.num_frames: int | None = None
        self.ended: str | None = None
        self.num_damaged = 0

    def __iter__(self) -> Iterator[Frame]:
        """Read until nobody wants more."""
        with Capture(self._stream) as capture:
            yield from (item for item in capture if isinstance(item, Frame))


Input = Picture | FrameSource


def open_all(inputs: Any, fps: float | None = None) -> Iterable[Input]:
    """Open what the inferencer was called with.

    Args:
        inputs (str | Path | np.ndarray | Iterable): A picture, a video, a folder or
            glob of these, an address, a webcam (``'webcam'``, ``'webcam:1'``), a BGR
            array (H, W, 3), or several of all these.
        fps (float, optional): Makes all pictures one film of that rate.

    Returns:
        Iterable[Input]: Of lists and single inputs, all opened; of other iterables,
        opened one by one.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If it is something else.
    """
    if isinstance(inputs, str | Path | np.ndarray):
        inputs = [inputs]
    if not isinstance(inputs, Iterable):
        raise ValueError(
            'inputs must be a path, an address, an array or several of these, got '
            f'{type(inputs).__name__}'
        )
    opened = (each for index, item in enumerate(inputs) for each in _open(item, index))
    if fps is not None:
        opened = list(opened)
        pictures = [each for each in opened if isinstance(each, Picture)]
        films = [each for each in opened if not isinstance(each, Picture)]
        return ([PictureFilm(pictures, fps)] if pictures else []) + films
    return list(opened) if isinstance(inputs, list | tuple) else opened


def _open(item: Any, index: int) -> list[Input]:
    """Pictures and films that one input names."""
    if isinstance(item, np.ndarray):
        # what MMPose calls them
        return [Picture(f'{index:06}.jpg', partial(_checked, item, index))]
    if not isinstance(item, str | Path):
        raise ValueError(
            f'input {index} must be a path, an address or an array, got '
            f'{type(item).__name__}'
        )
    text = str(item)
    if text.lower().startswith('webcam'):
        return [Webcam(text.partition(':')[2] or '0')]
    if is_url(text) and is_image(text.partition('?')[0]):
        name = Path(text.partition('?')[0]).name
        return [Picture(name, partial(_download, text))]
    opened: list[Input] = []
    for source in open_inputs([text]):
        if isinstance(source, ImageSequence):
            opened += [
                Picture(path.name, partial(read_image, path), path)
                for path in source.paths
            ]
        else:
            opened.append(source)
    return opened


def _checked(image: np.ndarray, index: int) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'input {index} must be a BGR picture, uint8 (H, W, 3), got {image.dtype} '
            f'{image.shape}'
        )
    return image


def _download(url: str) -> np.ndarray:
    from mmengine.fileio import get

    try:
        data = get(url)
    except OSError as error:
        raise OSError(f'{url} cannot be had: {error}') from error
    return decode_image(data, url)
