"""Arrays in ``.npz`` and JSON files.

Messages of these functions do not name the file: :func:`mmhot.errors.naming` does.
"""

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
from mmhot.io.atomic import replacing

# First bytes of an .npz file with arrays, and of an empty one
SIGNATURES = (b'PK\x03\x04', b'PK\x05\x06')
BLANK = b'\xef\xbb\xbf\xff\xfe\0 \t\r\n'
"""Bytes that may precede text: white space and byte order marks, also in UTF-16."""
_START = 1024  # bytes at the start of a file that show its format
MAX_JSON = 256 << 20
"""Bytes of the largest JSON file; its content needs up to twenty times the memory."""
# The arrays of an .npz file may need as much memory as the larger of these two limits.
# Measured data hardly shrinks when compressed: a larger ratio means a crafted file.
_MAX_ARRAYS = 512 << 20  # bytes of all arrays
_MAX_RATIO = 4  # bytes of all arrays per byte of the file
# A file of nested lists may hold as many values as the larger of these two limits.
# Lists that share one object use little memory until they become an array.
_MAX_VALUES = 1_000_000  # values of a file, repeated ones included
_MAX_DENSITY = 10  # values per byte of the file


def load_arrays(
    path: Path,
    names: Iterable[str] | Callable[[list[str]], Iterable[str]] | None = None,
) -> dict[str, np.ndarray]:
    """Load arrays of numbers and text from an ``.npz`` file.

    Args:
        path (Path): The file.
        names (Iterable[str] | Callable, optional): Names of the arrays, or a function
            that chooses from all names. Names that the file lacks are left out.
            Default: all arrays.

    Returns:
        dict[str, np.ndarray]: Arrays of any shape by name.

    Raises:
        ValueError: If the file is damaged or too large, or an array holds objects.
        OSError: If the file does not exist or cannot be opened.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            chosen = archive.files if names is None else names
            if callable(chosen):
                chosen = chosen(archive.files)
            present = [name for name in chosen if name in archive.files]
            check_sizes(archive.zip, present, path.stat().st_size)
            return {name: archive[name] for name in present}
    except Exception as error:
        # NumPy parses an array's header as Python source: damage shows up as nearly
        # any kind of error, OSError included.
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = one_line(error)[:200] or type(error).__name__
        if 'allow_pickle' in reason:  # NumPy's advice would run code.
            reason = 'it is not an archive of arrays, or holds objects'
        raise ValueError(f'cannot be read: {reason}') from error


def check_sizes(archive: ZipFile, names: Iterable[str], file_size: int) -> None:
    """Raise a ValueError if arrays of an ``.npz`` file need too much memory.

    Args:
        archive (ZipFile): The opened file.
        names (Iterable[str]): Names of the arrays to load.
        file_size (int): Size of the file in bytes.
    """
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
    """Create or replace an ``.npz`` file.

    Args:
        path (str | Path): The file.
        arrays (Mapping[str, np.ndarray]): Arrays of any shape by name.
        compressed (bool): Whether they are compressed. Defaults to False.

    Raises:
        OSError: If the file cannot be written.
    """
    # Write to memory first, as a ZipFile on a full disk raises again when destroyed.
    archive = BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(archive, **arrays)  # type: ignore[arg-type] # no name is 'allow_pickle'
    with replacing(path) as temporary:
        # Copy it: a view in an error's traceback crashes Python 3.12.1 later.
        temporary.write_bytes(archive.getvalue())


def start_of(path: Path) -> bytes:
    """Read the first 1024 bytes of a file, which show its format."""
    with path.open('rb') as file:
        return file.read(_START)


def read_limited(path: Path, limit: int) -> bytes:
    """Read a file; raise a ValueError if it has more than ``limit`` bytes."""
    with path.open('rb') as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        size = f'{limit >> 20} MB' if limit >> 20 else f'{limit >> 10} KB'
        raise ValueError(f'is larger than {size}, the most that is read')
    return data


def to_json(value: object) -> str:
    """Encode dicts, lists, text and numbers as one line of JSON.

    Raises:
        ValueError: If a number is not finite.

    >>> to_json({'name': 'Zoë', 'fps': 25.0})
    '{"name": "Zoë", "fps": 25.0}'
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def load_object(path: Path) -> dict[str, Any]:
    """Decode a JSON file that contains an object.

    Raises:
        ValueError: If it is damaged, too large, or not an object.
    """
    document = load_json(path)
    if not isinstance(document, dict):
        raise ValueError(f'must be a JSON object, got {reprlib.repr(document)}')
    return document


