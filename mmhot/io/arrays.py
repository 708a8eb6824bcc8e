"""Arrays in ``.npz`` and JSON files."""

import json
import reprlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, TypeGuard
from zipfile import ZipFile

import numpy as np

from mmhot.errors import one_line
from mmhot.geometry.keypoint_arrays import to_numbers
from mmhot.io.atomic import replacing

# First bytes of an .npz file, with arrays or without.
SIGNATURES = (b'PK\x03\x04', b'PK\x05\x06')
# Limits of memory that files take. Noisy numbers are hardly compressed.
_MAX_ARRAYS = 512 << 20  # bytes of the arrays of an .npz file
_MAX_RATIO = 4  # bytes of arrays per byte of a larger .npz file
_MAX_VALUES = 1_000_000  # values of a file, also repeated ones
_MAX_DENSITY = 10  # values per byte of a larger file
BLANK = b'\xef\xbb\xbf\xff\xfe\0 \t\r\n'
"""White space and marks of byte order, also of two bytes."""
_START = 1024
MAX_JSON = 256 << 20
"""Largest JSON file in bytes; decoded it takes up to twenty times as many."""


def load_arrays(
    path: Path,
    names: Iterable[str] | Callable[[list[str]], Iterable[str]] | None = None,
) -> dict[str, np.ndarray]:
    """Load arrays of numbers and text of an ``.npz`` file, by default all.

    Names that are absent are left out; pickled objects are refused. A function chooses
    among the names.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            files = archive.files
            chosen = files if names is None else names
            chosen = chosen if isinstance(chosen, Iterable) else chosen(files)
            present = [name for name in chosen if name in files]
            check_sizes(archive.zip, present, path.stat().st_size)
            return {name: archive[name] for name in present}
    except Exception as error:
        # NumPy parses an array's header as Python source: damage shows up as nearly
        # any kind of error, OSError included
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = one_line(error)[:200] or type(error).__name__
        if 'allow_pickle' in reason:  # NumPy's advice would run code
            reason = 'it is not an archive of arrays, or holds objects'
        raise ValueError(f'cannot be read: {reason}') from error


def check_sizes(archive: ZipFile, names: Iterable[str], file_size: int) -> None:
    """Refuse arrays of an ``.npz`` that need too much memory, by their headers."""
    members = {f'{name}{suffix}' for name in names for suffix in ('', '.npy')}
    total = sum(x.file_size for x in archive.infolist() if x.filename in members)
    limit = max(_MAX_ARRAYS, _MAX_RATIO * file_size)
    if total > limit:
        raise ValueError(
            f'has arrays of {total >> 20} MB, compressed to {file_size >> 20} MB: at '
            f'most {limit >> 20} MB are read'
        )


def save_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], compressed: bool = False
) -> None:
    """Write arrays of any shape by name as ``.npz``, which is created or replaced."""
    # Write to memory first, as a ZipFile on a full disk raises again when destroyed.
    archive = BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(archive, **arrays)  # type: ignore[arg-type] # no name is 'allow_pickle'
    with replacing(path) as temporary:
        # Copy it: a view in an error's traceback crashes Python 3.12.1 later.
        temporary.write_bytes(archive.getvalue())


def start_of(path: Path) -> bytes:
    """Read the first bytes of a file."""
    with path.open('rb') as file:
        return file.read(_START)


def read_limited(path: Path, limit: int) -> bytes:
    """Read a file; raise ValueError if it has more bytes than ``limit``."""
    with path.open('rb') as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        size = f'{limit >> 20} MB' if limit >> 20 else f'{limit >> 10} KB'
        raise ValueError(f'is larger than {size}, the most that is read')
    return data


def to_json(value: object) -> str:
    """Encode plain values as JSON in one line; ValueError if a number is not finite."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def load_object(path: Path) -> dict[str, Any]:
    """Decode a JSON file that contains an object."""
    document = load_json(path)
    if not isinstance(document, dict):
        raise ValueError('must be a JSON object')
    return document


def load_json(path: Path, limit: int = MAX_JSON) -> object:
    """Decode a JSON file in UTF-8, UTF-16 or UTF-32, of at most ``limit`` bytes."""
    data = read_limited(path, limit)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'is not valid JSON, or cut off: {error}') from error


def as_numbers(values: object, name: str, *, of_text: bool = False) -> np.ndarray:
    """Convert arrays, or nested lists, to float64 of any shape; None becomes NaN.

    Text counts as numbers only ``of_text``, for files that hold nothing else.
    """
    if hasattr(first_of(values), 'dtype'):
        return to_numbers(name, values).astype(np.float64)
    with suppress(TypeError, ValueError, OverflowError):
        table = np.array(values, object)
        if of_text or str not in map(type, table.ravel().tolist()):
            return table.astype(np.float64)
    first = first_of(values)
    is_number = isinstance(first, int | float)
    got = 'lists of different lengths' if is_number else reprlib.repr(first)
    raise ValueError(f'{name} must be numbers, in lists of equal lengths, got {got}')


def check_count(value: object, size: int) -> None:
    """Refuse values that a file of ``size`` bytes repeats too often, or without end.

    Nested lists that share one object use little memory until they become an array.
    """
    counts: dict[int, float] = {}

    def count(value: object) -> float:
        if isinstance(value, np.ndarray):
            if not value.dtype.hasobject:
                return value.size
            parts: Iterable = value.ravel().tolist()
        elif isinstance(value, dict):
            parts = value.values()
        elif isinstance(value, list | tuple):
            parts = value
        else:
            return 1
        if id(value) not in counts:
            counts[id(value)] = np.inf  # if it contains itself
            counts[id(value)] = sum(map(count, parts))
        return counts[id(value)]

    if count(value) > max(_MAX_VALUES, _MAX_DENSITY * size):
        raise ValueError(
            'repeats the same values, or lists within themselves, too often to be read'
        )


def first_of(values: object) -> object:
    """Return the first value of lists within lists."""
    while isinstance(values, list | tuple) and values:
        values = values[0]
    return values


def depth_of(value: Any) -> int:
    """Return the number of axes of an array, or of lists within lists."""
    axes = 0
    while isinstance(value, list | tuple):
        value, axes = value[0] if value else None, axes + 1
    return axes + np.ndim(value)


def has_any(value: object, names: Iterable[str]) -> TypeGuard[Mapping]:
    """Return whether a value is a dict with one of these keys."""
    return isinstance(value, Mapping) and not value.keys().isdisjoint(names)


def as_number(value: object, name: str) -> Any:
    """Convert one number of a file, which may be in a list or an array."""
    array = as_numbers(value, name)
    if array.size != 1:
        raise ValueError(f'{name} must be a number, got {array.size} numbers')
    return array.item()


def exact_list(array: np.ndarray) -> list:
    """Convert an array of any shape to nested lists for JSON.

    Floats have the fewest digits that read back as the same float32; NaN becomes None.
    """
    if array.dtype.kind in 'iu':
        return array.tolist()
    array = np.asarray(array, np.float32)
    exact = array.astype(np.float64)
    short = array.astype('U32').astype(np.float64)
    short = np.where(short.astype(np.float32) == array, short, exact).astype(object)
    short[np.isnan(array)] = None
    return short.tolist()
