"""Draw what pruning saves and loses, from measurements in a JSON file.

Example::

    python -m tools.lab.draw_cost_curve docs/images/hot.json docs/images/hot.png
"""

import argparse
import sys
from pathlib import Path

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.output_file import output_file


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=Path, help='the .json of measurements')
    parser.add_argument('target', type=output_file, help='the .png to write')
    return parser.parse_args()


def draw(args: argparse.Namespace) -> None:
    """Draw the curve, and print its numbers."""
    from mmhot.errors import naming
    from mmhot.io.arrays import load_json
    from tools.lab.cost_curve import check_points, draw_cost_curve, relative

    with naming(args.source):
        document = load_json(args.source)
        points = check_points(document)
    draw_cost_curve(document, args.target)
    for group in dict.fromkeys(point['group'] for point in points):
        print_line(group)
        for method, rows in relative(points, group).items():
            for share, change, *_ in rows:
                print_line(f'  {method:<12}{100 * share:6.1f} %{change:+7.2f} %')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('draw_cost_curve.py', lambda: draw(args))


if __name__ == '__main__':
    sys.exit(main())
