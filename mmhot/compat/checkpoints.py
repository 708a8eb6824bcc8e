"""Safe loading of checkpoints: only tensors, NumPy arrays and plain containers.

Files are those of ``torch.save``, or safetensors with the metadata as JSON.
"""

import json
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from mmhot.compat import shims
from mmhot.errors import DAMAGED_CHECKPOINT, explain_refusal, ignored_warnings

_DTYPES = (
    *('Bool', 'Str', 'Bytes', 'Float16', 'Float32', 'Float64'),
    *('Complex64', 'Complex128'),
    *(f'{kind}{bits}' for kind in ('Int', 'UInt') for bits in (8, 16, 32, 64)),
)
SAFETENSORS = '.safetensors'
"""Suffix of files that hold tensors and text alone."""


def safe_load(path: str | Path, map_location: Any = 'cpu') -> Any:
    """Load a checkpoint of OpenMMLab; refuse other pickled objects.

    It is a file of ``torch.save``, or a ``.safetensors`` file, whose metadata may have
    ``meta`` in JSON.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is damaged or holds other objects.
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
            raise ValueError(f'{path}: {explain_refusal(error)}') from error
        except Exception as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            # A damaged file can make the unpickler raise anything.
            raise ValueError(f'{path}: {DAMAGED_CHECKPOINT}') from error


def _load_safetensors(path: Path, map_location: Any) -> dict[str, Any]:
    from safetensors import safe_open

    try:
        with safe_open(path, 'pt', str(map_location)) as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            meta = json.loads((file.metadata() or {}).get('meta', '{}'))
    except Exception as error:  # the package's errors have no common base
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{path}: not a safetensors file, or a damaged one: {reason:.100}'
        ) from error
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
    allowed += [getattr(np.dtypes, f'{name}DType') for name in _DTYPES]
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
