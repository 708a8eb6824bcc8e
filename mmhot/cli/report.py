"""Results for people or, with ``--json`` and ``--out FILE``, for programs."""

import argparse
import json
from collections.abc import Callable, Iterable

from mmhot.cli.errors import print_line
from mmhot.cli.output_file import output_file


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json`` and ``--out``."""
    parser.add_argument('--json', action='store_true', help='print JSON, no tables')
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='write the JSON to this file'
    )


def report(
    args: argparse.Namespace, content: dict, tables: Callable[[], Iterable[str]]
) -> None:
    """Print the tables or the JSON, and write the file.

    Args:
        args (Namespace): Arguments of :func:`add_report_arguments`.
        content (dict): What goes into the JSON.
        tables (Callable): Makes what people read, in parts that follow each other.
    """
    text = json.dumps(content, indent=1)
    if args.out is not None:
        from mmhot.io.atomic import replacing

        with replacing(args.out) as temporary:
            temporary.write_text(text + '\n', encoding='utf-8')
    for part in [text] if args.json else tables():
        print_line(part)
