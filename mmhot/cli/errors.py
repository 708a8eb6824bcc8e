"""Parser and runner of commands whose errors are one line."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from mmhot.apis.user_errors import explain, is_debugging, is_user_error
from mmhot.cli.options import name_options
from mmhot.errors import nearest_name


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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if is_debugging() or not is_user_error(error):
            raise
        text = name_options(explain(error), flags_of(parser))
        print_line(f'{prog}: error: {text}', sys.stderr)
        return 2


def flags_of(parser: argparse.ArgumentParser | None) -> dict[str, str]:
    """Return the long options of a parser by the arguments that they set."""
    actions = parser._option_string_actions if parser else {}
    return {action.dest: flag for flag, action in actions.items() if flag[:2] == '--'}


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known name, or an empty string."""
    near = nearest_name(given, known)
    return '' if near is None else f' (did you mean {near}?)'


def print_line(text: str, stream: Any = None) -> None:
    """Write a line to a stream, stdout by default."""
    stream = sys.stdout if stream is None else stream
    try:
        stream.write(text + '\n')
    except UnicodeEncodeError:  # code pages of Windows lack characters of file names
        encoding = stream.encoding
        stream.write(text.encode(encoding, 'replace').decode(encoding) + '\n')
    stream.flush()


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
        self.exit(2, f'{self.prog}: error: {message}\n')

    def parse_args(self, args=None, namespace=None):
        """Parse all arguments; name the nearest option for unknown ones."""
        namespace, extras = self.parse_known_args(args, namespace)
        if extras:
            self.refuse(extras)
        return namespace

    def refuse(self, extras: list[str]) -> NoReturn:
        """Exit because of unknown arguments."""
        known = [*self._option_string_actions]
        hint = did_you_mean(extras[0].partition('=')[0], known)
        self.error(f'unrecognized arguments: {" ".join(extras)}{hint}')
