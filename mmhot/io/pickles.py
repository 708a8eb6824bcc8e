"""Pickles and checkpoints, read without running them.

A pickle can call any function. :func:`load_objects` only permits numbers, text,
built-in containers, and arrays of these, and refuses everything else. It builds the
arrays itself, since NumPy's own ``__setstate__`` trusts its input. :func:`safe_load`
also permits PyTorch's tensors, and leaves other objects out.
"""

import json
import pickle
from _compat_pickle import IMPORT_MAPPING
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, BinaryIO

import numpy as np

from mmhot.compat import shims
from mmhot.errors import (
    DAMAGED_CHECKPOINT,
    explain,
    ignored_warnings,
    naming,
    one_line,
    require_file,
)
from mmhot.io.arrays import check_count, check_sizes

SAFETENSORS = '.safetensors'
"""Suffix of files that hold tensors and text alone."""
_IMMUTABLE = 1 << 8  # flag of C types that cannot be changed
_PICKLED_MODULES = (
    *('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray'),
    *('numpy.core.numeric', 'numpy._core.numeric'),
    *('_codecs', 'builtins', '__builtin__'),
)


class _RefusedError(pickle.UnpicklingError):
    """Error for objects that are not loaded; the message names them."""


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
    """Array that checks its pickled state."""

    def __setstate__(self, state: tuple) -> None:
        """Fill the array."""
        version, shape, kind, is_fortran, data = state
        if (kind.dtype.kind == 'O') != isinstance(data, list):
            raise _RefusedError('an array of pointers')
        super().__setstate__((version, shape, kind.dtype, is_fortran, data))

    def __reduce__(self) -> str | tuple:
        """Pickle as a plain array, for worker processes."""
        return np.asarray(self).__reduce__()


_ALLOWED = {
    # The argument of _reconstruct. A file that called it could pass its own pointers.
    'ndarray': None,
    'dtype': _Dtype,
    '_reconstruct': lambda *_: np.ndarray.__new__(_Array, 0),
    'scalar': lambda kind, data: np.frombuffer(data, kind.dtype)[0].item(),
    '_frombuffer': lambda data, kind, shape, order: np.frombuffer(
        data, kind.dtype
    ).reshape(shape, order=order),
    'encode': lambda text, encoding: text.encode('latin1'),
    'bytes': lambda: b'',  # without an argument: a number would allocate as many zeros
}


class _PlainUnpickler(pickle.Unpickler):
    """Unpickler that refuses everything but arrays, numbers, text and containers."""

    def find_class(self, module: str, name: str) -> Any:
        """Return our own version of a permitted function."""
        if module in _PICKLED_MODULES and name in _ALLOWED:
            return _ALLOWED[name]
        return self.find_other(module, name)

    def find_other(self, module: str, name: str) -> Any:
        """Refuse another object."""
        raise _RefusedError(f'{module}.{name}')


class _Object:
    """Placeholder of an object that is left out; ignores its arguments and state."""

    def __new__(cls, *_: object, **__: object) -> '_Object':
        return super().__new__(cls)

    def __setstate__(self, *_: object) -> None:
        """Ignore the state."""

    __setitem__ = append = extend = add = __setstate__
    dump_patches = False  # read by torch.load of modules


class _TensorUnpickler(_PlainUnpickler):
    """Unpickler that calls only functions that build tensors, arrays and containers."""

    def find_other(self, module: str, name: str) -> Any:
        """Return an object that ``torch.load`` permits, or a placeholder."""
        from torch import _weights_only_unpickler as torch_unpickler

        allowed = torch_unpickler._get_allowed_globals()
        allowed = {**allowed, **torch_unpickler._get_user_allowed_globals()}
        allowed['builtins.getattr'] = _Object
        value = allowed.get(f'{IMPORT_MAPPING.get(module, module)}.{name}', _Object)
        # State from the file must not reach objects that others use.
        if isinstance(value, FunctionType):
            return lambda *args: value(*args)
        is_shared = isinstance(value, type) and not value.__flags__ & _IMMUTABLE
        return _Object if is_shared else value


def load_objects(path: Path) -> Any:
    """Load a ``.pkl`` file, or an ``.npz`` or ``.npy`` file of object arrays.

    PyTorch is not needed.

    Args:
        path (Path): The file; its first bytes show the format.

    Returns:
        Any: Dicts, lists and tuples of arrays, numbers and text. An ``.npz`` file
        becomes a dict of its arrays, and an array of one object that object.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is damaged or holds other objects.
    """
    require_file(path)
    with naming(path):
        try:
            return _load(path)
        except _RefusedError as error:
            raise ValueError(
                f'is refused: it holds {error}; only arrays, numbers, text, dicts and '
                'lists are loaded, because other pickled objects can run any code'
            ) from error
        # Damaged pickles and archives raise nearly any kind of error.
        except Exception as error:
            reason = one_line(error)[:200] or type(error).__name__
            raise ValueError(f'cannot be read: {reason}') from error


