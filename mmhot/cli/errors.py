"""Parser and runner of commands that report an error in one line."""

import argparse
import logging
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

from mmhot.cli.signals import handling
from mmhot.errors import (
    NOTICE,
    ArgumentError,
    LineHandler,
    did_you_mean,
    escape,
    explain,
    is_debugging,
    one_line,
)
from mmhot.io.results import check_targets
from mmhot.progress import Line

# Errors that kept output from being written
_UNWRITTEN: list[OSError] = []


def run_safely(
    prog: str,
    action: Callable[[], int | None],
    parser: argparse.ArgumentParser | None = None,
    level: int = NOTICE,
    say: Callable[[Line], None] = lambda line: None,
) -> int:
    """Run an action; print warnings, and errors that users can correct, as one line.

    With ``MMHOT_DEBUG=1`` errors are raised instead.

    Args:
        prog (str): Name of the program, with which each line starts.
        action (Callable): Does the work; returns an exit code, or None for 0.
        parser (argparse.ArgumentParser, optional): Parser with the options that errors
            name.
        level (int): Lowest level of the log that is printed.
        say (Callable): Prints lines of the log that are no warnings.

    Returns:
        int: Exit code of the action; 2 for a mistake in the input or output that cannot
        be written, 130 when interrupted, 141 when the reader of a pipe has ended.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):  # Windows' code pages lack characters
            stream.reconfigure(errors='backslashreplace')
    complain = complain_as(prog, parser)
    logger = logging.getLogger('mmhot')
    warns = logging.WARNING
    handler = LineHandler(lambda x, level: (complain if level >= warns else say)(x))
    former = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    _UNWRITTEN.clear()
    try:
        # Requests to end, and closed terminals, count as Ctrl-C: files stay whole.
        with handling(signal.default_int_handler, 'SIGINT', 'SIGTERM', 'SIGHUP'):
            code = action() or 0
    except KeyboardInterrupt:
        complain('interrupted')
        return 130
    except Exception as error:
        if is_debugging() or not explain(error):
            raise
        complain(error, 'error: ')
        return 2
    finally:
        logger.removeHandler(handler)
        logger.setLevel(former)
    if not _UNWRITTEN:
        return code
    if isinstance(_UNWRITTEN[0], BrokenPipeError):  # `mmhot ... | head` has read enough
        return 141
    complain(_UNWRITTEN[0], 'error: the output cannot be written: ')
    return 2


def run_tool(
    add_arguments: Callable[[argparse.ArgumentParser], object],
    main: Callable[[argparse.Namespace], int | None],
    prog: str = '',
) -> NoReturn:
    """Parse the arguments of a script of ``tools/``, run it safely, and exit.

    Errors are reported as by :func:`run_safely`.

    Args:
        add_arguments (Callable): Declares the arguments of a parser. The help text is
            the first line of its module's docstring.
        main (Callable): Does the work; returns an exit code, or None for 0.
        prog (str): Name of the program. Defaults to the name of the script.
    """
    prog = prog or Path(sys.argv[0]).name
    about = sys.modules[add_arguments.__module__].__doc__
    parser = OneLineParser(prog=prog, description=about)
    add_arguments(parser)
    args = parser.parse_args()
    sys.exit(run_safely(prog, lambda: main(args)))


def complain_as(
    prog: str, parser: argparse.ArgumentParser | None = None
) -> Callable[..., None]:
    """Return a function that prints an error or a text on stderr, in one line.

    Args:
        prog (str): Name of the program, with which lines start.
        parser (argparse.ArgumentParser, optional): Parser with the options that errors
            name.

    Returns:
        Callable: Receives the error, and optionally a text to print before it.
    """
    flags = _flags_of(parser) if parser else {}

    def complain(error: Exception | str, before: str = '') -> None:
        if isinstance(error, ArgumentError):
            error = error.named(flags)
        known = explain(error) if isinstance(error, Exception) else None
        print_line(f'{prog}: {one_line(f"{before}{known or error}")}', sys.stderr)

    return complain


def say_as(parser: argparse.ArgumentParser) -> Callable[[Line], None]:
    """Return a function that prints lines, and names options as a parser does."""
    flags = _flags_of(parser)

    def say(line: Line) -> None:
        print_line(line.named(flags) if isinstance(line, ArgumentError) else line)

    return say


def _flags_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    actions = parser._option_string_actions
    return {x.dest: flag for flag, x in actions.items() if flag.startswith('--')}


def print_line(text: str, stream: TextIO | None = None) -> None:
    """Print a line at once; control characters are escaped.

    Args:
        text (str): The line.
        stream (TextIO, optional): Where to print. Defaults to stdout.
    """
    print_as_is(f'{escape(text)}\n', stream)


def print_as_is(text: str, stream: TextIO | None = None) -> None:
    """Print text; if that fails, work continues, and :func:`run_safely` reports it."""
    stream = sys.stdout if stream is None else stream
    try:
        print(text, end='', file=stream, flush=True)
    except OSError as error:
        _UNWRITTEN.append(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_text(text: str) -> None:
    """Print lines, each escaped as by :func:`print_line`."""
    for line in text.split('\n'):
        print_line(line)


def output_file(text: str) -> Path:
    """Return the path of a file; the ``type`` of arguments that name output files."""
    return Path(text)


class OneLineParser(argparse.ArgumentParser):
    """Argument parser that reports errors in one line, with a hint at the nearest name.

    If the description is a docstring, its first line is shown.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault('allow_abbrev', False)
        if 'formatter_class' not in kwargs:
            kwargs['description'] = (kwargs.get('description') or '').partition('\n')[0]
        super().__init__(*args, **kwargs)

    def _print_message(self, message: str, file: Any = None) -> None:
        print_as_is(message, file or sys.stderr)

    def error(self, message: str) -> NoReturn:
        """Print a message of argparse in one line, and exit with code 2."""
        # argparse lists the commands after an unknown one; name the nearest, too.
        choice = re.match(r"(.*invalid choice: )'(.*)' \(choose from (.*)\)$", message)
        if choice:
            names = re.findall(r"[^', ]+", choice[3])  # Python 3.14 has no quotes
            message = f'{message}{did_you_mean(choice[2], names)}'
        print_line(f'{self.prog}: error: {one_line(message)}', sys.stderr)
        self.exit(2)

    def parse_args(self, args=None, namespace=None):
        """Parse all arguments; name the nearest option for unknown ones."""
        namespace, extras = self.parse_known_args(args, namespace)
        self.check(namespace, extras)
        return namespace

    def check(self, namespace: argparse.Namespace, extras: list[str]) -> None:
        """Exit with code 2 if there are ``extras``, or an input would be overwritten.

        Args:
            namespace (argparse.Namespace): The parsed arguments.
            extras (list[str]): Arguments that the parser does not know.
        """
        if extras:
            flag = extras[0].partition('=')[0]
            hint = did_you_mean(flag, self._option_string_actions)
            lists = {x.dest for x in self._actions if x.metavar == 'LIST'}
            if flag.isalnum() and lists & vars(namespace).keys():
                hint = ' (separate the names of a list by commas, as in npz,html)'
            self.error(f'unrecognized arguments: {" ".join(extras)}{hint}')
        self._refuse_overwriting(vars(namespace))

    def _refuse_overwriting(self, values: dict[str, Any]) -> None:
        """Exit if a file to write is also among the other arguments."""
        outputs = {x.dest for x in self._actions if x.type is output_file}
        written = [(x, [values[x]]) for x in sorted(outputs) if values.get(x)]
        read = []
        for name in values.keys() - outputs:
            value = values[name]
            read += value if isinstance(value, list) else [value]
        try:
            check_targets(written, [x for x in read if isinstance(x, str | Path)])
        except (OSError, ValueError) as error:
            self.error(str(explain(error)))
