"""Parser and runner of commands whose errors are one line."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

from mmhot.cli.options import name_options
from mmhot.errors import (
    did_you_mean,
    escape,
    explain,
    is_debugging,
    is_user_error,
    one_line,
)


def run_safely(
    prog: str,
    action: Callable[[], Any],
    parser: argparse.ArgumentParser | None = None,
) -> int:
    """Run an action; print the errors that users can correct as one line.

    Args:
        prog (str): Start of the line, for example ``mmhot lift``.
        action (Callable): May return an exit code; None counts as success.
        parser (ArgumentParser, optional): Its options replace the names of arguments
            in messages.

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
        # the reader of the output has ended, as in `mmhot ... | head`
        _discard(sys.stdout)
        return 141
    except Exception as error:
        if is_debugging() or not is_user_error(error):
            raise
        text = name_options(explain(error), flags_of(parser))
        print_line(f'{prog}: error: {text}', sys.stderr)
        return 2


@contextmanager
def usable_streams() -> Iterator[None]:
    """Make stdout and stderr safe to print to, whatever they are connected to.

    Closed ones are discarded, and their numbers are not given to result files.
    Characters that the encoding lacks are escaped. What a full disk or an ended reader
    does not take is dropped at the end, without a traceback of the interpreter.
    """
    for number, name in enumerate(('stdin', 'stdout', 'stderr')):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            stream = open(number, 'w' if number else 'r', closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
    before, logging.lastResort = logging.lastResort, _WarningLines(logging.WARNING)
    try:
        yield
    finally:
        logging.lastResort = before
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError):  # closed
                _flush(stream)


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except OSError:
        _discard(stream)


def _discard(stream: Any) -> None:
    """Discard what was and what will be printed to a stream."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _WarningLines(logging.Handler):
    """Handler that prints each warning as one line."""

    def emit(self, record: logging.LogRecord) -> None:
        print_line(one_line(record.getMessage()), sys.stderr)


class Notices:
    """Lines for the user, beside the result files; losing them stops nothing.

    Args:
        prog (str): Start of the message if they cannot be printed.
    """

    def __init__(self, prog: str) -> None:
        self._prog, self._is_lost = prog, False

    def __call__(self, text: str) -> None:
        """Print each line of a text, with unprintable characters escaped."""
        if self._is_lost:
            return
        try:
            print_line('\n'.join(map(escape, text.split('\n'))))
        except OSError as error:
            self._is_lost = True
            _discard(sys.stdout)
            if not isinstance(error, BrokenPipeError):
                reason = one_line(error.strerror)
                print_line(f'{self._prog}: nothing is printed: {reason}', sys.stderr)


def flags_of(parser: argparse.ArgumentParser | None) -> dict[str, str]:
    """Return the long options of a parser by the arguments that they set."""
    actions = parser._option_string_actions if parser else {}
    return {action.dest: flag for flag, action in actions.items() if flag[:2] == '--'}


def _is_same(path: str | os.PathLike, other: Any) -> bool:
    """Whether a file exists and another value is its path, too."""
    with suppress(OSError, ValueError):  # missing, or no path at all
        return isinstance(other, str | Path) and os.path.samefile(path, other)
    return False


def print_line(text: str, stream: Any = None) -> None:
    """Write a line to a stream, stdout by default; errors of stderr are ignored."""
    is_error = stream is not None and stream is sys.stderr
    stream = sys.stdout if stream is None else stream
    try:
        try:
            stream.write(text + '\n')
        except UnicodeEncodeError:  # Windows' code pages lack characters of file names
            encoding = stream.encoding
            text = text.encode(encoding, 'backslashreplace').decode(encoding)
            stream.write(text + '\n')
        stream.flush()
    except OSError:
        if not is_error:
            raise
        _discard(stream)


class OneLineParser(argparse.ArgumentParser):
    """Argument parser whose errors are one line with a hint at the nearest name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault('allow_abbrev', False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        choice = re.match(r"(.*invalid choice: )'(.*)' \(choose from (.*)\)$", message)
        if choice:
            known = re.findall(r"'([^']*)'", choice[3])
            message += did_you_mean(choice[2], known)
        print_line(f'{self.prog}: error: {one_line(message)}', sys.stderr)
        self.exit(2)

    def parse_args(self, args=None, namespace=None):
        """Parse all arguments; name the nearest option for unknown ones."""
        namespace, extras = self.parse_known_args(args, namespace)
        if extras:
            self.refuse(extras)
        self.refuse_overwriting(namespace)
        return namespace

    def refuse_overwriting(self, namespace: argparse.Namespace) -> None:
        """Exit if a file to write is also one of the inputs."""
        written = {
            action.dest: action.option_strings[-1:] or [action.dest]
            for action in self._actions
            if getattr(action.type, '__name__', '') == 'output_file'
        }
        values = [v for name, v in vars(namespace).items() if name not in written]
        read = [x for v in values for x in (v if isinstance(v, list) else [v])]
        for name, (flag,) in written.items():
            path = getattr(namespace, name, None)
            if path is not None and any(_is_same(path, other) for other in read):
                self.error(f'{flag}: {path} is an input and would be overwritten')

    def refuse(self, extras: list[str]) -> NoReturn:
        """Exit because of unknown arguments."""
        known = [*self._option_string_actions]
        hint = did_you_mean(extras[0].partition('=')[0], known)
        self.error(f'unrecognized arguments: {" ".join(extras)}{hint}')
