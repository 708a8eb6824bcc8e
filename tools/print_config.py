"""Print a config with its bases and changed settings, as training reads it.

Example::

    python tools/print_config.py mmhot::CONFIG --cfg-options model.backbone.depth=2
"""

import argparse
import sys
from pathlib import Path

from mmhot.cli.errors import OneLineParser, print_text, run_safely
from mmhot.cli.report import output_file
from mmhot.io.atomic import replacing
from mmhot.weights.config_files import read_config_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools.runner import add_config_options, merge_options


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('config', help='config file, mmhot::CONFIG or mmpose::CONFIG')
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='write it to this .py file'
    )
    add_config_options(parser)
    return parser.parse_args()


def print_config(args: argparse.Namespace) -> None:
    """Print the config, or write it."""
    config = read_config_file(args.config, import_modules=False)
    merge_options(config, args.cfg_options)
    text = config.pretty_text
    if args.out is None:
        print_text(text.rstrip())
        return
    with replacing(args.out) as temporary:
        temporary.write_text(text, encoding='utf-8')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('print_config.py', lambda: print_config(args))


if __name__ == '__main__':
    sys.exit(main())
