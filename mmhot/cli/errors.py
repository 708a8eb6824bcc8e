"""What goes wrong because of input becomes one line that says so."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable
from pickle import UnpicklingError
from typing import Any, NoReturn

from mmhot.errors import nearest_name

USER_ERRORS = (ValueError, OSError, UnpicklingError)
"""Exceptions that mean a mistake in the input, not in the program."""


def run_safely(prog: str, action: Callable[[], Any]) -> int:
    """Run an action; turn the errors that users can mend into one line.

    Args:
        prog (str): Named at the beginning of the line, for example ``mmhot lift``.
        action (Callable): May return an exit code; None counts as success.

    Returns:
        int: Exit code: 0 for success, 2 for a mistake in the input, 130 when
            interrupted. With ``MMHOT_DEBUG=1`` errors are raised instead.
    """
    try:
        return action() or 0
    except KeyboardInterrupt:
        print_line(f'{prog}: interrupted', sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output is gone, as in `mmhot ... | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if os.environ.get('MMHOT_DEBUG') == '1' or not is_user_error(error):
            raise
        print_line(f'{prog}: error: {explain(error)}', sys.stderr)
        return 2


def is_user_error(error: Exception) -> bool:
    """Whether an error is for the user to mend."""
    return (
        isinstance(error, USER_ERRORS)
        or _is_out_of_memory(error)
        or _is_missing_file(error)
    )


def explain(error: Exception) -> str:
    """Say in one line what an exception means for the user."""
    if isinstance(error, UnpicklingError):
        from mmhot.compat.checkpoints import explain_refusal

        text = f'checkpoint {explain_refusal(error)}'
    elif _is_out_of_memory(error):
        text = 'the GPU has too little memory; use a smaller batch or the device cpu'
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename is not None:
            text = f'{error.filename}: {text}'
    else:
        text = str(error) or type(error).__name__
    text = re.sub(r'`(\w+)`', lambda name: as_option(name[1]), text)
    return ' '.join(text.split())


def as_option(argument: str) -> str:
    """Convert the name of a library argument to that of an option."""
    return f'--{argument.replace("_", "-")}'


def _is_out_of_memory(error: Exception) -> bool:
    # By name: importing PyTorch to know its class would cost every command seconds.
    return type(error).__name__ == 'OutOfMemoryError'


def _is_missing_file(error: Exception) -> bool:
    # MMPose's datasets assert that their files exist.
    return isinstance(error, AssertionError) and 'does not exist' in str(error)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known name, or an empty string."""
    near = nearest_name(given, known)
    return '' if near is None else f' (did you mean {near}?)'


def print_line(text: str, stream: Any = None) -> None:
    """Write a line, to stdout if nothing else is said."""
    stream = sys.stdout if stream is None else stream
    try:
        stream.write(text + '\n')
    except UnicodeEncodeError:  # Windows' code pages lack characters of file names
        encoding = stream.encoding
        stream.write(text.encode(encoding, 'replace').decode(encoding) + '\n')
    stream.flush()


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line with a hint at the nearest name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault('allow_abbrev', False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Print one line and leave with exit code 2."""
        choice = re.match(r"(.*invalid choice: )'(.*)' \(choose from (.*)\)$", message)
        if choice:
            known = re.findall(r"'([^']*)'", choice[3])
            message += did_you_mean(choice[2], known)
        self.exit(2, f'{self.prog}: error: {message}\n')

    def parse_args(self, args=None, namespace=None):
        """Parse all arguments; name the nearest for those that nobody knows."""
        namespace, extras = self.parse_known_args(args, namespace)
        if extras:
            self.refuse(extras)
        return namespace

    def refuse(self, extras: list[str]) -> NoReturn:
        """Name the arguments that nobody knows."""
        known = [*self._option_string_actions]
        hint = did_you_mean(extras[0].partition('=')[0], known)
        self.error(f'unrecognized arguments: {" ".join(extras)}{hint}')
