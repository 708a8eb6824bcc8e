"""The command line: ``mmhot <command>``, one light module per command.

The first line of a command's docstring is its summary in ``mmhot --help``;
``add_arguments(parser)`` declares its options, and ``run(args)`` imports what takes
long, does the work and returns None or an exit code. To add a command, write the module
and name it in :data:`mmhot.cli.dispatch.COMMANDS`.
"""

from mmhot.cli.dispatch import main

__all__ = ['main']
