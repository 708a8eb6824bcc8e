"""Frame numbers of images, from their ``frame_id``, name or ID, or from times.

One of the numbers in a name is the frame number (:func:`read_numbers`), or a name is a
time. Times are divided by their usual step (:func:`count_frames`).
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.io.arrays import as_numbers
from mmhot.structures.rows import LARGEST_FRAME

_LOGGER = logging.getLogger(__name__)

_NUMBER = re.compile(r'(\d{1,18})')  # int64 holds 18 digits
_EXTENSION = re.compile(r'\.[a-zA-Z]\w*$')
_WORD = re.compile(r'([a-zA-Z0-9]+)')
# Times in names, in three forms: a date, a time of day and perhaps a number, as cameras
# write them; a time of day alone; and seconds with decimals. Groups are year, month,
# day, hour, minute, second and the number.
_DATE = r'(?:20)?(\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])\D{0,4}'
_CLOCK = r'([01]\d|2[0-3])[-_.:h]?([0-5]\d)[-_.:m]?([0-5]\d)(?:[-_.:s]?(\d{1,9}))?'
_TIMES = tuple(
    re.compile(rf'(?<!\d)(?={form}(?!\d))')
    for form in (_DATE + _CLOCK, '()()()' + _CLOCK, r'()()()()()(\d{1,12})\.(\d{1,9})')
)
# Seconds in a year, month, day, hour, minute and second, if every month has 31 days.
_UNITS = np.cumprod([1, 60, 60, 24, 31, 12])[::-1]
# Numbers in names are times if more than half of the steps between them, and at least
# two, are equally long.
_SAME_STEP = 0.25  # relative difference of steps that count as equally long
# Longest step of times without a date, in median steps. Higher values accept more
# numbers as times.
_MAX_STEP = 20
_MIN_STEP = 4  # smallest step of times; frame numbers have steps of 1, or 2 and 3
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


def without_hashes(names: list[str]) -> list[str]:
    """Remove hashes from names, such as Label Studio's or Roboflow's.

    Their names are ``1a2b3c4d-frame_0001.jpg`` and ``frame_0001_jpg.rf.1a2b3c4d.jpg``.
    A word in the same place of all names is a hash if it mixes digits and letters in
    most names, differs in all of them, and has another form in most.

    >>> without_hashes(['1a2b3c-frame_1.jpg', '9f8e7-frame_2.jpg', 'ab1-frame_3.jpg'])
    ['-frame_1.jpg', '-frame_2.jpg', '-frame_3.jpg']
    """
    parts = [_WORD.split(name) for name in names]  # Words are at odd places.
    if len(names) < 2 or len({*map(len, parts)}) > 1:
        return names
    for place in range(1, len(parts[0]), 2):
        words = [part[place] for part in parts]
        forms = [_NUMBER.sub('#', word) for word in words]  # 1a2b has the form #a#b.
        num_mixed = sum('#' in form and form != '#' for form in forms)
        num_alike = max(Counter(forms).values())
        are_mixed = 2 * num_mixed > len(names)
        are_unlike = 2 * num_alike < max(len(names), 3)
        if len({*words}) == len({*names}) and are_mixed and are_unlike:
            for part in parts:
                part[place] = ''
    return [*map(''.join, parts)]


def read_numbers(values: Sequence[object]) -> np.ndarray | None:
    """Return the frame numbers (N,) in IDs or names; None if there are none.

    Numbers at about equal distances, such as milliseconds, are divided by this
    distance, with a warning.

    >>> read_numbers(['cam2_frame_07.png', 'cam2_frame_09.png'])
    array([7, 9])
    """
    if not values or not all(isinstance(x, int | str) for x in values):
        return None
    is_text = any(isinstance(x, str) for x in values)
    numbers = _counting_numbers([*map(str, values)]) if is_text else np.array(values)
    if numbers is None:
        return None
    steps = np.diff(np.unique(numbers))
    is_each = np.gcd.reduce(steps) != 1 or steps.min() < _MIN_STEP
    if is_text and not is_each and _are_even(steps):
        numbers, rate, _ = count_frames(numbers)
        _LOGGER.warning(
            ArgumentError(
                '%s: numbers in names of images are about %.3g apart, which counts as '
                'one frame: if they are milliseconds, {fps} is %.3g',
                values[0],
                1 / rate,
                1000 * rate,
            )
        )
        return numbers
    return None if len(steps) and np.median(steps) > _MEDIAN_GAP else numbers


def _counting_numbers(names: list[str]) -> np.ndarray | None:
    """Read the number that counts frames in names, (N,); None for separate images.

    It is the number that differs in all names and has the smallest range, or else the
    last number of each name.
    """
    names = without_hashes(names)
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
    if len(forms) > 1 or len(ranges) == 1:
        times = _frames_of_times(names, is_dated=len(forms) == 1)
        if times is not None:
            return times
    if len(forms) > 1 and 2 * len(forms) > count:
        return None
    _check_videos(forms)
    return numbers


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


def _frames_of_times(names: list[str], is_dated: bool) -> np.ndarray | None:
    """Count frames by the usual step of times in names, (N,); None without times.

    Names that differ in a single number are ``is_dated``: the number is a time only if
    it has a date, and otherwise a frame number.
    """
    for times, has_date, are_parts in find_times(names):
        unique = np.unique(times)
        if len(unique) < len({*names}) or not (are_parts or np.ptp(times // 1)):
            continue
        steps = np.diff(unique)
        is_time = are_parts or steps.max() <= _MAX_STEP * np.median(steps)
        if is_time and (has_date or not is_dated) and _are_even(steps):
            counted = count_frames(times)
            _LOGGER.warning(
                ArgumentError(
                    '%s: names of images are times, at %.3g frames/s: give {fps}, too',
                    names[0],
                    counted.rate,
                )
            )
            return counted.frame
    return None


def _are_even(steps: np.ndarray) -> bool:
    """Return whether two steps, and more than half of all (N,), have one length."""
    is_usual = np.abs(steps / np.median(steps) - 1) < _SAME_STEP
    return 2 * int(is_usual.sum()) > max(len(steps), 2)


def read_times(
    name: str,
    key: str,
    values: Sequence[object],
    frame: np.ndarray | None,
    are_frames: bool,
) -> Times | None:
    """Convert times, dates or times of day to frame numbers and their rate.

    Args:
        name (str): Name of the file in warnings.
        key (str): Key of the times. They are in the unit that ends it, as in
            ``'timestampms'``, or else in seconds.
        values (Sequence): Numbers or texts of N rows.
        frame (np.ndarray, optional): Frame numbers of the rows, (N,).
        are_frames (bool): Whether each row is a frame of its own if there are no frame
            numbers.

    Returns:
        Times | None: Frame numbers and rate; None if times do not increase, with a
        warning.
    """
    texts = [str(value).replace(',', '.') for value in values]
    try:
        unit = _SECONDS.get(key[-2:], 1.0)
        found = [as_numbers('times', texts, from_text=True) * unit]
    except ValueError:
        found = [x for x, *_ in find_times([*map(str, values)])]
    for seconds in found:
        _, first = np.unique(seconds if frame is None else frame, return_index=True)
        is_each = frame is None and are_frames
        steps = np.diff(seconds if is_each else seconds[first])
        is_right = (steps > 0 if is_each else steps >= 0).all() and (steps > 0).any()
        if np.isfinite(seconds).all() and is_right:
            counted, rate, passed = count_frames(seconds, frame)
            is_known = _RATES[0] <= rate <= _RATES[1]
            return (
                Times(counted, round(rate, 3), passed) if is_known else Times(counted)
            )
    if len(values) > 1:
        _LOGGER.warning('%s: times do not increase: rows are read without them', name)
    return None


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


def find_times(names: Sequence[str]) -> Iterator[tuple[np.ndarray, bool, bool]]:
    """Find times in N texts, in each of their forms and each place of the texts.

    A number after the seconds is a fraction of a second. It is a counter if all numbers
    up to the highest one occur, as in ``20261103142231-07.jpg`` of Motion.

    Args:
        names (Sequence[str]): The texts, perhaps with file extensions.

    Yields:
        tuple[np.ndarray, bool, bool]: Seconds (N,), whether they have dates, and
        whether they have fractions.
    """
    stems = [_EXTENSION.sub('', name) for name in names]
    for pattern in _TIMES:
        for column in zip(*map(pattern.finditer, stems), strict=False):
            fields = [match.groups() for match in column]
            values = np.array([[int(x or 0) for x in each] for each in fields])
            seconds = values[:, :-1] @ _UNITS
            part = values[:, -1]
            has_date = bool(values[:, 1].all())
            is_counter = has_date and len({*part.tolist()}) >= part.max()
            share = part / [10 ** len(each[-1] or '') for each in fields]
            are_parts = has_date and not is_counter and bool(share.max() > 0.5)
            if is_counter:
                share = part / (part.max() + 1)
            yield seconds + share, has_date, are_parts


def _check_videos(names: set[str]) -> None:
    if len(names) > 1:
        raise ValueError(
            f'has images of {len(names)} videos ({", ".join(sorted(names)):.80}): give '
            'one file per video'
        )
