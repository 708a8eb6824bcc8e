"""Errors of the commands in one line."""

import sys
from collections.abc import Callable


def run_command(command: Callable[[], None]) -> None:
    """Run a command; a wrong argument or file ends it with one line."""
    try:
        command()
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
