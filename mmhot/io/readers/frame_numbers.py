"""Frame numbers of images, from their ``frame_id``, name or ID, or from times.

One of the numbers in a name is the frame number (:func:`read_numbers`). Times of rows
are divided by their usual step (:func:`count_frames`).
"""

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmhot.io.arrays import as_numbers
from mmhot.structures.rows import LARGEST_FRAME

_LOGGER = logging.getLogger(__name__)

_NUMBER = re.compile(r'(\d{1,18})')  # int64 holds 18 digits
_EXTENSION = re.compile(r'\.[a-zA-Z]\w*$')
# Numbers of frames have a common step, or some that are smaller than this. Others, such
# as milliseconds, do not number frames.
_MIN_STEP = 4
_ONE_FRAME = 1.6  # median steps; longer steps are gaps of several frames
_EXACT = 1e-6  # seconds; error of times that are not rounded
_RATES = (1.0, 1000.0)  # frames per second; at other rates times are not in seconds
_SECONDS = {'ms': 1e-3, 'us': 1e-6, 'ns': 1e-9}  # seconds per unit at the end of a key
# Keys of other tools' files, as mmhot.io.readers.keys spells them
FRAME = re.compile(r'frames?(id|idx|index|indices|number|num|no)?s?|fnum')
TRACK = re.compile(r'tracks?|(track|person|instance)ids?')
TIME = re.compile(r't|ts|pts|secs?|seconds|time(stamp)?s?(ms|us|ns|s|secs?)?')
# Numbers with a larger median step do not count frames: images are separate (COCO).
_MEDIAN_GAP = 1000
_VIDEO_KEYS = ('video_id', 'vid_id')


class Times(NamedTuple):
    """Frame numbers and rate of N rows, from their times."""

    frame: np.ndarray  # frame numbers, (N,)
    rate: float = 0.0  # frames per unit of time; 0 if it is not known
    passed: tuple[np.ndarray, np.ndarray] | None = None  # see Rows.times


def number_frames(
    images: Sequence[Mapping[str, Any]], path: Path
) -> dict[int | str, int]:
    """Number the frames of one video.

    The numbers are each image's ``frame_id``, or else the numbers in file names, or
    else IDs, counted from the lowest one. A warning says if names are not usable. If
    nothing numbers the images, a warning says so, and they become consecutive frames,
    sorted by ID.

    Args:
        images (Sequence[Mapping]): Images with an ``id``, a number or name, and
            possibly ``frame_id``, ``file_name`` and ``video_id``.
        path (Path): Path of their file, for warnings.

    Returns:
        dict[int | str, int]: Frame numbers by image ID.

    Raises:
        ValueError: If the images are from several videos.

    >>> images = [{'id': 1, 'file_name': 'a7.png'}, {'id': 2, 'file_name': 'a9.png'}]
    >>> number_frames(images, Path('walk.json'))
    {1: 7, 2: 9}
    """
    _check_videos({str(x[key]) for x in images for key in _VIDEO_KEYS if key in x})
    image_of = {image['id']: image for image in images}
    for key in ('frame_id', 'file_name', 'id'):
        numbers = read_numbers([image.get(key) for image in image_of.values()])
        if numbers is None:
            continue
        unique, counts = np.unique(numbers, return_counts=True)
        if counts.max() == 1:
            is_id = key == 'id' and all(isinstance(x, int) for x in image_of)
            first = unique[0] if is_id or unique[-1] > LARGEST_FRAME else 0
            if is_id and any('file_name' in image for image in images):
                _LOGGER.warning(
                    '%s: names of images do not number the frames; their IDs do', path
                )
            return dict(zip(image_of, (numbers - first).tolist(), strict=True))
        if len(unique) > 1:
            raise ValueError(
                f'has images of several videos, or copies ({key} '
                f'{unique[counts.argmax()]} occurs twice): give one file per video'
            )
    if len(image_of) > 1:
        _LOGGER.warning(
            '%s: images have no frame numbers: they are read in the order of names',
            path,
        )
    ordered = sorted(image_of, key=lambda value: natural_key(str(value)))
    return {value: frame for frame, value in enumerate(ordered)}


