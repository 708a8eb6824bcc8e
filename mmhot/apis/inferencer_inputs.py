"""Inputs of the inferencer: single images, and videos."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.images import MAX_PIXELS, decode_image, is_image, read_image
from mmhot.video.capture import Capture
from mmhot.video.frames import (
    Frame,
    FrameSource,
    ImageSequence,
)
from mmhot.video.inputs import open_inputs
from mmhot.video.streams import is_url, open_stream


@dataclass(frozen=True)
class Image:
    """Image that is read when it is processed.

    Attributes:
        name (str): File name of results, such as ``'walk.jpg'``.
        read (Callable): Returns the image, BGR, uint8 (H, W, 3).
        path (Path, optional): Its file.
    """

    name: str
    read: Callable[[], np.ndarray]
    path: Path | None = None


class _Video:
    """Common attributes of a :class:`mmhot.video.frames.FrameSource`."""

    max_pixels = MAX_PIXELS

    def __init__(
        self, name: str, path: Path, fps: float, num_frames: int | None
    ) -> None:
        self.name, self.path, self.fps = name, path, fps
        self.num_frames = num_frames
        self.ended: str | None = None
        self.num_damaged = 0


class ImageVideo(_Video):
    """Images as the frames of one video.

    Args:
        images (Sequence[Image]): Images in order.
        fps (float): Frames per second.
    """

    def __init__(self, images: Sequence[Image], fps: float) -> None:
        self._images = images
        self.paths = [image.path for image in images]
        path = images[0].path or Path(images[0].name)
        if len(images) > 1 and images[0].path:
            path = path.resolve().parent
        super().__init__(path.stem, path, fps, len(images))

    def __iter__(self) -> Iterator[Frame]:
        """Read the images, up to the first one of another size."""
        self.ended, shape = None, None
        for index, image in enumerate(self._images):
            pixels = image.read()
            if shape not in (None, pixels.shape):
                self.ended = f'stopped before {image.name}, which has another size'
                return
            shape = pixels.shape
            yield Frame(index, index / self.fps, pixels)


class Webcam(_Video):
    """Webcam as a video without end; frames are dropped to keep up.

    Args:
        number (str): Number of the webcam, or its device.
    """

    def __init__(self, number: str) -> None:
        self._stream = stream = open_stream(number)
        super().__init__(stream.name, Path(stream.address), stream.fps, None)

    def __iter__(self) -> Iterator[Frame]:
        """Read frames until the caller stops."""
        with Capture(self._stream) as capture:
            yield from (item for item in capture if isinstance(item, Frame))


Input = Image | FrameSource


def open_all(inputs: Any, fps: float | None = None) -> Iterable[Input]:
    """Open the inputs of a call.

    Args:
        inputs (str | Path | np.ndarray | Iterable): Image, video, folder or glob of
            these, address, webcam (``'webcam'``, ``'webcam:1'``), BGR array (H, W, 3),
            or several of these.
        fps (float, optional): Frame rate that makes all images one video.

    Returns:
        Iterable[Input]: A list, unless ``inputs`` is an iterator, which is opened one
        by one.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If an input has another type.
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
        images = [each for each in opened if isinstance(each, Image)]
        videos = [each for each in opened if not isinstance(each, Image)]
        return ([ImageVideo(images, fps)] if images else []) + videos
    return list(opened) if isinstance(inputs, list | tuple) else opened


def _open(item: Any, index: int) -> Iterator[Input]:
    """Open one input, which may contain several images and videos."""
    if isinstance(item, np.ndarray):
        # named as by MMPose
        yield Image(f'{index:06}.jpg', partial(_check_array, item, index))
        return
    if not isinstance(item, str | Path):
        raise ValueError(
            f'input {index} must be a path, an address or an array, got '
            f'{type(item).__name__}'
        )
    text = str(item)
    if text.lower().startswith('webcam'):
        yield Webcam(text.partition(':')[2] or '0')
    elif is_url(text) and is_image(text.partition('?')[0]):
        name = Path(text.partition('?')[0]).name
        yield Image(name, partial(_download, text))
    else:
        for source in open_inputs([text]):
            if not isinstance(source, ImageSequence):
                yield source
                continue
            for path in source.paths:
                yield Image(path.name, partial(read_image, path), path)


def _check_array(image: np.ndarray, index: int) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'input {index} must be a BGR image, uint8 (H, W, 3), got {image.dtype} '
            f'{image.shape}'
        )
    return image


def _download(url: str) -> np.ndarray:
    from mmengine.fileio import get

    try:
        data = get(url)
    except OSError as error:
        raise OSError(f'{url} cannot be downloaded: {error}') from error
    return decode_image(data, url)
