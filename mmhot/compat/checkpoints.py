"""Classes that ``torch.load`` permits in OpenMMLab's checkpoints, besides tensors."""

from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

_DTYPES = *'?USefdFD', *(f'{kind}{size}' for kind in 'iu' for size in (1, 2, 4, 8))


def allow_checkpoint_globals() -> Callable[[], None]:
    """Allow what OpenMMLab's checkpoints hold besides tensors and plain containers."""
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    scalar = np.float64(0).__reduce__()[0]
    reconstruct = np.zeros(0).__reduce__()[0]
    # Empty arrays are saved as bytes().
    needed = [HistoryBuffer, ConfigDict, np.ndarray, np.dtype, bytes]
    needed += [type(np.dtype(code)) for code in _DTYPES]
    needed.append((_statistic_of_history, 'builtins.getattr'))
    # NumPy 1 has the first name, NumPy 2 the second.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        needed.append((scalar, f'{module}.scalar'))
        needed.append((reconstruct, f'{module}._reconstruct'))
    present = torch.serialization.get_safe_globals()
    added = [entry for entry in needed if entry not in present]
    torch.serialization.add_safe_globals(added)

    def undo() -> None:
        allowed = torch.serialization.get_safe_globals()
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals([x for x in allowed if x not in added])

    return undo


def _statistic_of_history(owner: Any, name: str) -> Callable:
    """Replace ``getattr``, with which a HistoryBuffer pickles its own methods."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise UnpicklingError(f'Unsupported global: GLOBAL getattr of {name!r}')
