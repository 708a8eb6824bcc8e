"""Inputs by path, folder, glob or address: videos and images."""

import logging
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from pathlib import Path

import numpy as np

from mmhot.chain.frames.decoding import VIDEO_SUFFIXES, Address
from mmhot.chain.frames.files import ImageSequence, VideoFile
from mmhot.chain.frames.sources import DEFAULT_FPS, FrameSource
from mmhot.chain.frames.streams import is_webcam
from mmhot.errors import ArgumentError, escape
from mmhot.io.images import image_size, is_image
from mmhot.io.readers.frame_numbers import (
    name_form,
    natural_key,
    read_numbers,
)
from mmhot.io.readers.keypoints import has_keypoints
from mmhot.structures.clips_2d import clip_name

_LOGGER = logging.getLogger(__name__)

# Images are frames of a sequence if their numbers are multiples of a step up to this:
# every 30th frame is one, photos 785 and 40083 are none. Results stay up to 10 of it.
_MAX_STEP = 100
# Mean difference of these numbers, in steps, at most. With double, photos of the tests
# are a video; half of it is as good.
_MAX_MEAN_GAP = 10
# Least share of a sequence, and of images with its numbers, in the images of a folder:
# two numbered photos beside another one are no video (.67), six frames with a cover
# are one (.86).
_MIN_SHARE = 0.75
# Words in the names of images that accompany the frames
_BESIDE = re.compile('mask|depth', re.IGNORECASE)


@dataclass(frozen=True)
class ClipInput:
    """A clip that is opened later, perhaps in another process: it can be pickled."""

    path: Path  # file, folder or address
    name: str  # name of the result files
    # Function that returns the frames, or raises ValueError or OSError
    open: Callable[[], FrameSource]


def find_inputs(texts: list[str], fps: float | None = None) -> list[ClipInput]:
    """Find the clips of a list of inputs.

    Args:
        texts (list[str]): Video files, images (a clip of one frame each), folders of
            images (one clip if ``fps`` is given or they are numbered and of one size,
            otherwise one each) or of videos (one each), globs, and URLs of videos.
        fps (float, optional): Frames per second of image folders, and of recordings.

    Returns:
        list[ClipInput]: The clips. An invalid input beside valid ones raises its error
        when it is opened.

    Raises:
        FileNotFoundError: If no input exists, or globs and folders are empty.
        ValueError: If all inputs have keypoints, or are webcams.
    """
    inputs: list[ClipInput] = []
    errors: list[Exception] = []
    for text in texts:
        try:
            inputs += _find(text, fps)
        except (ValueError, OSError) as error:
            errors.append(error)
            path = Path(text)
            inputs.append(ClipInput(path, clip_name(path), partial(_refuse, error)))
    if errors and len(errors) == len(inputs):
        raise errors[0]
    return inputs


def _refuse(error: Exception) -> FrameSource:
    """Raise the error of an input when it is opened."""
    raise error


def open_inputs(texts: list[str], fps: float | None = None) -> list[FrameSource]:
    """Open the inputs of :func:`find_inputs`, with the same arguments and errors."""
    return [item.open() for item in find_inputs(texts, fps)]


def open_clip(text: str, fps: float | None = None) -> FrameSource:
    """Open one video or sequence of images.

    Args:
        text (str): An input of :func:`find_inputs`.
        fps (float, optional): Frames per second of an image folder, or of the
            recording.

    Returns:
        FrameSource: The frames of the clip.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If there are several clips, or it cannot be read.
    """
    inputs = find_inputs([text], fps)
    if len(inputs) != 1:
        raise ValueError(
            f'{text} has {len(inputs)} clips, but one is expected: give one of them'
        )
    return inputs[0].open()


def _find(text: str, fps: float | None) -> list[ClipInput]:
    """Find the clips of one input."""
    path = Path(text)
    if address := Address.read(text):
        read = partial(VideoFile, address, fps)
        return [ClipInput(Path(address.label), address.name, read)]
    if is_webcam(text):
        raise ValueError(f'{text} is a webcam: lift it with `mmhot stream {text}`')
    if path.is_dir():
        return _find_in_folder(path, fps)
    if not has_magic(text) or path.exists():
        return [_file_input(path, fps)]
    names = sorted(glob(text, recursive=True), key=natural_key)
    files = [Path(name) for name in names if Path(name).is_file()]
    if not files:
        raise FileNotFoundError(f'no file matches {text}')
    return [_file_input(file, fps) for file in files]


def _file_input(path: Path, fps: float | None) -> ClipInput:
    """Describe a video or image, which is opened later."""
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if has_keypoints(path):
        raise ValueError(
            f'{path} has keypoints, not images: lift them by `mmhot lift '
            f'{shlex.quote(str(path))}`'
        )
    return ClipInput(path, clip_name(path), partial(_open_file, path, fps))


