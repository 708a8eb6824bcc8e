"""The ``mmhot`` command: its subcommands, global options and exit code."""

import argparse
import logging
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from typing import Any

from mmhot.cli.errors import (
    OneLineParser,
    complain_as,
    run_safely,
    say_as,
)
from mmhot.cli.options import help_of, read_values
from mmhot.errors import NOTICE, ignored_warnings, is_debugging
from mmhot.extensions import load_extensions
from mmhot.options import DeviceOptions, options_of
from mmhot.progress import Bars, Report, no_bar, text_bar
from mmhot.version import __version__

COMMANDS = 'infer', 'lift', 'refine', 'stream', 'ui', 'export', 'list', 'doctor'
"""Commands in the order of ``mmhot --help``; each is a module of this package."""


def main(argv: Sequence[str] | None = None, bars: Bars = text_bar) -> int:
    """Run ``mmhot``.

    Args:
        argv (Sequence[str], optional): Arguments. Defaults to the process's.
        bars (Bars): Progress bars. Defaults to bars in the terminal.

    Returns:
        int: The exit code, see the end of ``mmhot --help``.

    Example::

        main(['lift', 'demo/skating_2d_coco17.npz', '--out-dir', 'results'])
    """
    argv = [*(sys.argv[1:] if argv is None else argv)]
    if argv[:1] == ['help']:  # the form `mmhot help [COMMAND]`
        argv = [*argv[1:2], '--help']
    named = next((name for name in COMMANDS if name in argv), None)
    # Extensions come first: they register steps and formats that have flags.
    if named and (code := run_safely(f'mmhot {named}', load_extensions)):
        return code
    # Importing the options of other commands would take long.
    parser, commands = build_parser(argv)
    args, extras = parser.parse_known_args(argv)
    if args.command is None:
        parser.check(args, extras)
        parser.print_help(sys.stderr)
        return 2
    command = commands[args.command]
    command.check(args, extras)
    args.say = (lambda line: None) if args.quiet else say_as(command)
    args.report = Report(args.say, no_bar if args.quiet else bars)
    args.complain = complain_as(command.prog, command)
    if args.device == 'auto':
        args.device = None
    level = logging.INFO if args.verbose else NOTICE
    return run_safely(command.prog, partial(_run, args), command, level, args.say)


def _run(args: argparse.Namespace) -> int | None:
    """Read the options of a command, and run it."""
    # Warnings of other packages have several lines, and do not name our options.
    with nullcontext() if is_debugging() or sys.warnoptions else ignored_warnings():
        if 'kinds' in args:
            args.values = read_values(args)
        return args.run(args)


def build_parser(
    used: Iterable[str] = COMMANDS,
) -> tuple[OneLineParser, dict[str, OneLineParser]]:
    """Build the parser of ``mmhot``.

    Args:
        used (Iterable[str]): Commands that get their options. Defaults to all.

    Returns:
        tuple[OneLineParser, dict[str, OneLineParser]]: The parser, and the parsers of
        the commands by name.
    """
    parser = OneLineParser(
        prog='mmhot',
        description='Turn videos into 3D poses, with MMPose.',
        epilog='exit codes: 0 done, 1 an input failed or a check found something, '
        '2 wrong use or input, 130 interrupted',
    )
    _add_global_options(parser, device=None, default=False)
    subparsers = parser.add_subparsers(
        dest='command', metavar='COMMAND', title='commands'
    )
    commands = {}
    for name in COMMANDS:
        module = import_module(f'mmhot.cli.{name.replace("-", "_")}')
        summary = (module.__doc__ or '').partition('\n')[0]  # empty with `python -OO`
        command = subparsers.add_parser(
            name,
            help=summary.rstrip('.'),
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
        )
        if name in used:
            module.add_arguments(command)
        # Global options may also follow the command; there they have no default.
        group = command.add_argument_group('general')
        group.add_argument('-h', '--help', action='help', help='print this text')
        _add_global_options(group, argparse.SUPPRESS, argparse.SUPPRESS)
        command.set_defaults(run=module.run)
        commands[name] = command
    return parser, commands


def _add_global_options(parser: argparse._ActionsContainer, device, default) -> None:
    """Declare the options of all commands, with defaults of the device and flags."""
    about_device = help_of(options_of(DeviceOptions)['device'])
    about_quiet = 'print errors only, no progress and no summary'
    about_verbose = 'print notes, too: repairs, details of models, times'
    about_version = 'print the version; `mmhot doctor` prints those of other packages'
    version = f'mmhot {__version__}'
    parser.add_argument('--device', default=device, metavar='NAME', help=about_device)
    flag: dict[str, Any] = dict(action='store_true', default=default)
    parser.add_argument('--quiet', **flag, help=about_quiet)
    parser.add_argument('-v', '--verbose', **flag, help=about_verbose)
    parser.add_argument(
        '-V', '--version', action='version', version=version, help=about_version
    )
