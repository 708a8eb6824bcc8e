"""Inputs by path, folder, glob, list or address: videos and images."""

import logging
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from glob import escape as escape_glob
from glob import glob, has_magic
from pathlib import Path
from typing import NoReturn

import numpy as np

from mmhot.errors import escape, naming, public_url, require_file
from mmhot.frames.decoding import VIDEO_SUFFIXES, is_url, name_of_url
from mmhot.frames.files import ImageSequence, VideoFile
from mmhot.frames.sources import DEFAULT_FPS, FrameSource
from mmhot.frames.streams import is_webcam
from mmhot.io.arrays import read_limited
from mmhot.io.images import image_size, is_image
from mmhot.io.readers.frame_numbers import name_form, natural_key, read_numbers
from mmhot.io.readers.keypoints import has_keypoints
from mmhot.structures.clips import clip_name

_LOGGER = logging.getLogger(__name__)

_LIST_SUFFIX = '.txt'
_MAX_INPUTS, _MAX_LIST_BYTES = 50_000, 16 << 20
# Photos of phones, in tiles: FFmpeg takes them for videos and decodes the first tile.
_HEIF_SUFFIXES = {'.heic', '.heif', '.hif'}
# Images are frames of a sequence if their numbers are multiples of a step up to 100,
# and at most 10 steps apart on average.
_MAX_STEP, _MAX_MEAN_GAP = 100, 10
# Fewest images of a sequence of which others are left out, and their share.
_MIN_FRAMES, _MIN_SHARE = 3, 0.75


@dataclass(frozen=True)
class ClipInput:
    """One clip that is opened on demand; can be pickled."""

    path: Path  # file, folder or address
    name: str  # name of the result files
    # returns the frames. Raises ValueError or OSError if they cannot be read
    open: Callable[[], FrameSource]


def find_inputs(texts: list[str], fps: float | None = None) -> list[ClipInput]:
    """Find the clips of a list of inputs.

    Args:
        texts (list[str]): Video files, images (a clip of one frame each), folders of
            images (one clip if ``fps`` is given or they are numbered and of one size,
            otherwise one each) or of videos (one each), globs, URLs of videos, and
            lists of these (``.txt``), one per line. Empty lines and lines that begin
            with # are ignored; wrong lines fail when they are opened.
        fps (float, optional): Frames per second of image folders, and of the recording
            of videos.

    Raises:
        FileNotFoundError: If an input does not exist, or a glob or folder is empty.
        ValueError: If a list is empty or not a text file, or an input has keypoints.
    """
    inputs = []
    for text in texts:
        is_list = Path(text).suffix.lower() == _LIST_SUFFIX
        inputs += _read_list(Path(text), fps) if is_list else _find(text, fps)
    return inputs


def open_inputs(texts: list[str], fps: float | None = None) -> list[FrameSource]:
    """Open videos and images: inputs of :func:`find_inputs` but lists."""
    return [item.open() for text in texts for item in _find(text, fps)]


def open_clip(text: str, fps: float | None = None) -> FrameSource:
    """Open one video or sequence of images.

    Raises:
        ValueError: If there are several.
    """
    inputs = find_inputs([text], fps)
    if len(inputs) != 1:
        raise ValueError(f'source must be one clip, got {len(inputs)} in {text}')
    return inputs[0].open()


def _read_list(path: Path, fps: float | None) -> list[ClipInput]:
    require_file(path)
    with naming(path):
        try:
            text = read_limited(path, _MAX_LIST_BYTES).decode('utf-8-sig')
        except UnicodeDecodeError as error:
            raise ValueError('is not a list of inputs: not UTF-8 text') from error
        lines = [line.strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not line.startswith('#')]
        if lines and re.fullmatch(r'[-+.\deE]+(\s+[-+.\deE]+){4,}', lines[0]):
            text = 'has numbers, not inputs: give the folder of such files of YOLO'
            raise ValueError(f'{text} to mmhot lift (docs/output-formats.md)')
        if len(lines) > _MAX_INPUTS:
            text = f'has {len(lines)} inputs: give several lists of at most'
            raise ValueError(f'{text} {_MAX_INPUTS}')
        if not lines:
            raise ValueError('names no input: one per line is expected')
    inputs = []
    for line in lines:
        try:
            inputs += _find(line, fps)
        except (OSError, ValueError) as error:
            name = escape(Path(line).stem, '_')
            inputs.append(ClipInput(Path(line), name, partial(_fail, error)))
    return inputs


def _find(text: str, fps: float | None) -> list[ClipInput]:
    path = Path(text)
    if is_url(text):
        path = Path(public_url(text))
        return [ClipInput(path, name_of_url(text), partial(VideoFile, text, fps))]
    if is_webcam(text):
        raise ValueError(f'{text} is a webcam: lift it with `mmhot stream {text}`')
    if path.is_dir():
        return _find_in_folder(path, fps)
    if not has_magic(text) or path.exists():
        return [_file_input(path, fps)]
    names = sorted(glob(_escape_folders(text), recursive=True), key=natural_key)
    files = [Path(name) for name in names if Path(name).is_file()]
    if not files:
        raise FileNotFoundError(f'no file matches {text}')
    return [_file_input(file, fps) for file in files]


