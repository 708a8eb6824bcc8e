"""Inputs by path, folder, glob, list or address: videos, images, keypoint files."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from pathlib import Path
from typing import NoReturn

import numpy as np

from mmhot.errors import escape, ignored_warnings, require_file
from mmhot.io.images import is_animated, is_image
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.mmpose import natural_key
from mmhot.structures.clips import Clip2D, clip_name
from mmhot.video.animations import AnimatedImage
from mmhot.video.frames import (
    DEFAULT_FPS,
    VIDEO_SUFFIXES,
    FrameSource,
    ImageSequence,
    VideoFile,
)
from mmhot.video.streams import RemoteVideo, is_url, is_webcam

_LOGGER = logging.getLogger(__name__)

_KEYPOINT_SUFFIXES = {'.npz', '.json'}
_LIST_SUFFIX = '.txt'
# Photos of phones, in tiles: FFmpeg takes them for videos and decodes the first tile.
_HEIF_SUFFIXES = {'.heic', '.heif', '.hif'}
_GIF = '.gif'
# Read by FFmpeg, but only the first image of animated ones.
_AVIF = ('.avif', '.avifs')
_OWN_RATE = '%s has its own rate: fps is for folders of images'
# Images are frames of a sequence if their names end with numbers that are multiples of
# a step up to 100, and at most 10 steps apart on average.
_NUMBERED = re.compile(r'(.*?)(\d+)')
_MAX_STEP, _MAX_MEAN_GAP = 100, 10
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class ClipInput:
    """One clip that is opened on demand; can be pickled.

    Attributes:
        path (Path): File, folder or address.
        name (str): Name of the result files.
        open (Callable): Returns the clip: frames, or 2D keypoints. Raises ValueError
            or OSError if it cannot be read.
        has_keypoints (bool): Whether no 2D model is needed.
    """

    path: Path
    name: str
    open: Callable[[], FrameSource | Clip2D]
    has_keypoints: bool = False


def find_inputs(texts: list[str], fps: float | None = None) -> list[ClipInput]:
    """Find the clips of a list of inputs.

    Args:
        texts (list[str]): As of :func:`open_inputs`, files of 2D keypoints (``.npz``,
            ``.json``), and lists of these (``.txt``), one per line. Empty lines and
            lines that begin with # are ignored; wrong lines fail when they are opened.
        fps (float, optional): Frames per second of image folders and keypoints.

    Raises:
        FileNotFoundError: If an input does not exist, or a glob or folder is empty.
        ValueError: If a list is empty or not a text file.
    """
    inputs = []
    for text in texts:
        if Path(text).suffix.lower() == _LIST_SUFFIX:
            inputs += _read_list(Path(text), fps)
        else:
            inputs += _find(text, fps)
    return inputs


def open_inputs(texts: list[str], fps: float | None = None) -> list[FrameSource]:
    """Open videos and images.

    Args:
        texts (list[str]): Video files, images (a clip of one frame each), folders of
            images (one clip if ``fps`` is given or they are numbered and of one size,
            otherwise one each) or of videos (one each), globs, and URLs of videos.
        fps (float, optional): Frames per second of image folders.

    Raises:
        FileNotFoundError: If an input does not exist, or a glob or folder is empty.
        ValueError: If a file is not readable, or an input is a stream without an end.
    """
    sources = []
    for text in texts:
        path = Path(text)
        if is_url(text):
            sources.append(RemoteVideo(text))
        elif is_webcam(text):
            raise ValueError(
                f'{text} is a webcam, a stream without an end: run it live'
            )
        elif path.is_dir():
            sources += _open_folder(path, fps)
        elif has_magic(text) and not path.exists():
            sources += [_open_file(file, fps) for file in _glob_files(text)]
        else:
            sources.append(_open_file(path, fps))
    return sources


def _read_list(path: Path, fps: float | None) -> list[ClipInput]:
    require_file(path)
    try:
        lines = [line.strip() for line in path.read_text('utf-8-sig').splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no list of inputs: not UTF-8 text') from error
    inputs = []
    lines = [line for line in lines if line and not line.startswith('#')]
    for line in lines:
        try:
            inputs += _find(line, fps)
        except (OSError, ValueError) as error:
            fail = partial(_fail, error)
            inputs.append(
                ClipInput(Path(line), escape(Path(line).stem or line, '_'), fail)
            )
    if not inputs:
        raise ValueError(f'{path} names no input: one per line is expected')
    return inputs


def _find(text: str, fps: float | None) -> list[ClipInput]:
    path = Path(text)
    if path.is_file() or path.suffix.lower() in _KEYPOINT_SUFFIXES:
        return [_file_input(path, fps)]
    if has_magic(text) and not path.exists() and not is_url(text):
        return [_file_input(file, fps) for file in _glob_files(text)]
    sources = open_inputs([text], fps)
    for source in sources:
        if fps is None and isinstance(source, ImageSequence) and source.num_frames > 1:
            _LOGGER.warning(
                '%s: its %d numbered images are taken for a video of %g frames per '
                "second; set fps for another rate, or use '%s/*' for separate images",
                text,
                source.num_frames,
                source.fps,
                text.rstrip('/'),
            )
    return [
        ClipInput(source.path, source.name, partial(_identity, source))
        for source in sources
    ]


def _file_input(path: Path, fps: float | None) -> ClipInput:
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if path.suffix.lower() in _KEYPOINT_SUFFIXES:
        read = partial(read_keypoints, path, fps=fps)
        return ClipInput(path, clip_name(path), read, has_keypoints=True)
    return ClipInput(path, clip_name(path), partial(_open_file, path, fps))


def _glob_files(text: str) -> list[Path]:
    files = [Path(name) for name in sorted(glob(text, recursive=True), key=natural_key)]
    files = [file for file in files if file.is_file()]
    if not files:
        raise FileNotFoundError(f'no file matches {text}')
    return files


def _identity(source: FrameSource) -> FrameSource:
    return source


def _fail(error: Exception) -> NoReturn:
    raise error


def _open_file(path: Path, fps: float | None) -> FrameSource:
    require_file(path)
    suffix = path.suffix.lower()
    may_be = is_image(path) or suffix in _AVIF
    if suffix == _GIF or (may_be and is_animated(path)):
        return _open_animation(path, fps)
    if is_image(path):
        return ImageSequence([path], clip_name(path), fps or DEFAULT_FPS)
    if suffix in _HEIF_SUFFIXES:
        raise ValueError(f'{path} is a HEIF image: convert it to JPEG or PNG')
    video = VideoFile(path)
    if fps is not None:
        _LOGGER.warning(_OWN_RATE, path)
    return video


def _open_animation(path: Path, fps: float | None) -> AnimatedImage:
    image = AnimatedImage(path, fps or DEFAULT_FPS)
    if fps is None and not image.has_rate:
        _LOGGER.warning(
            '%s: its %d pages are taken for a video of %g frames per second; set fps '
            'for another rate',
            path,
            image.num_frames,
            image.fps,
        )
    elif fps is not None and image.has_rate:
        _LOGGER.warning(_OWN_RATE, path)
    return image


def _open_folder(folder: Path, fps: float | None) -> list[FrameSource]:
    files = [file for file in folder.iterdir() if file.is_file()]
    files.sort(key=lambda file: natural_key(file.name))
    files = [file for file in files if not file.name.startswith('.')]
    images = [file for file in files if is_image(file) and not is_animated(file)]
    sources: list[FrameSource] = []
    if images and (fps or _is_sequence(images)):
        sources.append(ImageSequence(images, clip_name(folder), fps or DEFAULT_FPS))
    else:
        sources += [_open_file(image, fps) for image in images]
    still = set(images)
    for file in files:
        if file.suffix.lower() in _HEIF_SUFFIXES:
            _LOGGER.warning('%s is skipped: convert it to JPEG or PNG', file)
        elif file not in still:
            try:
                sources.append(_open_file(file, fps))
            except ValueError as error:
                # other files need no warning
                if file.suffix.lower() in VIDEO_SUFFIXES:
                    _LOGGER.warning('%s; it is skipped', error)
    if not sources:
        raise FileNotFoundError(f'{folder} has neither images nor videos')
    return sources


def _is_sequence(images: list[Path]) -> bool:
    """Return whether images are numbered like frames and of one size."""
    if len(images) == 1:
        return False
    names = [_NUMBERED.fullmatch(path.stem) for path in images]
    if not all(names) or len({name[1] for name in names}) > 1:
        return False
    steps = np.diff([int(name[2]) for name in names])
    step = np.gcd.reduce(steps)
    if not 1 <= step <= _MAX_STEP or steps.mean() > _MAX_MEAN_GAP * step:
        return False
    sizes = {_upright_size(path) for path in images}
    return len(sizes - {None}) <= 1


def _upright_size(path: Path) -> tuple[int, int] | None:
    """Return width and height; None if the image is broken, or huge."""
    # takes a tenth of a second, and only folders need it
    from PIL import Image

    try:
        with ignored_warnings(), Image.open(path) as image:
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) > 4
            return image.size[::-1] if turned else image.size
    except Exception:  # damaged headers raise nearly anything, large images as well
        return None
