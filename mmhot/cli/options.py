"""Command-line options generated from the option dataclasses."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

from mmhot.apis.option_fields import Options, flag_of, kind_of

T = TypeVar('T', bound=Options)
# Options that every command has, see mmhot.cli.dispatch.
_GLOBAL = ('device',)


def add_options(
    parser: argparse._ActionsContainer,
    options: type[Options],
    names: tuple[str, ...] = (),
) -> None:
    """Declare an option for every field of a dataclass.

    Values are converted and checked by the dataclass, which has the defaults, too: an
    option that is not given is absent from the parsed arguments. Fields of classes with
    a title form a section of the help.

    Args:
        parser (ArgumentParser): Parser or group of one.
        options (type[Options]): Dataclass.
        names (tuple[str]): Fields to declare; all by default.
    """
    known = {each.name: each for each in fields(options)}
    groups = {'': parser}
    for part in reversed(options.__mro__[:-1]):
        for name in part.__annotations__:
            if name in _GLOBAL or (names and name not in names):
                continue
            title = '' if names else part.title
            if title not in groups:
                groups[title] = parser.add_argument_group(title)
            _add_option(groups[title], known[name])


def _add_option(parser: argparse._ActionsContainer, each: Field) -> None:
    argument = each.metadata['argument']
    settings: dict[str, Any] = {
        'dest': each.name,
        'default': argparse.SUPPRESS,
        'help': help_of(each),
    }
    kind = kind_of(each)
    if kind is bool:
        settings['action'] = 'store_false' if each.default else 'store_true'
    else:
        choices = ','.join(map(str, argument.choices))
        settings['metavar'] = f'{{{choices}}}' if choices else argument.metavar or None
        settings['required'] = each.default is MISSING
    if kind is tuple:
        settings |= dict(action='extend', nargs='+')
    parser.add_argument(flag_of(each), **settings)


def help_of(each: Field) -> str:
    """Return the help text of an option, with its default."""
    text = each.metadata['argument'].help
    text = text() if callable(text) else text
    is_shown = each.default not in (None, MISSING, ()) and kind_of(each) is not bool
    if not is_shown or '(default' in text:
        return text
    default = each.default
    return (
        f'{text} (default: {default if isinstance(default, str) else f"{default:g}"})'
    )


def read_options(args: argparse.Namespace, options: type[T]) -> T:
    """Build a dataclass from parsed arguments.

    Args:
        args (Namespace): Arguments of :func:`add_options`.
        options (type[Options]): Dataclass.

    Returns:
        Options: Checked values.

    Raises:
        ValueError: If a value is wrong; the message names the argument.
    """
    return options(**given_options(args, options))


def given_options(args: argparse.Namespace, options: type[Options]) -> dict[str, Any]:
    """Return the values that were given on the command line, by field."""
    values = vars(args)
    return {x.name: values[x.name] for x in fields(options) if x.name in values}


def name_options(message: str, flags: Mapping[str, str]) -> str:
    """Replace the names of arguments in a message by those of options.

    Replaced are names at the beginning before a verb or colon, and anywhere names in
    backticks, ``name=value``, and names with an underscore: 'fov must be 1' becomes
    '--fov must be 1'.

    Args:
        message (str): One line of the library.
        flags (Mapping[str, str]): Options by argument, such as ``{'fov': '--fov'}``.

    Returns:
        str: The line for users of the command line.
    """
    if not flags:
        return message
    message = re.sub(r'`(\w+)`', lambda x: flags.get(x[1], x[0]), message)
    names = '|'.join(sorted(map(re.escape, flags), key=len, reverse=True))
    verb = r'(?=:| must| needs?| do(?:es)? | cannot| both| is for)'
    start = re.match(rf'(?:(?:{names})(?:, | and )?)+{verb}', message)
    if start:
        named = re.sub(rf'\b({names})\b', lambda x: flags[x[0]], start[0])
        message = named + message[start.end() :]
    message = re.sub(
        rf"(?<![\w./-])({names})=(?:(True)\b|'([^']*)'|(?=\S))",
        lambda x: flags[x[1]] if x[2] else f'{flags[x[1]]} {x[3] or ""}',
        message,
    )
    return re.sub(
        rf'(?<![\w.-])({names})(?![\w.])',
        lambda x: flags[x[1]] if '_' in x[1] else x[0],
        message,
    )
