"""Parser and runner of commands whose errors are one line."""

import argparse
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

from mmhot.errors import (
    ArgumentError,
    WarningHandler,
    did_you_mean,
    escape,
    explain,
    is_debugging,
    is_user_error,
    one_line,
)
from mmhot.io.results import check_targets


def run_safely(
    prog: str,
    action: Callable[[], Any],
    parser: argparse.ArgumentParser | None = None,
) -> int:
    """Run an action; print warnings, and errors that users can correct, as one line.

    The line starts with ``prog``; errors name the parser's options. The exit code is
    that of the action, or 0 for None, 2 for a mistake in the input, 130 when
    interrupted. With ``MMHOT_DEBUG=1`` errors are raised instead.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):  # Windows' code pages lack characters
            stream.reconfigure(errors='backslashreplace')
    complain, logger = complain_as(prog, parser), logging.getLogger('mmhot')
    handler = WarningHandler(complain)
    logger.addHandler(handler)
    try:
        return action() or 0
    except KeyboardInterrupt:
        complain('interrupted')
        return 130
    except BrokenPipeError:
        # the reader of the output has ended, as in `mmhot ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if is_debugging() or not is_user_error(error):
            raise
        complain(error, 'error: ')
        return 2
    finally:
        logger.removeHandler(handler)


def complain_as(
    prog: str, parser: argparse.ArgumentParser | None = None
) -> Callable[..., None]:
    """Return a function that prints an error or a text, and what comes before it.

    Errors in arguments name the options of the parser.
    """
    actions = parser._option_string_actions if parser else {}
    flags = {x.dest: flag for flag, x in actions.items() if flag.startswith('--')}

    def complain(given: Exception | str, before: str = '') -> None:
        if isinstance(given, ArgumentError):
            given = given.named(flags)
        text = explain(given) if isinstance(given, Exception) else given
        print_line(f'{prog}: {one_line(f"{before}{text}")}', sys.stderr)

    return complain


def print_line(text: str, stream: TextIO | None = None) -> None:
    """Print a line at once, to stdout by default; control characters are escaped."""
    print(escape(text), file=stream, flush=True)


def print_text(text: str) -> None:
    """Print lines, of which each is escaped as by :func:`print_line`."""
    for line in text.split('\n'):
        print_line(line)


def output_file(text: str) -> Path:
    """Return the path of a file to write; the type of such arguments of a parser."""
    return Path(text)


class OneLineParser(argparse.ArgumentParser):
    """Argument parser whose errors are one line with a hint at the nearest name.

    Of a docstring as description, the first line is shown.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault('allow_abbrev', False)
        if 'formatter_class' not in kwargs:
            text = kwargs.get('description') or ''
            kwargs['description'] = text.partition('\n')[0]
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
        self.check(namespace, extras)
        return namespace

    def check(self, namespace: argparse.Namespace, extras: list[str]) -> None:
        """Exit because of ``extras``, or if an input would be overwritten."""
        if extras:
            known = [*self._option_string_actions]
            hint = did_you_mean(extras[0].partition('=')[0], known)
            lists = (x for x in self._actions if x.metavar == 'LIST')
            given = next((x for x in lists if x.dest in vars(namespace)), None)
            if given and extras[0].isalnum():
                value = ','.join([vars(namespace)[given.dest], *extras])
                hint = f' (lists have commas: {given.option_strings[0]} {value})'
            self.error(f'unrecognized arguments: {" ".join(extras)}{hint}')
        outputs = {x.dest for x in self._actions if x.type is output_file}
        written, read = [], []
        for name, value in vars(namespace).items():
            values = value if isinstance(value, list) else [value]
            paths = [x for x in values if isinstance(x, str | Path)]
            if name in outputs:
                written.append((name, [Path(x) for x in paths]))
            else:
                read += paths
        try:
            check_targets(written, read)
        except (OSError, ValueError) as error:
            self.error(str(error))
