"""Settings of the process: memory allocator, signals, messages of OpenCV."""

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# From malloc.h of the GNU C library.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = -1


def keep_freed_memory() -> bool:
    """Keep freed memory in the process, for the next block of the same size.

    A training step on a CPU allocates the same large tensors again and again. By
    default each is returned to the system, which clears every page of the next one: a
    tenth to a fifth of the time. The process keeps its peak memory.

    Returns:
        bool: Whether the C library supports it: GNU's, on Linux.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL('libc.so.6').mallopt
        return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
    return False


def silence_opencv() -> None:
    """Keep OpenCV from printing several lines per damaged image, beside our own."""
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'OFF')


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call a function on the first Ctrl-C or SIGTERM; later ones act as usual.

    Args:
        stop (Callable): Ends the work in an orderly way.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}

    def end(number: int, _) -> None:
        signal.signal(number, before[number])
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
