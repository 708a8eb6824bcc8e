"""The command line: ``mmhot <command>``, one light module per command.

The first line of a command's docstring is its summary in ``mmhot --help``;
``add_arguments(parser)`` declares its options, and ``run(args)`` imports what takes
long, does the work and returns None or an exit code. To add a command, write the module
and name it in :data:`mmhot.cli.dispatch.COMMANDS`.
"""

import signal
from collections.abc import Sequence

from mmhot.cli.signals import end_at_once


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``mmhot``, see :func:`mmhot.cli.dispatch.main`.

    Args:
        argv (Sequence[str], optional): Arguments. Defaults to the process's, which then
            ends at Ctrl-C with one line even while it imports.

    Returns:
        int: The exit code.
    """
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if argv is None and is_usual:
        signal.signal(signal.SIGINT, end_at_once)
    from mmhot.cli.dispatch import main as run

    return run(argv)
