"""What people type: ``mmhot <command>``, one light module a command.

A command is a module of this package. Its docstring's first line is what ``mmhot
--help`` says about it; ``add_arguments(parser)`` declares its options and ``run(args)``
does the work, importing inside whatever takes long, and returns None or an exit code.
To add one, write the module and name it in :data:`mmhot.cli.dispatch.COMMANDS`.
"""

from mmhot.cli.dispatch import main

__all__ = ['main']
