"""Command-line options generated from the option dataclasses."""

import argparse
from dataclasses import MISSING, Field, fields
from typing import Any

from mmhot.options import Options, T, kind_of


def add_options(parser: argparse._ActionsContainer, options: type[Options]) -> None:
    """Declare an option for every field of a dataclass.

    Values are converted and checked by the dataclass, which has the defaults, too: an
    option that is not given is absent from the parsed arguments. Fields of classes with
    a title form a section of the help.
    """
    groups, declared = {'': parser}, {'device'}  # see mmhot.cli.dispatch
    parts = [x for x in reversed(options.__mro__) if issubclass(x, Options)]
    for part in parts:
        own = [x for x in fields(options) if x.name in part.__annotations__]
        for each in own:
            if each.name in declared:
                continue
            declared.add(each.name)
            if part.title not in groups:
                groups[part.title] = parser.add_argument_group(part.title)
            argument, kind = each.metadata['argument'], kind_of(each)
            flag = argument.flag or f'--{each.name.replace("_", "-")}'
            settings: dict[str, Any] = dict(action='store')
            if kind is bool:
                settings['action'] = 'store_false' if each.default else 'store_true'
            else:
                choices = ','.join(map(str, argument.choices))
                settings['metavar'] = f'{{{choices}}}' if choices else argument.metavar
                settings['required'] = each.default is MISSING
            if kind is tuple:
                settings |= dict(action='extend', nargs='+')
            groups[part.title].add_argument(
                flag,
                dest=each.name,
                default=argparse.SUPPRESS,
                help=help_of(each),
                **settings,
            )


def help_of(each: Field) -> str:
    """Return the help text of an option, with its default."""
    argument, default = each.metadata['argument'], each.default
    text = argument.flag_help or argument.help
    if default in (None, MISSING, ()) or kind_of(each) is bool or '(default' in text:
        return text
    default = default if isinstance(default, str) else f'{default:g}'
    return f'{text} (default: {default})'


def read_options(args: argparse.Namespace, options: type[T]) -> T:
    """Build a dataclass from the parsed arguments of :func:`add_options`.

    Raises:
        ArgumentError: If a value is wrong.
    """
    return options(**given_options(args, options))


def given_options(args: argparse.Namespace, options: type[Options]) -> dict[str, Any]:
    """Return the values that were given on the command line, by field."""
    values = vars(args)
    return {x.name: values[x.name] for x in fields(options) if x.name in values}
