"""What users name as inputs: films, pictures, keypoint files, and lists of these."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from pathlib import Path
from typing import NoReturn

from mmhot.clips import Clip2D
from mmhot.errors import require_file
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.readers.mmpose import natural_key
from mmhot.video.frames import FrameSource, Pictures, open_inputs
from mmhot.video.urls import is_url

_LOGGER = logging.getLogger(__name__)

_KEYPOINT_FILES = {'.npz', '.json'}
_LISTS = {'.txt'}


@dataclass(frozen=True)
class ClipInput:
    """One clip, which is opened when its turn comes; goes to other processes as it is.

    Attributes:
        path (Path): File, folder or address.
        name (str): For the results' files.
        open (Callable): Returns the clip: frames, or 2D keypoints. Raises ValueError
            or OSError if it cannot be read.
        has_keypoints (bool): Whether no 2D model is needed.
    """

    path: Path
    name: str
    open: Callable[[], FrameSource | Clip2D]
    has_keypoints: bool = False


def find_inputs(texts: list[str], fps: float | None = None) -> list[ClipInput]:
    """Find what a user named.

    Args:
        texts (list[str]): Videos, pictures, folders, globs, addresses of videos, files
            of 2D keypoints (``.npz``, ``.json``), and lists (``.txt``) with one of
            these in each line. Empty lines and those that begin with # do not count.
        fps (float, optional): Frames per second of folders of pictures and of
            keypoints.

    Returns:
        list[ClipInput]: In the order named. What a list names wrongly fails when it
        is opened, as one of thousands should not stop the others.

    Raises:
        FileNotFoundError: If something does not exist, or a glob or folder is empty.
        ValueError: If a list has no lines or is no text.
    """
    inputs = []
    for text in texts:
        if Path(text).suffix.lower() in _LISTS:
            inputs += _read_list(Path(text), fps)
        else:
            inputs += _find(text, fps)
    return inputs


def _read_list(path: Path, fps: float | None) -> list[ClipInput]:
    require_file(path)
    try:
        lines = [line.strip() for line in path.read_text('utf-8-sig').splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no list of inputs: no UTF-8 text') from error
    inputs = []
    for line in lines:
        if not line or line.startswith('#'):
            continue
        try:
            inputs += _find(line, fps)
        except (OSError, ValueError) as error:
            fail = partial(_fail, error)
            inputs.append(ClipInput(Path(line), Path(line).stem or line, fail))
    if not inputs:
        raise ValueError(f'{path} names no input: one a line is expected')
    return inputs


def _find(text: str, fps: float | None) -> list[ClipInput]:
    path = Path(text)
    if path.is_file() or path.suffix.lower() in _KEYPOINT_FILES:
        return [_of_file(path, fps)]
    if has_magic(text) and not path.exists() and not is_url(text):
        files = [Path(x) for x in sorted(glob(text, recursive=True), key=natural_key)]
        if not files:
            raise FileNotFoundError(f'no file is named like {text}')
        return [_of_file(file, fps) for file in files if file.is_file()]
    sources = open_inputs([text], fps)
    for source in sources:
        if fps is None and isinstance(source, Pictures) and source.num_frames > 1:
            _LOGGER.warning(
                '%s: its %d numbered pictures are taken for a film of %g frames a '
                "second; another rate is given by --fps, '%s/*' lifts each by itself",
                *(text, source.num_frames, source.fps, text.rstrip('/')),
            )
    return [
        ClipInput(source.path, source.name, partial(_same, source))
        for source in sources
    ]


def _of_file(path: Path, fps: float | None) -> ClipInput:
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if path.suffix.lower() in _KEYPOINT_FILES:
        read = partial(read_keypoints, path, fps=fps)
        return ClipInput(path, path.stem, read, has_keypoints=True)
    return ClipInput(path, path.stem, partial(_open_film, path, fps))


def _open_film(path: Path, fps: float | None) -> FrameSource:
    (source,) = open_inputs([str(path)], fps)
    return source


def _same(source: FrameSource) -> FrameSource:
    return source


def _fail(error: Exception) -> NoReturn:
    raise error
