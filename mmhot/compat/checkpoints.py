"""Objects that ``torch.load`` permits in OpenMMLab's checkpoints, besides tensors."""

from collections.abc import Callable
from contextlib import ExitStack
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

# Data types of permitted arrays: booleans, texts, and numbers of all sizes.
_DTYPES = (*'?USefdFD', *(f'{kind}{size}' for kind in 'iu' for size in (1, 2, 4, 8)))


def allow_checkpoint_globals() -> Callable[[], None]:
    """Permit the NumPy arrays and statistics in OpenMMLab's checkpoints.

    Returns:
        Callable: Function that reverts this.
    """
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    scalar = np.float64(0).__reduce__()[0]
    reconstruct = np.zeros(0).__reduce__()[0]
    # bytes() is the content of empty arrays.
    needed = [HistoryBuffer, ConfigDict, np.ndarray, np.dtype, bytes]
    needed += [type(np.dtype(code)) for code in _DTYPES]
    needed.append((_statistic_of_history, 'builtins.getattr'))
    # NumPy 1 saves the first name, NumPy 2 the second.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        needed.append((scalar, f'{module}.scalar'))
        needed.append((reconstruct, f'{module}._reconstruct'))
    present = torch.serialization.get_safe_globals()
    added = [entry for entry in needed if entry not in present]
    permission = ExitStack()
    permission.enter_context(torch.serialization.safe_globals(added))
    return permission.close


def _statistic_of_history(owner: Any, name: str) -> Callable:
    """Return a method of HistoryBuffer, which its pickles name with ``getattr``.

    Raises:
        UnpicklingError: If the pickle names anything else.
    """
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise UnpicklingError(f'Unsupported global: GLOBAL getattr of {name!r}')
