"""How much memory something needs at most."""

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

_PROCESS = Path('/proc/self')


def peak_memory(call: Callable[[], object], device: str) -> int | None:
    """Bytes by which memory grows, at most, while something runs again.

    On a CPU this is the growth of the process, so nothing else should have used much
    memory in it; what it allocates but once (code, thread stacks) is not counted.

    Args:
        call (Callable): Run twice.
        device (str): Where it runs.

    Returns:
        int, optional: Bytes; None on a CPU of a system other than Linux.
    """
    if device != 'cpu':
        call()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    call()
    _give_back_what_is_free()
    try:
        before = _status('VmRSS')
        (_PROCESS / 'clear_refs').write_text('5')  # forgets the peak so far
        call()
        return max(0, _status('VmHWM') - before)
    except OSError:
        return None


def _give_back_what_is_free() -> None:
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL('libc.so.6').malloc_trim(0)


def _status(name: str) -> int:
    for line in (_PROCESS / 'status').read_text(encoding='utf-8').splitlines():
        if line.startswith(f'{name}:'):
            return 1024 * int(line.split()[1])
    raise OSError(f'/proc/self/status has no {name}')
