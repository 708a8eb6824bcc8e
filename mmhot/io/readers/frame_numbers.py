"""Frame numbers of images, from their ``frame_id``, name or ID."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.structures.rows import LARGEST_FRAME

_LOGGER = logging.getLogger(__name__)

# A hyphen after letters or digits is none.
_SIGN = r'(?:(?<![^_.=(])-)?'
# The last number of a name, before its extension; int64 holds 18 digits.
_NUMBERED = re.compile(rf'(.*?)({_SIGN}\d{{1,18}})(\D*?)(\.[a-zA-Z]\w*)?', re.DOTALL)
_EXTENSION = re.compile(r'\.[a-zA-Z]\w{0,4}$')
_FIELD = re.compile(r'([0-9a-zA-Z]+)')
_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', re.IGNORECASE)
_HASH = re.compile(r'[0-9a-f]{7,}', re.IGNORECASE)
# Numbers further apart in the median are of separate images, not of frames; one larger
# gap is between two videos.
_MEDIAN_GAP, _LARGEST_GAP = 1000, 100_000
_VIDEO_KEYS = ('video_id', 'vid_id')


def number_frames(
    images: Sequence[Mapping[str, Any]], path: Path
) -> dict[int | str, int]:
    """Number the frames of one video; order and gaps of the images are kept.

    Numbers are those of ``frame_id``, else in names, else IDs relative to the lowest
    one, which need not count from the video's beginning. Images without frame numbers
    become consecutive frames.

    Args:
        images (Sequence[Mapping]): Each has an ``id``, a number or name, and possibly
            ``frame_id``, ``file_name`` and ``video_id``.
        path (Path): Their file, for warnings.

    Returns:
        dict[int | str, int]: Frame numbers by ID.

    Raises:
        ValueError: If the images are of several videos.
    """
    _check_videos(
        {str(image[k]) for image in images for k in _VIDEO_KEYS if k in image}
    )
    ids = [image['id'] for image in images]
    first = {image: row for row, image in reversed([*enumerate(ids)])}
    found = {}
    for key in ('frame_id', 'file_name', 'id'):
        numbers = read_numbers([image.get(key) for image in images], key)
        if numbers is None:
            continue
        known, counts = np.unique(numbers[[*first.values()]], return_counts=True)
        if counts.max() == 1:
            found[key] = numbers
        elif len(known) > 1:
            raise ValueError(
                f'has images of several videos, or copies ({key} '
                f'{known[counts.argmax()]} occurs twice): give one file for each'
            )
    if not found:
        if len(set(ids)) > 1:
            _LOGGER.warning('%s: images have no frame numbers; read in order', path)
        ordered = sorted(set(ids), key=lambda value: natural_key(str(value)))
        return {value: frame for frame, value in enumerate(ordered)}
    (used, numbers), *others = found.items()
    for key, other in others:
        if np.ptp(other - numbers):
            message = '%s: %s and %s number the frames differently; %s is used'
            _LOGGER.warning(message, path, used, key, used)
    return dict(zip(ids, numbers.tolist(), strict=True))


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key by which ``img10`` follows ``img9``."""
    parts = re.split(r'(\d+)', name)
    return [(int(p[:300]), '') if p.isdecimal() else (-1, p) for p in parts]


def name_form(name: str) -> str:
    """Return a name with the same sign for all numbers and hashes."""
    fields = _FIELD.split(_UUID.sub('0', name))
    fields = ['0' if _HASH.fullmatch(x) and re.search(r'\d', x) else x for x in fields]
    return re.sub(rf'{_SIGN}\d+', '0', ''.join(fields))


def read_numbers(values: list[object], key: str) -> np.ndarray | None:
    """Return the frame numbers (N,) of IDs or names, None if they have none.

    Raises:
        ValueError: If they are of several videos.
    """
    if not values or any(
        isinstance(x, bool) or not isinstance(x, int | str) for x in values
    ):
        return None
    whole = [value for value in values if isinstance(value, int)]
    if len(whole) == len(values):
        names, found = {('', '')}, whole
        if max(map(abs, whole)) >= 10**18:
            return None
    else:
        counting = _counting([*map(str, values)])
        matches = [x for name in counting if (x := _NUMBERED.fullmatch(name))]
        if len(matches) < len(counting):
            return None
        names = {(match[1], match[3]) for match in matches}
        found = [int(match[2]) for match in matches]
    if len(names) > len(set(values)) / 2 and len(names) > 1:
        return None  # names of single images
    _check_videos({'#'.join(name) for name in names})
    numbers = np.array(found)
    known = np.unique(numbers)
    steps = np.diff(known)
    if len(steps) and np.median(steps) > _MEDIAN_GAP:
        return None
    if steps.max(initial=0) > _LARGEST_GAP:
        before, after = known[steps.argmax() :][:2]
        raise ValueError(
            f'has images of several videos ({key} {before} is followed by {after}): '
            'give one file for each'
        )
    is_id = key == 'id' and all(isinstance(value, int) for value in values)
    is_relative = is_id or known[0] < 0 or known[-1] > LARGEST_FRAME
    return numbers - known[0] if is_relative else numbers


def _counting(names: list[str]) -> list[str]:
    """Return names of which the last number is the one that counts the frames.

    It differs in all names and has the smallest range. Hashes are no numbers.
    """
    names = _without_hashes(names)
    parts = [re.split(r'(\d+)', name) for name in names]
    if len({len(part) for part in parts}) > 1:
        return names
    count = len(set(names))
    columns = {}
    for column in range(1, len(parts[0]), 2):
        values = {int(part[column][:18]) for part in parts}
        if len(values) == count > 2:
            columns[column] = max(values) - min(values)
    if not columns:
        return names
    chosen = min(reversed(columns), key=columns.__getitem__)
    # others that differ in all names, or come later, are of no video
    for part in parts:
        for column in range(1, len(part), 2):
            if column > chosen or column in columns and column != chosen:
                part[column] = 'x'
    return [''.join(part) for part in parts]


def _without_hashes(names: list[str]) -> list[str]:
    """Remove extensions, and fields that are hexadecimal in all names, not decimal."""
    fields = [_FIELD.split(_UUID.sub('', _EXTENSION.sub('', name))) for name in names]
    if len({len(field) for field in fields}) > 1:
        return names
    for column in range(1, len(fields[0]), 2):
        values = [field[column] for field in fields]
        if (
            len({*map(len, values)}) == 1
            and all(map(_HASH.fullmatch, values))
            and not all(map(str.isdecimal, values))
        ):
            for field in fields:
                field[column] = ''
    return [''.join(field) for field in fields]


def _check_videos(names: set[str]) -> None:
    if len(names) > 1:
        listed = ', '.join(sorted(names))
        raise ValueError(
            f'has images of {len(names)} videos ({listed:.80}): give one file for each'
        )
