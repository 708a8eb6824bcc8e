"""Conversions of options that are no plain numbers, texts or choices."""

import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmhot.io.writers.table import WRITERS

if TYPE_CHECKING:  # importing it takes time
    from mmhot.lens import Lens


def read_keep(value: Any) -> int | list[int]:
    """Read kept frames: a number, a list, or text such as '13,5'."""
    try:
        if isinstance(value, str):
            value = [int(part) for part in value.split(',')]
            return value if len(value) > 1 else value[0]
        if isinstance(value, list | tuple):
            return [operator.index(part) for part in value]
        return operator.index(value)
    except (TypeError, ValueError):
        raise ValueError(
            'keep must be a number of frames such as 27, or a list such as 13,5, got '
            f'{value!r}'
        ) from None


def read_joints(value: Any) -> int:
    """Read the number of joints of the results."""
    if str(value) not in ('17', '24'):
        raise ValueError(f'joints must be 17 or 24, got {value!r}')
    return int(value)


def read_image_size(value: Any) -> tuple[int, int]:
    """Read an image size: (width, height), or text such as '1920x1080'."""
    parts = value.lower().split('x') if isinstance(value, str) else value
    try:
        width, height = (int(part) for part in parts)
    except (TypeError, ValueError):
        raise ValueError(
            f'image_size must be WxH, such as 1920x1080, got {value!r}'
        ) from None
    return width, height


def read_intrinsics(value: 'Lens | str | Path') -> 'Lens':
    """Read the calibration file unless a lens is given."""
    if not isinstance(value, str | Path):
        return value
    from mmhot.io.readers.lens import read_lens

    try:
        return read_lens(value)
    except (ValueError, OSError) as error:
        raise type(error)(f'intrinsics: {error}') from error


def read_formats(value: Any) -> tuple[str, ...]:
    """Read names of export formats: a list, or text such as 'npz,mp4'."""
    names = value.split(',') if isinstance(value, str) else value
    names = tuple(dict.fromkeys(name.strip() for name in names))
    unknown = [name for name in names if name not in WRITERS]
    if unknown or not names:
        given = repr(unknown[0]) if unknown else 'none'
        raise ValueError(f'formats must be among {",".join(WRITERS)}; got {given}')
    return names
