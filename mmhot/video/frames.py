"""Frames of videos and pictures, with their true times."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from glob import glob, has_magic
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type

from mmhot.errors import require_file
from mmhot.io.arrays import decode_image
from mmhot.io.readers.mmpose import natural_key
from mmhot.video.clock import USUAL_RATE, Clock, mean_rate
from mmhot.video.urls import is_url, is_webcam, name_of_url, public_url

_LOGGER = logging.getLogger(__name__)

_IMAGES = {'.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff'}
# Phones' pictures, in tiles: FFmpeg takes them for videos and gives the first tile.
_TILED = {'.heic', '.heif', '.hif'}
# Files of a folder that are meant to be films; others are tried as well.
_FILMS = {'.mp4', '.mov', '.m4v', '.avi', '.mkv', '.webm', '.mpg', '.mpeg'}
_FILMS |= {'.mts', '.m2ts', '.wmv', '.3gp', '.flv', '.ogv'}
# How much earlier than promised a film may end, seconds and share: sound lasts longer.
_EARLY, _EARLY_SHARE = 0.5, 0.02
# A name that ends with a number; how far apart numbers of a film's frames are, and how
# many times that on average, where some are missing.
_NUMBER = re.compile(r'(.*?)(\d+)')
_LARGEST_STEP, _LARGEST_GAP = 100, 10
# Tag by which pictures are turned; above 4 by a quarter.
_ORIENTATION = 0x0112
# Pixels that are so nearly square are shown as they are.
_SQUARE = 0.01
# Seconds that a server may take to answer, and between two frames.
_NETWORK_TIMEOUT = (10.0, 30.0)


@dataclass
class Frame:
    """One picture of a clip.

    Attributes:
        index (int): Number, from 0.
        time (float): Seconds since the first.
        image (np.ndarray): BGR, uint8 (H, W, 3), as a player shows it.
    """

    index: int
    time: float
    image: np.ndarray


class FrameSource(Protocol):
    """A clip that can be read once, in order.

    Attributes:
        name (str): For the results' files.
        path (Path): Where it comes from.
        fps (float): Mean frames per second.
        num_frames (int | None): How many there should be, if known.
        ended (str | None): Once it was read: why that ended early, one line.
        num_damaged (int): Frames so far that were decoded from damaged data.
    """

    name: str
    path: Path
    fps: float
    num_frames: int | None
    ended: str | None
    num_damaged: int

    def __iter__(self) -> Iterator[Frame]: ...


class VideoFile:
    """Frames of a video file, turned upright.

    Whatever can be decoded before a break in the file is given; ``ended`` then says
    where and why it stopped.

    Args:
        path (str | Path): The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no video.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.label = str(path)
        self.name = self.path.stem
        require_file(path)
        self._look()

    def _look(self) -> None:
        """Open it once, for what it says about itself."""
        self.ended: str | None = None
        self.num_damaged = 0
        with self._open() as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ValueError(
                    f'{self.label} is in a codec that cannot be decoded here: convert '
                    'it, to H.264 for example'
                )
            self.num_frames = _frames_shown(stream)
            self.fps = mean_rate(container)

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the start."""
        self.ended, self.num_damaged = None, 0
        index, shape, clock, end = 0, None, Clock(self.fps), 0.0
        with self._open() as container:
            promised = _seconds_promised(container)
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            frames = container.decode(stream)
            while True:
                try:
                    frame = next(frames)
                except StopIteration:
                    break
                except (av.error.FFmpegError, OSError, ValueError) as error:
                    self.ended = self._report(index, error)
                    return
                image = upright(frame, stream.sample_aspect_ratio)
                if shape not in (None, image.shape):
                    change = _compare(image.shape, shape)
                    self.ended = f'{self.label} ends at frame {index}: {change}'
                    return
                shape = image.shape
                time = index / self.fps if frame.time is None else frame.time
                end = time + 1 / self.fps
                self.num_damaged += bool(frame.is_corrupt)
                yield Frame(index, clock(time), image)
                index += 1
        if self.num_frames and index < self.num_frames - 1:
            self.ended = f'{self.label} ends after {index} of {self.num_frames} frames'
        elif promised - end > _EARLY + _EARLY_SHARE * promised:
            self.ended = (
                f'{self.label} ends after {end:.1f} of {promised:.1f} seconds, '
                f'{index} frames'
            )

    def _open(self):
        try:
            container = self._container()
        except (av.error.FFmpegError, OSError) as error:
            why = reason(error)
            if self.path.suffix.lower() in _FILMS:
                why += ' (perhaps the recording was not finished, or the copy)'
            raise ValueError(f'{self.label} is no readable video: {why}') from error
        if not container.streams.video:
            container.close()
            raise ValueError(f'{self.label} has no video in it')
        return container

    def _container(self):
        return av.open(str(self.path))

    def _report(self, index: int, error: Exception) -> str:
        total = f' of {self.num_frames}' if self.num_frames else ''
        return f'{self.label} is damaged after {index}{total} frames: {reason(error)}'


class RemoteVideo(VideoFile):
    """A film with an end that is read over the network.

    Args:
        url (str): Its address.

    Raises:
        ValueError: If it cannot be reached, is no video, or has no end.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.label = public_url(url)
        self.path = Path(self.label)  # of no file
        self.name = name_of_url(url)
        self._look()

    def _container(self):
        container = av.open(self.url, timeout=_NETWORK_TIMEOUT)
        if container.duration is None:
            container.close()
            raise ValueError(
                f'{self.label} is a stream without an end: add --live, which '
                'goes on until --duration or Ctrl-C'
            )
        return container