def _load(path: Path) -> Any:
    """Load a file by its first bytes: an archive, an array or a pickle."""
    with path.open('rb') as file:
        start = file.read(2)
        file.seek(0)
        if start == b'PK':
            return _load_archive(path)
        content = _load_array(file) if start == b'\x93N' else _unpickle(file)
    check_count(content, path.stat().st_size)
    return content


def _load_archive(path: Path) -> dict[str, Any]:
    """Load all arrays of an ``.npz`` file by name, also arrays of objects."""
    values = {}
    with np.load(path, allow_pickle=False) as archive:
        check_sizes(archive.zip, archive.files, path.stat().st_size)
        for name in archive.files:
            with archive.zip.open(f'{name}.npy') as file:
                values[name] = _load_array(file)
        check_count(values, sum(x.file_size for x in archive.zip.infolist()))
    return values


def _load_array(file: Any) -> Any:
    """Load the array of a ``.npy`` file; an array of one object becomes that object."""
    np.lib.format.read_magic(file)
    _, _, kind = np.lib.format.read_array_header_1_0(file)
    if kind.hasobject:
        array = _unpickle(file)
        return array.item() if array.size == 1 else array
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _unpickle(file: BinaryIO) -> Any:
    # Text and arrays that Python 2 pickled need latin1.
    return _PlainUnpickler(file, encoding='latin1').load()


def safe_load(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Load a checkpoint without executing its content.

    Python objects beside the weights, such as the state of a training script, are left
    out.

    Args:
        path (str | Path): A file of ``torch.save``, or a ``.safetensors`` file; the
            metadata of the latter may have JSON under the key ``meta``.
        map_location (Any): Device of the tensors, as for ``torch.load``. Defaults to
            'cpu'.

    Returns:
        Any: The saved content; for a ``.safetensors`` file a dict of ``meta`` and
        ``state_dict``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a checkpoint, is damaged, or has no weights.
    """
    path = require_file(path)
    if path.suffix == SAFETENSORS:
        return _load_safetensors(path, map_location)
    import torch

    from mmhot.compat.checkpoints import allow_checkpoint_globals

    with shims(), ignored_warnings():  # about other versions of pickle
        allow_checkpoint_globals()  # onedl-mmengine disallows them after each load
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except pickle.UnpicklingError as error:
            content = _load_tensors(path, map_location)
            if _holds_tensors(content):
                return content
            raise ValueError(f'{path}: {explain(error)}') from error
        except Exception as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            # A damaged file can make the unpickler raise anything.
            raise ValueError(f'{path}: {DAMAGED_CHECKPOINT}') from error


def _load_tensors(path: Path, map_location: Any) -> Any:
    """Load a checkpoint without other objects; None if the file is damaged."""
    import torch

    module = SimpleNamespace(
        __name__='tensors',
        Unpickler=_TensorUnpickler,
        load=lambda file, **options: _TensorUnpickler(file, **options).load(),
    )
    try:
        return _without_objects(
            torch.load(path, map_location, module, weights_only=False)
        )
    except Exception:  # the caller reports the first error
        return None


def _without_objects(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {
        key: _without_objects(x)
        for key, x in value.items()
        if not isinstance(x, _Object)
    }


def _holds_tensors(value: object) -> bool:
    import torch

    if isinstance(value, dict):
        return any(map(_holds_tensors, value.values()))
    return isinstance(value, torch.Tensor | np.ndarray)


def _load_safetensors(path: Path, map_location: object) -> dict[str, object]:
    from safetensors import safe_open

    try:
        with safe_open(path, 'pt', str(map_location)) as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            meta = json.loads((file.metadata() or {}).get('meta', '{}'))
    except Exception as error:  # the package's errors have no common base
        raise ValueError(
            f'{path}: not a safetensors file, or a damaged one: {one_line(error):.100}'
        ) from error
    return {'meta': meta, 'state_dict': state}


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Save a checkpoint in the format of the path's suffix.

    Args:
        content (dict): ``state_dict``, the weights, and ``meta``, metadata that becomes
            JSON in a ``.safetensors`` file, with arrays as lists.
        path (Path): The file, which is created or replaced.
    """
    if path.suffix != SAFETENSORS:
        import torch

        torch.save(content, path)
        return
    from safetensors.torch import save_file

    state = {key: value.contiguous() for key, value in content['state_dict'].items()}
    meta = json.dumps(content['meta'], default=lambda array: array.tolist())
    save_file(state, path, {'format': 'pt', 'meta': meta})
