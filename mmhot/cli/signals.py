"""Signals that end commands."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handling(
    handler: Callable[[int, FrameType | None], object], *names: str
) -> Iterator[None]:
    """Handle signals in a block, in the main thread, if no other program does.

    Args:
        handler (Callable): Receives the number of the signal and the frame.
        *names (str): Names such as ``'SIGINT'``; missing ones are ignored.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        usual = (signal.SIG_DFL, signal.default_int_handler, end_at_once)
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        before = {x: y for x in numbers if (y := signal.getsignal(x)) in usual}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def end_at_once(number: int, frame: FrameType | None) -> None:
    """End the process at Ctrl-C; imports may turn an exception into another one."""
    os.write(2, b'mmhot: interrupted\n')
    os._exit(130)
