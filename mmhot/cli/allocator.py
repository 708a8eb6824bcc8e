"""How the C library deals with large blocks of memory."""

import ctypes
from contextlib import suppress

# Of GNU's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = -1


def keep_freed_memory() -> bool:
    """Have freed memory stay with the process, for the next block of its size.

    A training step on a CPU makes the same large tensors again and again. Otherwise
    each of them is given back to the system, which clears every page of the next: a
    tenth to a fifth of the time. The process keeps what it needed at most.

    Returns:
        bool: Whether the C library can do that: GNU's, on Linux.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL('libc.so.6').mallopt
        return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
    return False
