"""``.npz`` files: read without trusting them, written whole or not at all."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing

# How the file starts, with arrays or without.
SIGNATURES = (b'PK\x03\x04', b'PK\x05\x06')


class _DamagedError(ValueError):
    """Bytes that NumPy cannot turn into arrays of numbers."""


def load_arrays(
    path: Path, names: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """Load some arrays of a file; those it does not have are left out.

    Args:
        path (Path): The ``.npz`` file.
        names (Iterable[str], optional): Arrays to load, no other is decoded; by
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


def save_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], compressed: bool = False
) -> None:
    """Write a file of arrays.

    Args:
        path (str | Path): The file to create or replace.
        arrays (Mapping[str, np.ndarray]): By name.
        compressed (bool): Whether to spend time to save space. Defaults to False.
    """
    # in memory first: an archive whose file cannot take it complains when deleted
    archive = BytesIO()
    (np.savez_compressed if compressed else np.savez)(archive, **arrays)
    with replacing(path) as temporary:
        temporary.write_bytes(archive.getbuffer())


@contextmanager
def _decoding(what: str) -> Iterator[None]:
    try:
        yield
    except _DamagedError:
        raise
    # NumPy parses an array's header as Python source and unpacks what it promises:
    # damage shows up as nearly any kind of error, even as one of the system's.
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        if 'Object arrays' in str(error):
            raise _DamagedError(
                f'{what} holds pickled Python objects, which are never loaded: plain '
                'numbers are expected'
            ) from error
        reason = ' '.join(str(error).split())[:200] or type(error).__name__
        raise _DamagedError(f'{what} is damaged or cut off ({reason})') from error