def _escape_folders(pattern: str) -> str:
    """Escape the characters of a glob in folders that exist."""
    for parent in Path(pattern).parents:
        if has_magic(str(parent)) and parent.is_dir():
            rest = Path(pattern).relative_to(parent)
            return str(Path(escape_glob(str(parent)), rest))
    return pattern


def _file_input(path: Path, fps: float | None) -> ClipInput:
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if has_keypoints(path):
        command = f'mmhot lift {shlex.quote(str(path))}'
        raise ValueError(f'{path} has keypoints, no images: lift them, `{command}`')
    return ClipInput(path, clip_name(path), partial(_open_file, path, fps))


def _fail(error: Exception) -> NoReturn:
    raise error


def _open_file(path: Path, fps: float | None) -> FrameSource:
    require_file(path)
    if is_image(path):
        return ImageSequence([path], clip_name(path), fps or DEFAULT_FPS)
    if path.suffix.lower() in _HEIF_SUFFIXES:
        raise ValueError(f'{path} is a HEIF image: convert it to JPEG or PNG')
    return VideoFile(path, fps)


def _find_in_folder(folder: Path, fps: float | None) -> list[ClipInput]:
    files = sorted(folder.glob('[!.]*'), key=lambda file: natural_key(file.name))
    images = [file for file in files if is_image(file)]
    videos = VIDEO_SUFFIXES | _HEIF_SUFFIXES
    single = [file for file in files if file.suffix.lower() in videos]
    inputs = []
    frames, numbers = _number_images(images, has_gaps=fps is not None)
    is_video = fps or (
        numbers is not None and len({*map(image_size, frames)} - {None}) <= 1
    )
    if images and is_video:
        _warn_of_numbers(folder, images, frames, numbers)
        if fps is None:
            _LOGGER.warning(
                '%s: its numbered images are taken for a video of %g frames per '
                "second; give another rate as fps, or use '%s/*' for separate images",
                folder,
                DEFAULT_FPS,
                folder,
            )
        name = clip_name(folder)
        read = partial(ImageSequence, frames, name, fps or DEFAULT_FPS, numbers)
        inputs.append(ClipInput(folder, name, read))
    else:
        single = images + single
    inputs += [_file_input(file, fps) for file in single]
    if not inputs and has_keypoints(folder):
        inputs.append(_file_input(folder, fps))
    if not inputs:
        raise FileNotFoundError(f'{folder} has no images, videos or 2D keypoints')
    return inputs


def _number_images(
    images: list[Path], has_gaps: bool
) -> tuple[list[Path], list[int] | None]:
    """Return the images named like most, in order, and their frame numbers, or None.

    Sparse ones are separate images, unless the sequence ``has_gaps``. A step that all
    numbers have in common counts as one frame.
    """
    alike: dict[str, list[Path]] = {}
    for path in images:
        alike.setdefault(name_form(path.name), []).append(path)
    main = max(alike.values(), key=len, default=[])
    if len(main) >= max(_MIN_FRAMES, _MIN_SHARE * len(images)):
        images = main
    numbers = None
    with suppress(ValueError):  # of several videos
        numbers = read_numbers([path.name for path in images], 'file_name')
    if numbers is None or len(images) == 1:
        return images, None
    order = np.argsort(numbers, kind='stable')
    steps = np.diff(numbers[order])
    step = np.gcd.reduce(steps)
    is_sparse = steps.mean() > _MAX_MEAN_GAP * step and not has_gaps
    if not 1 <= step <= _MAX_STEP or steps.min() < 1 or is_sparse:
        return images, None
    return [images[row] for row in order], (numbers[order] // step).tolist()


def _warn_of_numbers(
    folder: Path, images: list[Path], frames: list[Path], numbers: list[int] | None
) -> None:
    """Log what the names of a sequence leave open."""
    label, others = escape(folder), sorted({*images} - {*frames})
    if others:
        names = escape(', '.join(path.name for path in others))
        text = (
            '%s: %d images are left out, as they are not named like the others: %.80s'
        )
        _LOGGER.warning(text, label, len(others), names)
    if numbers is None and len(frames) > 1:
        text = '%s: names of images do not number the frames; read in order'
        _LOGGER.warning(text, label)
    elif numbers is not None:
        found = read_numbers([path.name for path in frames], 'file_name')
        step = 1 if found is None else np.gcd.reduce(np.diff(found))
        if step > 1:
            text = '%s: images are numbered in steps of %d, which count as one frame'
            _LOGGER.warning(text, label, step)