def frames_of(labels: Sequence[int | str], path: Path) -> list[int]:
    """Return the frame number of each label, which is the ID or name of an image.

    The ``path`` of the labels' file is for warnings.

    >>> frames_of(['img_7.png', 'img_9.png', 'img_7.png'], Path('folder'))
    [7, 9, 7]
    """
    numbers = number_frames([{'id': label} for label in labels], path)
    return [numbers[label] for label in labels]


def natural_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key by which numbers in names are sorted by value.

    >>> sorted(['img10', 'img9'], key=natural_key)
    ['img9', 'img10']
    """
    return [
        (int(part[:300]), '') if part.isdecimal() else (-1, part)
        for part in re.split(r'(\d+)', name)
    ]


def name_form(name: str) -> str:
    """Return a name without its extension, with ``#`` for each number.

    >>> name_form('cam2_frame_0007.png')
    'cam#_frame_#'
    """
    return _NUMBER.sub('#', _EXTENSION.sub('', name))


def read_numbers(values: Sequence[object]) -> np.ndarray | None:
    """Return the frame numbers (N,) in IDs or names; None if there are none.

    A camera's counter that begins again, such as 9998, 9999, 0000, goes on.

    >>> read_numbers(['cam2_frame_07.png', 'cam2_frame_09.png'])
    array([7, 9])
    >>> read_numbers(['DSC_9998.JPG', 'DSC_9999.JPG', 'DSC_0001.JPG'])
    array([ 9998,  9999, 10001])
    """
    if not values or not all(isinstance(x, int | str) for x in values):
        return None
    is_text = any(isinstance(x, str) for x in values)
    numbers = _counting_numbers([*map(str, values)]) if is_text else np.array(values)
    if numbers is None or len(np.unique(numbers)) < 2:
        return numbers
    steps = np.diff(np.unique(numbers))
    is_sparse = np.median(steps) > _MEDIAN_GAP
    may_be_clock = is_text and len(steps) > 1 and np.gcd.reduce(steps) == 1
    is_clock = may_be_clock and steps.min() >= _MIN_STEP
    return None if is_sparse or is_clock else numbers


def _without_roll_over(numbers: np.ndarray) -> np.ndarray:
    """Add 10,000 to the numbers (N,) after 9999, likewise with other digits."""
    unique = np.unique(numbers)
    length = 10 ** len(str(unique[-1]))
    if unique[-1] + 1 < length or unique[0] > 1:
        return numbers
    gap = np.diff(unique).argmax()
    is_next = numbers <= unique[gap]
    has_gap = unique[gap + 1] - unique[gap] > length / 2
    return np.where(is_next & has_gap, numbers + length, numbers)


def _counting_numbers(names: list[str]) -> np.ndarray | None:
    """Read the number that counts frames in names, (N,); None for separate images.

    It is the number that differs in all names and has the smallest range, or else the
    last number of each name.
    """
    count = len({*names})
    # Text is at even places, numbers are at odd ones.
    parts = [_NUMBER.split(_EXTENSION.sub('', name)) for name in names]
    if min(map(len, parts)) == 1:  # a name without a number
        return None
    ranges = _ranges(parts, count)
    place = min(reversed(ranges), key=ranges.__getitem__, default=-2)
    numbers = np.array([int(part[place]) for part in parts])
    for part in parts:
        for counting in (*ranges, place):
            part[counting] = '#'
    forms = {''.join(part) for part in parts}
    if len(forms) > 1 and 2 * len(forms) > count:
        return None
    _check_videos(forms)
    return _without_roll_over(numbers)


def _ranges(parts: list[list[str]], count: int) -> dict[int, int]:
    """Return the ranges of the numbers that differ in all names, by their place.

    ``parts`` are names that are split at their numbers, ``count`` of them different.

    >>> _ranges([['cam', '2', '_', '07', ''], ['cam', '2', '_', '09', '']], count=2)
    {3: 2}
    """
    ranges: dict[int, int] = {}
    if len({*map(len, parts)}) > 1:
        return ranges
    for place in range(1, len(parts[0]), 2):
        values = {int(part[place]) for part in parts}
        if len(values) == count:
            ranges[place] = max(values) - min(values)
    return ranges


def read_times(
    name: str,
    key: str,
    values: Sequence[object],
    frame: np.ndarray | None,
    are_frames: bool,
) -> Times | None:
    """Convert times to frame numbers and their rate.

    Args:
        name (str): Name of the file in warnings.
        key (str): Key of the times. They are in the unit that ends it, as in
            ``'timestampms'``, or else in seconds.
        values (Sequence): Numbers of N rows, or dates in the form of ISO 8601.
        frame (np.ndarray, optional): Frame numbers of the rows, (N,).
        are_frames (bool): Whether each row is a frame of its own if there are no frame
            numbers.

    Returns:
        Times | None: Frame numbers and rate; None if times do not increase, with a
        warning.

    Raises:
        ValueError: If times are neither numbers nor such dates.
    """
    texts = [str(value).replace(',', '.') for value in values]
    try:
        unit = _SECONDS.get(key[-2:], 1.0)
        seconds = as_numbers('times', texts, from_text=True) * unit
    except ValueError:
        seconds = np.array([_seconds_of(text) for text in texts])
    _, first = np.unique(seconds if frame is None else frame, return_index=True)
    is_each = frame is None and are_frames
    steps = np.diff(seconds if is_each else seconds[first])
    is_right = (steps > 0 if is_each else steps >= 0).all() and (steps > 0).any()
    if np.isfinite(seconds).all() and is_right:
        counted, rate, passed = count_frames(seconds, frame)
        is_known = _RATES[0] <= rate <= _RATES[1]
        return Times(counted, round(rate, 3), passed) if is_known else Times(counted)
    if len(values) > 1:
        _LOGGER.warning('%s: times do not increase: rows are read without them', name)
    return None


def _seconds_of(text: str) -> float:
    """Convert a date to seconds; without a zone, it is in UTC.

    >>> _seconds_of('2026-11-30T23:59:58.5Z') - _seconds_of('2026-12-01 00:59:58+01:00')
    0.5
    """
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f'times must be seconds, or dates such as 2026-11-30T23:59:58.040, got '
            f'{text!r}'
        ) from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def count_frames(times: np.ndarray, frame: np.ndarray | None = None) -> Times:
    """Number the frames at some times by dividing these by their usual step.

    Longer steps are gaps. The rate is the number of steps over the duration, or a whole
    number if rounded times fit that as well. If times are more than a step away from a
    constant rate, the rate is variable: the result has times, see ``Rows.times``.

    Args:
        times (np.ndarray): Times in any unit, (N,), in any order.
        frame (np.ndarray, optional): Frame numbers that are already known, (N,).

    Returns:
        Times: Frame numbers, (N,), and the rate in frames per unit of time.

    >>> count_frames(np.array([0.0, 0.033, 0.067, 0.133]))
    Times(frame=array([0, 1, 2, 4]), rate=30.0, passed=None)
    """
    order = times if frame is None else frame
    _, first, row = np.unique(order, return_index=True, return_inverse=True)
    passed = times[first] - times[first[0]]
    steps = np.diff(passed)
    counts = np.ones(len(steps)) if frame is None else np.diff(frame[first])
    lengths = steps / counts
    usual = lengths[lengths <= _ONE_FRAME * np.median(lengths)].mean()
    if frame is None:
        counts = np.rint(steps / usual).clip(1)
    numbers = np.append(0, counts.cumsum()).astype(int)
    if frame is None:
        frame = numbers[row.ravel()]
    rate = float(numbers[-1] / passed[-1])
    whole = float(round(rate)) or rate
    off, off_whole = (np.ptp(passed - numbers / x) for x in (rate, whole))
    if off * rate >= 1 and steps.min() > 0:
        return Times(frame, float(1 / usual), (frame[first], passed))
    # A whole rate is right if times differ from it by no more than rounded steps do.
    is_whole = off_whole <= np.ptp(steps / counts) + _EXACT
    return Times(frame, whole if is_whole else rate)


def _check_videos(names: set[str]) -> None:
    if len(names) > 1:
        raise ValueError(
            f'has images of {len(names)} videos ({", ".join(sorted(names)):.80}): give '
            'one file per video'
        )
