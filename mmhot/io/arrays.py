"""Arrays in ``.npz``, JSON and image files, read without trusting their content."""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing

MARK = 'mmhot'
"""Metadata of images and videos that are results."""
# First bytes of an .npz file, with arrays or without.
SIGNATURES = (b'PK\x03\x04', b'PK\x05\x06')


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
        for name in archive.files if names is None else names:
            if name in archive.files:
                with _decoding(f"array '{name}'"):
                    arrays[name] = archive[name]
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"'{name}' is not an array")
    return arrays


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
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise _DamagedError(f'{content} is damaged or cut off ({reason})') from error


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


def load_json(path: Path) -> object:
    """Decode a JSON file in UTF-8, UTF-16 or UTF-32."""
    data = path.read_bytes()
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
    except (RecursionError, ValueError) as error:
        raise ValueError(f'is not valid JSON: {error}') from error


def as_numbers(values: object, name: str) -> np.ndarray:
    """Convert nested lists of a JSON file to float64; null becomes NaN.

    Args:
        values (object): From a JSON file.
        name (str): Their name in error messages.

    Returns:
        np.ndarray: Any shape.
    """
    try:
        array = np.array(values)
        if array.dtype.kind in 'iuf':
            return array.astype(np.float64)
        if array.dtype.kind == 'O':
            if any(isinstance(value, str) for value in array.flat):
                raise TypeError
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    shown = ' '.join(str(values).split())
    shown = shown if len(shown) < 60 else f'{shown[:60]}...'
    raise ValueError(f'{name} must be a regular list of numbers, got {shown}')


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


def decode_image(data: bytes | np.ndarray, name: str) -> np.ndarray:
    """Decode the content of an image file and apply its EXIF orientation.

    Args:
        data (bytes | np.ndarray): The content; as array uint8 (N,).
        name (str): The image's name in error messages.

    Returns:
        np.ndarray: BGR, uint8 (H, W, 3).

    Raises:
        ValueError: If the content is no image.
    """
    import cv2

    values = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(values, cv2.IMREAD_COLOR) if len(values) else None
    if image is None:
        raise ValueError(f'{name} is no readable image')
    return image


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write a PNG file with a text that marks it as a result of mmhot.

    Args:
        path (str | Path): The file to create or replace.
        image (np.ndarray): BGR, uint8 (H, W, 3).
    """
    import cv2

    with replacing(path) as temporary:
        encoded, data = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        assert encoded
        data, text = data.tobytes(), b'tEXtSoftware\0' + MARK.encode()
        chunk = struct.pack('>I', len(text) - 4) + text
        chunk += struct.pack('>I', zlib.crc32(text))
        end_of_header = 33
        temporary.write_bytes(data[:end_of_header] + chunk + data[end_of_header:])
