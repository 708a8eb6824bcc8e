"""Arrays in ``.npz``, pickles and JSON files, read without trusting their content.

Published datasets store nested dicts of arrays as pickles: ``.pkl`` files, and object
arrays in ``.npz`` files. A pickle can call any function. :func:`load_objects` knows
arrays of numbers, text and objects, numbers, text and built-in containers, and builds
the arrays itself, since NumPy's own ``__setstate__`` trusts its input.
"""

import json
import math
import pickle
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from mmhot.errors import escape, one_line, require_file
from mmhot.io.atomic import replacing

# First bytes of an .npz file, with arrays or without.
SIGNATURES = (b'PK\x03\x04', b'PK\x05\x06')
# Arrays of an .npz file may take this many bytes, and in larger files as many times
# the bytes of the file: noisy numbers are hardly compressed.
_MAX_ARRAYS, _MAX_RATIO = 512 << 20, 4
MAX_JSON = 256 << 20
"""Largest JSON file in bytes; decoded it takes up to twenty times as many."""


class _DamagedError(ValueError):
    """Bytes that NumPy cannot decode to arrays of numbers."""


def load_arrays(
    path: Path, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Load arrays of an ``.npz`` file.

    Args:
        path (Path): The file.
        names (Iterable[str], optional): Arrays to decode; absent ones are left out. By
            default all.

    Returns:
        dict[str, np.ndarray]: Numbers and text, never pickled objects.
    """
    arrays = {}
    with _decoding('the file'), np.load(path, allow_pickle=False) as archive:
        wanted = archive.files if names is None else set(archive.files) & set(names)
        _check_sizes(archive.zip, wanted, path.stat().st_size)
        for name in archive.files if names is None else names:
            if name in wanted:
                with _decoding(f"array '{name}'"):
                    arrays[name] = archive[name]
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"'{name}' is not an array")
    return arrays


def _check_sizes(archive: ZipFile, names: Iterable[str], file_size: int) -> None:
    """Refuse arrays that take too much memory, by the sizes in their headers."""
    names = {f'{name}{suffix}' for name in names for suffix in ('', '.npy')}
    members = [member for member in archive.infolist() if member.filename in names]
    total = sum(member.file_size for member in members)
    limit = max(_MAX_ARRAYS, _MAX_RATIO * file_size)
    if total > limit:
        raise _DamagedError(
            f'its arrays take {total >> 20} MB, compressed to {file_size >> 20} MB: at '
            f'most {limit >> 20} MB are read'
        )
    for member in members:
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise _DamagedError('is compressed by a method that NumPy does not write')
        _check_shape(archive, member)


def _check_shape(archive: ZipFile, member: ZipInfo) -> None:
    """Refuse an array of more values than its member of the archive can hold."""
    with _decoding(f"array '{escape(member.filename)}'"), archive.open(member) as file:
        if file.read(6) != b'\x93NUMPY':
            return
        version = tuple(file.read(2))
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        values = math.prod(shape)
        if not dtype.hasobject and values * max(dtype.itemsize, 1) > member.file_size:
            raise ValueError(f'its shape {shape} has more values than it holds')


@contextmanager
def _decoding(content: str) -> Iterator[None]:
    """Raise ``_DamagedError`` for whatever NumPy raises on damaged content."""
    try:
        yield
    except _DamagedError:
        raise
    # NumPy parses an array's header as Python source and allocates what it promises:
    # damage shows up as nearly any kind of error, OSError included.
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        if 'Object arrays' in str(error):
            raise _DamagedError(
                f'{content} holds pickled Python objects, which are never loaded: '
                'plain numbers are expected'
            ) from error
        reason = one_line(error)[:200] or type(error).__name__
        raise _DamagedError(f'{content} is damaged or cut off ({reason})') from error


_PICKLED_MODULES = (
    *('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray'),
    *('numpy.core.numeric', 'numpy._core.numeric'),
    *('_codecs', 'builtins', '__builtin__'),
)


class _RefusedError(pickle.UnpicklingError):
    """Objects that are not loaded; the message names them."""


class _Dtype:
    """Pickled data type of numbers, text or objects."""

    def __init__(self, spec: str, align: bool = False, copy: bool = True) -> None:
        self.dtype = np.dtype(str(spec))
        if self.dtype.kind not in 'biufcSUO':
            raise _RefusedError(f'the data type {spec}')

    def __setstate__(self, state: tuple) -> None:
        """Set the byte order, '<', '>' or '|', the only part that matters."""
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """Array whose pickled state is checked."""

    def __setstate__(self, state: tuple) -> None:
        """Fill the array."""
        version, shape, kind, is_fortran, data = state
        if (kind.dtype.kind == 'O') != isinstance(data, list):
            raise _RefusedError('an array of pointers')
        super().__setstate__((version, shape, kind.dtype, is_fortran, data))

    def __reduce__(self) -> tuple:
        """Pickle as a plain array, for worker processes."""
        return np.asarray(self).__reduce__()


def _scalar(kind: _Dtype, data: bytes) -> Any:
    return np.frombuffer(data, kind.dtype)[0].item()


def _from_buffer(data: bytes, kind: _Dtype, shape: tuple, order: str) -> np.ndarray:
    return np.frombuffer(data, kind.dtype).reshape(shape, order=order)


def _empty(*_: Any) -> np.ndarray:
    return np.ndarray.__new__(_Array, 0)


def _encode(text: str, encoding: str) -> bytes:
    return text.encode('latin1')


_ALLOWED = {
    # an argument of _reconstruct; called, it could take pointers from the file
    'ndarray': None,
    'dtype': _Dtype,
    '_reconstruct': _empty,
    'scalar': _scalar,
    '_frombuffer': _from_buffer,
    'encode': _encode,
    'bytes': bytes,
}


class _PlainUnpickler(pickle.Unpickler):
    """Unpickler that refuses whatever is no array, number, text or container."""

    def find_class(self, module: str, name: str) -> Any:
        """Return our own stand-in of a permitted function."""
        if module not in _PICKLED_MODULES or name not in _ALLOWED:
            raise _RefusedError(f'{module}.{name}')
        return _ALLOWED[name]


def load_objects(path: Path) -> Any:
    """Load a ``.pkl`` file, or an ``.npz`` file with object arrays.

    Args:
        path (Path): The file.

    Returns:
        Any: Dicts, lists and tuples of arrays, numbers and text; of an ``.npz`` file a
        dict of its arrays, in which arrays of one object are that object.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or holds other objects.
    """
    require_file(path)
    try:
        with path.open('rb') as file:
            if file.read(2) != b'PK':
                file.seek(0)
                return _unpickle(file)
        return _load_archive(path)
    except _RefusedError as error:
        raise ValueError(
            f'{path} is refused: it holds {error}; only arrays, numbers, text, dicts '
            'and lists are loaded, because other pickled objects can run any code'
        ) from error
    # damaged pickles and archives raise nearly any kind of error
    except Exception as error:
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f'{path} is damaged or no pickle ({reason})') from error


def _load_archive(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        _check_sizes(archive.zip, archive.files, path.stat().st_size)
        values = {}
        for name in archive.files:
            # a member is named as the array or with a suffix
            member = name if name in archive.zip.namelist() else f'{name}.npy'
            with archive.zip.open(member) as file:
                version = np.lib.format.read_magic(file)
                reader = getattr(
                    np.lib.format, f'read_array_header_{version[0]}_0', None
                )
                if reader is not None and reader(file)[2].hasobject:
                    array = _unpickle(file)
                    values[name] = array.item() if array.size == 1 else array
                else:
                    values[name] = archive[name]
    return values


def _unpickle(file: BinaryIO) -> Any:
    # latin1: text and arrays that Python 2 pickled
    return _PlainUnpickler(file, encoding='latin1').load()


def save_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], compressed: bool = False
) -> None:
    """Write an ``.npz`` file.

    Args:
        path (str | Path): The file to create or replace.
        arrays (Mapping[str, np.ndarray]): By name.
        compressed (bool): Whether to compress the arrays. Defaults to False.
    """
    # in memory first: a ZipFile on a full disk raises again in its destructor
    archive = BytesIO()
    (np.savez_compressed if compressed else np.savez)(archive, **arrays)
    with replacing(path) as temporary:
        # no view of it: one in an error's traceback crashes Python 3.12.1 later
        temporary.write_bytes(archive.getvalue())


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


def load_json(path: Path, limit: int = MAX_JSON) -> object:
    """Decode a JSON file in UTF-8, UTF-16 or UTF-32, of at most ``limit`` bytes."""
    data = read_limited(path, limit)
    try:
        return json.loads(data)
    except UnicodeDecodeError as error:
        raise ValueError(
            f'is not UTF-8 text (byte {error.start}), so it is not JSON'
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f'is not valid JSON: {error.msg} at line {error.lineno}, column '
            f'{error.colno}; is it cut off?'
        ) from error
    except RecursionError as error:
        raise ValueError('is not valid JSON: it is nested too deeply') from error
    except ValueError as error:
        raise ValueError(f'is not valid JSON: {error}') from error


def as_numbers(values: object, name: str) -> np.ndarray:
    """Convert nested lists of a JSON file to float64; null becomes NaN.

    Args:
        values (object): From a JSON file.
        name (str): Their name in error messages.

    Returns:
        np.ndarray: Any shape.
    """
    with suppress(TypeError, ValueError, OverflowError):
        if _are_numbers(values):
            return np.array(values, np.float64)
    raise ValueError(f'{name} must be a regular list of numbers, got {brief(values)}')


def _are_numbers(values: object) -> bool:
    """Whether nested lists hold numbers and None only; arrays would take any text."""
    if isinstance(values, np.ndarray):
        return values.dtype.kind in 'iuf'
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif value is not None and type(value) not in (int, float):
            return False
    return True


def brief(value: object) -> str:
    """Show the beginning of a value of a file: 60 characters at most."""
    if isinstance(value, str):
        shown = one_line(value[:200])
    elif isinstance(value, dict | list):
        shown = reprlib.repr(value)  # does not descend far
    else:
        shown = one_line(str(value)[:200])
    return shown if len(shown) < 60 else f'{shown[:60]}...'


def as_identity(value: object, name: str) -> int:
    """Convert a frame number or track ID, which may be a string, to an int."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = value.strip()[:20]
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f'{name} must be a whole number, got {value!r:.60}')
    elif value != value or value in (float('inf'), -float('inf')) or value % 1:
        raise ValueError(f'{name} must be a whole number, got {value}')
    number = int(value)
    if abs(number) >= 2**63:
        raise ValueError(f'{name} is too large: {str(number)[:60]}')
    return number


def exact_list(array: np.ndarray) -> list:
    """Convert an array to nested lists for JSON.

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
