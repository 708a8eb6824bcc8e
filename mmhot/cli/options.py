"""Command-line options generated from dataclasses of options."""

import argparse
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import Any

from mmhot.options import RENAMED, Options, Values, kind_of, options_of


def add_options(parser: argparse._ActionsContainer, *kinds: type[Options]) -> None:
    """Declare a flag for every option of dataclasses.

    Values are converted and checked by the dataclass, which has the defaults, too: an
    option that is not given is absent from the parsed arguments. Options of classes
    with a title form a section of the help.
    """
    groups: dict[str, argparse._ActionsContainer] = {'': parser}
    for name, declared in options_of(*kinds).items():
        if name == 'device':  # see mmhot.cli.dispatch
            continue
        title = _title_of(declared, kinds)
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        argument, settings = declared.metadata['argument'], dict[str, Any]()
        if kind_of(declared) is bool:
            settings['action'] = 'store_false' if declared.default else 'store_true'
        else:
            choices = ','.join(map(str, argument.choices))
            settings['metavar'] = f'{{{choices}}}' if choices else argument.metavar
            settings['required'] = declared.default is MISSING
        groups[title].add_argument(
            f'--{name.replace("_", "-")}',
            dest=name,
            default=argparse.SUPPRESS,
            help=help_of(declared),
            **settings,
        )
    for old, new in RENAMED.items():
        if new in options_of(*kinds):
            parser.add_argument(
                f'--{old}', default=argparse.SUPPRESS, help=argparse.SUPPRESS
            )
    parser.set_defaults(kinds=kinds)


def _title_of(declared: Field, kinds: Iterable[type[Options]]) -> str:
    """Return the title of the class that declares an option; derived ones share it."""
    *_, owner = (
        part
        for kind in kinds
        for part in kind.__mro__
        if issubclass(part, Options) and declared in fields(part)
    )
    return owner.title


def help_of(declared: Field) -> str:
    """Return the help text of an option, with its default."""
    argument, default = declared.metadata['argument'], declared.default
    text = argument.help
    if default in (None, MISSING, ()) or kind_of(declared) is bool:
        return text
    if '(default' in text:
        return text
    default = default if isinstance(default, str) else f'{default:g}'
    return f'{text} (default: {default})'


def read_values(args: argparse.Namespace) -> Values:
    """Return the values of the options of :func:`add_options`."""
    names = {*options_of(*args.kinds)}
    names |= {old for old, new in RENAMED.items() if new in names}
    stated = {name: value for name, value in vars(args).items() if name in names}
    return Values(stated, args.kinds)
