"""Pickles of published datasets, read without running them.

Datasets store nested dicts of arrays as pickles: ``.pkl`` files, and object arrays in
``.npz`` files. A pickle can call any function. :func:`load_objects` knows arrays of
numbers, text and objects, numbers, text and built-in containers, and builds the arrays
itself, since NumPy's own ``__setstate__`` trusts its input.
"""

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmhot.errors import require_file
from mmhot.io.arrays import check_sizes

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


_ALLOWED = {
    # an argument of _reconstruct; called, it could take pointers from the file
    'ndarray': None,
    'dtype': _Dtype,
    '_reconstruct': lambda *_: np.ndarray.__new__(_Array, 0),
    'scalar': lambda kind, data: np.frombuffer(data, kind.dtype)[0].item(),
    '_frombuffer': lambda data, kind, shape, order: np.frombuffer(
        data, kind.dtype
    ).reshape(shape, order=order),
    'encode': lambda text, encoding: text.encode('latin1'),
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

    Returns dicts, lists and tuples of arrays, numbers and text; of an ``.npz`` file a
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
        check_sizes(archive.zip, archive.files, path.stat().st_size)
        values = {}
        for name in archive.files:
            with archive.zip.open(f'{name}.npy') as file:
                np.lib.format.read_magic(file)
                _, _, kind = np.lib.format.read_array_header_1_0(file)
                if not kind.hasobject:
                    values[name] = archive[name]
                    continue
                array = _unpickle(file)
                values[name] = array.item() if array.size == 1 else array
    return values


def _unpickle(file: BinaryIO) -> Any:
    # latin1: text and arrays that Python 2 pickled
    return _PlainUnpickler(file, encoding='latin1').load()