def _open_file(path: Path, fps: float | None) -> FrameSource:
    """Open a video, or an image as a clip of one frame."""
    if is_image(path):
        return ImageSequence([path], clip_name(path), fps or DEFAULT_FPS)
    if path.suffix.lower() == '.heic':  # FFmpeg would decode a tile of it
        raise ValueError(f'{path} is a HEIF image: convert it to JPEG or PNG')
    return VideoFile(path, fps)


def _find_in_folder(folder: Path, fps: float | None) -> list[ClipInput]:
    """Find the clips of a folder: a sequence of images, or single ones, and videos."""
    files = sorted(folder.glob('[!.]*'), key=lambda file: natural_key(file.name))
    images = [file for file in files if is_image(file)]
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    if not images and not videos:
        if has_keypoints(folder):
            return [_file_input(folder, fps)]  # raises the error that says so
        raise FileNotFoundError(
            f'{folder} has no images or videos (give {folder}/**/* if its folders have '
            'some, and files of keypoints to `mmhot lift`)'
        )
    sequence = _find_sequence(images, folder, fps)
    if sequence is None:
        return [_file_input(file, fps) for file in images + videos]
    return [sequence, *(_file_input(file, fps) for file in videos)]


def _find_sequence(
    images: list[Path], folder: Path, fps: float | None
) -> ClipInput | None:
    """Return the images of a folder as one clip, or None if they are separate images.

    If no frame rate is given, the images of a clip have numbered names and one size.
    """
    frames, numbers = _choose_frames(images, folder, has_gaps=fps is not None)
    is_assumed = fps is None
    is_numbered = numbers is not None
    if not frames or is_assumed and not is_numbered:
        return None
    if is_assumed and len({*map(image_size, frames)} - {None}) > 1:
        return None
    label = escape(folder)
    others = sorted({*images} - {*frames})
    if others:
        _LOGGER.warning(
            '%s: %d images with other names than the frames are left out: %.80s',
            label,
            len(others),
            escape(', '.join(path.name for path in others)),
        )
    if is_assumed:
        _LOGGER.warning(
            ArgumentError(
                '%s: its numbered images are taken for a video of %g frames per '
                "second; {fps} states another rate, and '%s/*' reads separate images",
                label,
                DEFAULT_FPS,
                folder,
            )
        )
    elif not is_numbered and len(frames) > 1:
        _LOGGER.warning(
            '%s: names of images do not number the frames: read in order', label
        )
    name = clip_name(folder)
    read = partial(ImageSequence, frames, name, fps or DEFAULT_FPS, numbers)
    return ClipInput(folder, name, read)


def _choose_frames(
    images: list[Path], folder: Path, has_gaps: bool
) -> tuple[list[Path], list[int] | None]:
    """Return the images of a sequence, in order, and their frame numbers, or None.

    A folder may have several forms of names, such as masks and depth maps beside the
    frames. The form with most images is the sequence, if most of the folder's images
    have this form or repeat its numbers.
    """
    forms: dict[str, list[Path]] = {}
    for path in images:
        forms.setdefault(name_form(path.name), []).append(path)
    counted = {form: _count(paths, has_gaps) for form, paths in forms.items()}
    counts = {form: x for form, x in counted.items() if x is not None}
    if not counts:
        return images, None
    chosen = min(
        counts, key=lambda x: (-len(forms[x]), bool(_BESIDE.search(x)), len(x))
    )
    numbers = counts[chosen]
    frames = forms[chosen]
    same = [form for form, x in counts.items() if np.isin(x, numbers).all()]
    if sum(len(forms[form]) for form in same) < _MIN_SHARE * len(images):
        return images, None
    order = np.argsort(numbers, kind='stable')
    steps = np.diff(numbers[order])
    if not steps.all():
        one, other = (frames[row].name for row in order[steps.argmin() :][:2])
        raise ValueError(
            f'{folder} has images twice, such as {one} and {other}: keep one of each'
        )
    if (step := np.gcd.reduce(steps)) > 1:
        _LOGGER.warning(
            '%s: images are numbered in steps of %d, which count as one frame',
            escape(folder),
            step,
        )
    return [frames[row] for row in order], (numbers[order] // step).tolist()


def _count(images: list[Path], has_gaps: bool) -> np.ndarray | None:
    """Return the frame numbers (N,) in the names of N images, or None.

    Sparse numbers belong to separate images, unless the sequence ``has_gaps``.
    """
    numbers = None
    with suppress(ValueError):  # raised for images of several videos
        numbers = read_numbers([path.name for path in images])
    if numbers is None or len({*numbers}) == 1:
        return None
    steps = np.diff(np.unique(numbers))
    step = np.gcd.reduce(steps)
    is_sparse = steps.mean() > _MAX_MEAN_GAP * step and not has_gaps
    return None if is_sparse or step > _MAX_STEP else numbers
