"""Command-line options generated from dataclasses of options."""

import argparse
from dataclasses import MISSING
from typing import Any

from mmhot.cli.errors import OneLineParser
from mmhot.options import LISTS, DeclaredOption, Options, Values, options_of


def add_inputs(
    parser: OneLineParser, text: str, *kinds: type[Options], **settings: Any
) -> None:
    """Declare the inputs and options of a command.

    Args:
        parser (OneLineParser): Parser of the command.
        text (str): Help text of the inputs.
        *kinds (type[Options]): Dataclasses of options.
        **settings (Any): Further arguments of ``add_argument`` for the inputs.
    """
    parser.usage = '%(prog)s INPUT [INPUT ...] [OPTION ...]'
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help=text, **settings)
    add_options(parser, *kinds)


def add_options(parser: argparse._ActionsContainer, *kinds: type[Options]) -> None:
    """Declare a flag for every option of dataclasses.

    The dataclasses convert and check values, and have the defaults: an option that is
    not given is absent from the parsed arguments.

    Args:
        parser (argparse._ActionsContainer): Parser of the command.
        *kinds (type[Options]): Dataclasses; one with a title has a section of the help.
    """
    groups: dict[str, argparse._ActionsContainer] = {'': parser}
    for name, option in options_of(*kinds).items():
        if name == 'device':  # a global option, see mmhot.cli.dispatch
            continue
        if option.title not in groups:
            groups[option.title] = parser.add_argument_group(option.title)
        settings: dict[str, Any] = {}
        if option.kind is bool:
            settings['action'] = 'store_false' if option.default else 'store_true'
        else:
            choices = ','.join(map(str, option.choices))
            settings['metavar'] = f'{{{choices}}}' if choices else option.limits.metavar
            settings['required'] = option.default is MISSING
        groups[option.title].add_argument(
            f'--{name.replace("_", "-")}',
            dest=name,
            default=argparse.SUPPRESS,
            help=help_of(option),
            **settings,
        )
    parser.set_defaults(kinds=kinds)


def help_of(option: DeclaredOption) -> str:
    """Return the help text of an option, with its default."""
    text = option.help
    default = option.default
    if '(default' in text or option.kind is bool or default in (None, MISSING):
        return text
    values = default if isinstance(default, LISTS) else [default]
    shown = ','.join(f'{x:g}' if isinstance(x, float) else str(x) for x in values)
    return f'{text} (default: {shown})' if shown else text


def read_values(args: argparse.Namespace) -> Values:
    """Return the values of the options of :func:`add_options`."""
    names = options_of(*args.kinds)
    stated = {name: value for name, value in vars(args).items() if name in names}
    return Values(stated, args.kinds)