class Pictures:
    """Picture files as the frames of a clip.

    Args:
        paths (list[Path]): The files, in order.
        name (str): Of the clip.
        fps (float, optional): Frames per second that they are taken to have.
    """

    def __init__(self, paths: list[Path], name: str, fps: float = USUAL_RATE) -> None:
        self.paths = paths
        self.path = paths[0] if len(paths) == 1 else paths[0].parent
        self.name = name
        self.fps = fps
        self.num_frames: int | None = len(paths)
        self.ended: str | None = None
        self.num_damaged = 0

    def __iter__(self) -> Iterator[Frame]:
        """Decode one after the other."""
        self.ended, shape = None, None
        for index, path in enumerate(self.paths):
            try:
                image = read_image(path)
            except (ValueError, OSError) as error:
                self.ended = f'stopped before picture {index}: {error}'
                return
            if shape not in (None, image.shape):
                self.ended = f'stopped before {path}: {_compare(image.shape, shape)}'
                return
            shape = image.shape
            yield Frame(index, index / self.fps, image)


def _compare(shape: tuple[int, ...], before: tuple[int, ...]) -> str:
    """Say how large a picture is, and how large those before it."""
    sizes = f'it is {shape[1]}x{shape[0]} pixels, those before'
    return f'{sizes} {before[1]}x{before[0]}'


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture, turned as its file says.

    Args:
        path (str | Path): The file.

    Returns:
        np.ndarray: BGR, uint8 (H, W, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no picture.
    """
    path = require_file(path)
    # imread takes no names that the system's encoding lacks
    return decode_image(path.read_bytes(), str(path))


def is_image(name: str | Path) -> bool:
    """Whether a file's name is a picture's."""
    return Path(name).suffix.lower() in _IMAGES


def open_inputs(
    texts: list[str], fps: float | None = None
) -> list[VideoFile | Pictures]:
    """Open what a user named.

    Args:
        texts (list[str]): Video files, pictures (a clip of one frame each), folders of
            pictures (one clip if ``fps`` is given or they are numbered and of one size,
            otherwise one each) or of videos (one each), globs, and addresses of videos.
        fps (float, optional): Frames per second of folders of pictures.

    Returns:
        list[VideoFile | Pictures]: In the order named, files by natural order.

    Raises:
        FileNotFoundError: If something does not exist, or a glob or folder is empty.
        ValueError: If a file is neither, or it is a stream, which has no end.
    """
    sources = []
    for text in texts:
        path = Path(text)
        if is_url(text):
            sources.append(RemoteVideo(text))
        elif is_webcam(text):
            raise ValueError(
                f'{text} is a webcam: add --live, which goes on until --duration or '
                'Ctrl-C'
            )
        elif path.is_dir():
            sources += _open_folder(path, fps)
        elif has_magic(text) and not path.exists():
            found = map(Path, sorted(glob(text, recursive=True), key=natural_key))
            found = [file for file in found if file.is_file()]
            if not found:
                raise FileNotFoundError(f'no file is named like {text}')
            sources += [_open_file(file, fps) for file in found]
        else:
            sources.append(_open_file(path, fps))
    return sources


def _open_file(path: Path, fps: float | None) -> VideoFile | Pictures:
    require_file(path)
    if is_image(path):
        return Pictures([path], path.stem, fps or USUAL_RATE)
    if path.suffix.lower() in _TILED:
        raise ValueError(f'{path} is a HEIF picture: convert it to JPEG or PNG')
    film = VideoFile(path)
    if fps is not None:
        _LOGGER.warning('%s has its own rate: fps is for folders of pictures', path)
    return film


def _open_folder(folder: Path, fps: float | None) -> list[VideoFile | Pictures]:
    files = [file for file in folder.iterdir() if file.is_file()]
    files.sort(key=lambda file: natural_key(file.name))
    files = [file for file in files if not file.name.startswith('.')]
    pictures = [file for file in files if is_image(file)]
    sources: list[VideoFile | Pictures] = []
    if pictures and (fps or _is_film(pictures)):
        name = folder.resolve().name
        sources.append(Pictures(pictures, name, fps or USUAL_RATE))
    else:
        sources += [_open_file(picture, fps) for picture in pictures]
    for file in files:
        if file.suffix.lower() in _TILED:
            _LOGGER.warning('%s is left out: convert it to JPEG or PNG', file)
        elif not is_image(file):
            try:
                sources.append(_open_file(file, fps))
            except ValueError as error:
                # whatever else lies there needs no word
                if file.suffix.lower() in _FILMS:
                    _LOGGER.warning('%s, and is left out', error)
    if not sources:
        raise FileNotFoundError(f'{folder} has neither pictures nor videos')
    return sources


def _is_film(pictures: list[Path]) -> bool:
    """Whether pictures are numbered as frames are, with some left out, and alike."""
    if len(pictures) == 1:
        return False
    names = [_NUMBER.fullmatch(path.stem) for path in pictures]
    if not all(names) or len({name[1] for name in names}) > 1:
        return False
    steps = np.diff([int(name[2]) for name in names])
    step = np.gcd.reduce(steps)
    if not 1 <= step <= _LARGEST_STEP or steps.mean() > _LARGEST_GAP * step:
        return False
    sizes = {_size_of(path) for path in pictures}
    return len(sizes - {None}) <= 1


def _size_of(path: Path) -> tuple[int, int] | None:
    """Width and height as it is shown, without decoding it; None if it is broken."""
    # takes a tenth of a second, and only folders need it
    from PIL import Image

    try:
        with Image.open(path) as image:
            turned = image.getexif().get(_ORIENTATION, 1) > 4
            return image.size[::-1] if turned else image.size
    except (OSError, ValueError, SyntaxError):
        return None


def _seconds_promised(container: av.container.InputContainer) -> float:
    """When a film should end, on its own clock; 0 if that is not known."""
    if not container.duration:
        return 0.0
    return (container.duration + (container.start_time or 0)) / av.time_base


def _frames_shown(stream: av.VideoStream) -> int | None:
    """How many frames there should be, if known, without those that were cut off."""
    if not stream.frames:
        return None
    if not (stream.duration and stream.average_rate):
        return stream.frames
    shown = round(stream.duration * stream.time_base * stream.average_rate)
    return min(stream.frames, max(shown, 1))


def upright(frame: av.VideoFrame, pixel_aspect: Fraction | None = None) -> np.ndarray:
    """Pixels of a decoded frame as a player shows them.

    Args:
        frame (av.VideoFrame): As it was decoded.
        pixel_aspect (Fraction, optional): Width of a pixel per its height.

    Returns:
        np.ndarray: BGR, uint8 (H, W, 3), turned and mirrored by what the file says.
    """
    image = frame.to_ndarray(format='bgr24')
    if pixel_aspect and abs(pixel_aspect - 1) > _SQUARE:
        size = (max(round(image.shape[1] * pixel_aspect), 1), image.shape[0])
        image = cv2.resize(image, size)
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return image
    # a point (x, y) is shown at (a x + c y, b x + d y), all in whole quarter turns
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    turned = abs(b) > abs(a)
    if turned:
        image = image.transpose(1, 0, 2)
    across, down = (c, b) if turned else (a, d)
    image = image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
    return np.ascontiguousarray(image)


def reason(error: Exception) -> str:
    """First words of FFmpeg's message."""
    text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return ' '.join(str(text).split())
