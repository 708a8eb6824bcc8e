"""Safe loading of checkpoints: only tensors, NumPy arrays and plain containers.

Files are those of ``torch.save``, or safetensors with the metadata as JSON.
"""

import json
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Callable
from pathlib import Path
from pickle import Unpickler, UnpicklingError
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import _weights_only_unpickler as torch_unpickler

from mmhot.compat import shims
from mmhot.errors import DAMAGED_CHECKPOINT, explain_refusal, ignored_warnings, one_line

_DTYPES = *'?USefdFD', *(f'{kind}{size}' for kind in 'iu' for size in (1, 2, 4, 8))
_IMMUTABLE = 1 << 8  # flag of types in C that cannot be changed
SAFETENSORS = '.safetensors'
"""Suffix of files that hold tensors and text alone."""


def safe_load(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Load a checkpoint without executing what it holds.

    It is a file of ``torch.save``, or a ``.safetensors`` file, whose metadata may have
    ``meta`` in JSON. Objects beside the weights, such as the random generator of a
    training script, are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is damaged or has other objects in place of
            weights.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint file')
    if path.suffix == SAFETENSORS:
        return _load_safetensors(path, map_location)
    with shims(), ignored_warnings():  # about other versions of pickle
        allow_checkpoint_globals()  # onedl-mmengine disallows them after each load
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except UnpicklingError as error:
            content = _load_tensors(path, map_location)
            if _holds_tensors(content):
                return content
            raise ValueError(f'{path}: {explain_refusal(error)}') from error
        except Exception as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            # A damaged file can make the unpickler raise anything.
            raise ValueError(f'{path}: {DAMAGED_CHECKPOINT}') from error


def _load_tensors(path: Path, map_location: Any) -> Any:
    """Load all but other objects; None if the file is damaged."""
    module = SimpleNamespace(
        __name__='tensors',
        Unpickler=_TensorUnpickler,
        load=lambda file, **options: _TensorUnpickler(file, **options).load(),
    )
    try:
        content = torch.load(path, map_location, module, weights_only=False)
        return _without_objects(content)
    except Exception:  # the caller names the first error
        return None


class _Object:
    """Stand-in for an object that is left out; it ignores its arguments and state."""

    def __new__(cls, *_: Any, **__: Any) -> '_Object':
        return super().__new__(cls)

    def __setstate__(self, *_: Any) -> None:
        """Ignore the state."""

    __setitem__ = append = extend = add = __setstate__
    dump_patches = False  # read by torch.load of modules


class _TensorUnpickler(Unpickler):
    """Unpickler that calls nothing but what builds tensors, arrays and containers."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what `torch.load` permits, or the stand-in."""
        known = torch_unpickler._get_allowed_globals()
        known = {**known, **torch_unpickler._get_user_allowed_globals()}
        known['builtins.getattr'] = _Object
        found = known.get(f'{IMPORT_MAPPING.get(module, module)}.{name}', _Object)
        # a state that the file sets must not reach what others use
        if isinstance(found, FunctionType):
            return lambda *args: found(*args)
        is_shared = isinstance(found, type) and not found.__flags__ & _IMMUTABLE
        return _Object if is_shared else found


def _without_objects(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: x for key, x in value.items() if not isinstance(x, _Object)}
    return {key: _without_objects(x) for key, x in kept.items()}


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_tensors, value.values()))
    return isinstance(value, torch.Tensor | np.ndarray)


def _load_safetensors(path: Path, map_location: Any) -> dict[str, Any]:
    from safetensors import safe_open

    try:
        with safe_open(path, 'pt', str(map_location)) as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            meta = json.loads((file.metadata() or {}).get('meta', '{}'))
    except Exception as error:  # the package's errors have no common base
        reason = f'not a safetensors file, or a damaged one: {one_line(error):.100}'
        raise ValueError(f'{path}: {reason}') from error
    return {'meta': meta, 'state_dict': state}


def save_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Save ``state_dict`` and ``meta`` in the format of the path's suffix.

    In ``.safetensors`` files, arrays of the latter become lists.
    """
    if path.suffix != SAFETENSORS:
        torch.save(content, path)
        return
    from safetensors.torch import save_file

    state = {key: value.contiguous() for key, value in content['state_dict'].items()}
    meta = json.dumps(content['meta'], default=lambda array: array.tolist())
    save_file(state, path, {'format': 'pt', 'meta': meta})


def allow_checkpoint_globals() -> Callable[[], None]:
    """Allow objects of OpenMMLab's checkpoints in ``torch.load``."""
    present = torch.serialization.get_safe_globals()
    added = [entry for entry in _checkpoint_globals() if entry not in present]
    torch.serialization.add_safe_globals(added)

    def undo() -> None:
        allowed = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals([x for x in allowed if x not in added])

    return undo


def _checkpoint_globals() -> list:
    """List what checkpoints hold besides tensors and plain containers."""
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    scalar = np.float64(0).__reduce__()[0]
    reconstruct = np.zeros(0).__reduce__()[0]
    # Empty arrays are saved as bytes().
    allowed = [HistoryBuffer, ConfigDict, np.ndarray, np.dtype, bytes]
    allowed += [type(np.dtype(code)) for code in _DTYPES]
    allowed.append((_statistic_of_history, 'builtins.getattr'))
    # The first name is that of NumPy 1, the second that of NumPy 2.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed.append((scalar, f'{module}.scalar'))
        allowed.append((reconstruct, f'{module}._reconstruct'))
    return allowed


def _statistic_of_history(owner: Any, name: str) -> Callable:
    """Replace ``getattr``, with which a HistoryBuffer pickles its own methods."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise UnpicklingError(f'Unsupported global: GLOBAL getattr of {name!r}')