def load_json(path: Path, limit: int = MAX_JSON) -> object:
    """Decode a JSON file in UTF-8, UTF-16 or UTF-32.

    Raises:
        ValueError: If it is damaged, or has more bytes than ``limit``.
    """
    data = read_limited(path, limit)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'is not valid JSON, or is cut off: {error}') from error


def as_numbers(name: str, values: object, *, from_text: bool = False) -> np.ndarray:
    """Convert an array, nested lists or a number to an array of float64.

    Args:
        name (str): Name of the values in messages.
        values (object): Array, list of arrays, nested lists, or a number.
        from_text (bool): Whether to convert text such as ``'1.5'``, too; for formats
            that store numbers as text. Defaults to False.

    Returns:
        np.ndarray: The numbers, (...) as ``values``; NaN where a list has None.

    Raises:
        ValueError: If something is not a number, or lists differ in length.

    >>> as_numbers('scores', [0.5, None])
    array([0.5, nan])
    """
    with suppress(TypeError, ValueError, OverflowError):
        table = np.asarray(values, object if from_text else None)
        has_text = table.dtype.hasobject and str in map(type, table.ravel().tolist())
        if from_text or (table.dtype.kind in 'biufO' and not has_text):
            return table.astype(np.float64)
    first = first_of(values)
    is_number = isinstance(first, int | float)
    got = 'lists of different lengths' if is_number else reprlib.repr(first)
    raise ValueError(f'{name} must be numbers, in lists of equal lengths, got {got}')


def check_count(value: object, size: int) -> None:
    """Raise a ValueError if a file has too many values, because it repeats them.

    Lists that contain themselves repeat their values without end.

    Args:
        value (object): Content of the file: nested dicts, lists and arrays (...).
        size (int): Size of the file in bytes.
    """
    if _count(value, {}) > max(_MAX_VALUES, _MAX_DENSITY * size):
        raise ValueError(
            'repeats the same values too often, or has a list that contains itself'
        )


def _count(value: object, counts: dict[int, float]) -> float:
    """Count nested values, infinitely many in a list that contains itself.

    Args:
        value (object): Nested dicts, lists and arrays (...).
        counts (dict[int, float]): Counts of containers that were met, by identity.
    """
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
        counts[id(value)] = np.inf  # until all parts are counted
        counts[id(value)] = sum(_count(part, counts) for part in parts)
    return counts[id(value)]


def first_of(values: object) -> object:
    """Return the first value of nested lists, or the empty list that comes first.

    >>> first_of([[3, 4], [5]])
    3
    """
    while isinstance(values, list | tuple) and values:
        values = values[0]
    return values


def depth_of(value: Any) -> int:
    """Return the number of axes of an array or of nested lists; 0 for other values.

    >>> depth_of([[1, 2], [3, 4]])
    2
    """
    axes = 0
    while isinstance(value, list | tuple):
        value = value[0] if value else None
        axes += 1
    return axes + np.ndim(value)


def has_any(value: object, names: Iterable[str]) -> TypeGuard[Mapping]:
    """Return whether a value is a dict with one of these keys.

    >>> has_any({'people': []}, ('instances', 'people')), has_any([], ('people',))
    (True, False)
    """
    return isinstance(value, Mapping) and not value.keys().isdisjoint(names)


def as_number(name: str, value: object) -> float:
    """Convert a number, or a list or array with one number, to a float.

    Raises:
        ValueError: If it is not a number, or there are several.
    """
    array = as_numbers(name, value)
    if array.size != 1:
        raise ValueError(f'{name} must be a number, got {array.size} numbers')
    return array.item()


def exact_list(array: np.ndarray) -> list:
    """Convert an array of any shape to nested lists for JSON.

    Floats have the fewest digits that read back as the same float32; NaN becomes None.

    >>> exact_list(np.array([[0.1, np.nan]], np.float32))
    [[0.1, None]]
    """
    if array.dtype.kind in 'iu':
        return array.tolist()
    array = np.asarray(array, np.float32)
    exact = array.astype(np.float64)
    short = array.astype('U32').astype(np.float64)
    short = np.where(short.astype(np.float32) == array, short, exact).astype(object)
    short[np.isnan(array)] = None
    return short.tolist()
