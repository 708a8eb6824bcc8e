"""Plot error against computational cost of pruning methods, from a JSON file.

Example::

    python -m tools.analysis.draw_cost_curve docs/images/hot.json docs/images/hot.png
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file
from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing

# The curves that are drawn, and the colors of their methods.
_GROUP = 'in a trained MixSTE XS'
_COLORS = {'TPS + TRI': '#2f6fde', 'TPC + TRI': '#d9622b'}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('source', type=Path, help='.json file of measurements')
    parser.add_argument('target', type=output_file, help='.png file to write')
    return parser.parse_args()


def relative(points: Sequence[dict], group: str) -> dict[str, np.ndarray]:
    """Compute cost and error of a group's methods relative to no pruning.

    Args:
        points (Sequence[dict]): Each has a ``group``, a ``method``
            or 'none' for the model without pruning, its ``macs``, and its ``errors``,
            one for each seed, in the same order as those of 'none'.
        group (str): The host and its training.

    Returns:
        dict[str, np.ndarray]: For each method, sorted by cost: percent of the
        operations, and mean change of the error over seeds in percent, (P, 2).
    """
    (host,) = [p for p in points if (p['group'], p['method']) == (group, 'none')]
    reference = np.array(host['errors'])
    rows: dict[str, list] = {}
    for point in points:
        if point['group'] == group:
            errors = np.array(point['errors'])
            change = errors / reference[: len(errors)] - 1
            row = [100 * point['macs'] / host['macs'], 100 * change.mean()]
            rows.setdefault(point['method'], []).append(row)
    return {method: np.array(sorted(found)) for method, found in rows.items()}


def draw(args: argparse.Namespace) -> None:
    """Plot the curves, and print their numbers."""
    curves = relative(load_json(args.source)['points'], _GROUP)
    figure = Figure(figsize=(6.4, 3.6), dpi=150, layout='constrained')
    panel = figure.subplots()
    panel.axhline(0, color='#9aa3ad', linewidth=1)
    panel.plot(100, 0, marker='*', markersize=14, color='#20252b', clip_on=False)
    panel.annotate(
        'all 81 frames', (100, 0), (-6, 9), textcoords='offset points', ha='right'
    )
    for method, color in _COLORS.items():
        panel.plot(
            *curves[method].T, marker='o', linewidth=2, color=color, label=method
        )
        for share, change in curves[method]:
            print_line(f'{method:<12}{share:6.1f} %{change:+7.2f} %')
    panel.set(xlim=(38, 101), xlabel='multiply-adds, % of MixSTE with all frames')
    panel.set(ylabel='change of the error, %', title='MixSTE whose frames HoT prunes')
    panel.legend(title='HoT keeps 7 to 41 frames', frameon=False)
    panel.spines[['top', 'right']].set_visible(False)
    with replacing(args.target) as temporary, temporary.open('wb') as file:
        FigureCanvasAgg(figure).print_png(file, metadata={'Software': None})


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('draw_cost_curve.py', lambda: draw(args))


if __name__ == '__main__':
    sys.exit(main())
