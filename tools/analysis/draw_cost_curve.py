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

# Larger changes, in percent, are drawn at the upper edge and printed in the legend.
_MAX_CHANGE = 12
_COLUMNS = 3
# Colors and markers, in the order of the methods.
_STYLES = (
    ('#2f6fde', 'o'),
    ('#d9622b', 's'),
    ('#2c9c69', '^'),
    ('#8a5bd1', 'D'),
    ('#b0892b', 'v'),
    ('#5b6573', 'P'),
    ('#c2418b', 'X'),
    ('#2aa6b8', 'p'),
    ('#7a4b2a', '<'),
    ('#4a6b1f', '>'),
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=Path, help='.json file of measurements')
    parser.add_argument('target', type=output_file, help='.png file to write')
    return parser.parse_args()


def draw(args: argparse.Namespace) -> None:
    """Plot the curves, and print their numbers."""
    document = load_json(args.source)
    points = document['points']
    draw_cost_curve(document, args.target)
    for group in dict.fromkeys(point['group'] for point in points):
        print_line(group)
        for method, rows in relative(points, group).items():
            for share, change, *_ in rows:
                print_line(f'  {method:<12}{100 * share:6.1f} %{change:+7.2f} %')


def relative(points: Sequence[dict], group: str) -> dict[str, np.ndarray]:
    """Compute cost and error of a group's methods relative to no pruning.

    Args:
        points (Sequence[dict]): Each has a ``group``, which is one panel, a ``method``
            or 'none' for the model without pruning, its ``macs``, and its ``errors``,
            one for each seed, in the same order as those of 'none'.
        group (str): Its name.

    Returns:
        dict[str, np.ndarray]: For each method, sorted by cost: share of the operations,
        mean change of the error over seeds in percent, and the smallest and largest
        change, (P, 4).
    """
    (host,) = [p for p in points if (p['group'], p['method']) == (group, 'none')]
    reference = np.array(host['errors'])
    rows = {}
    for point in points:
        if point['group'] == group:
            errors = np.array(point['errors'])
            change = 100 * (errors / reference[: len(errors)] - 1)
            share = point['macs'] / host['macs']
            row = [share, change.mean(), change.min(), change.max()]
            rows.setdefault(point['method'], []).append(row)
    return {method: np.array(sorted(found)) for method, found in rows.items()}


def draw_cost_curve(document: dict, path: str | Path) -> None:
    """Plot change of the error against operations, one panel for each group.

    Args:
        document (dict): Name of the ``error``, and ``points`` of :func:`relative`.
        path (str | Path): The ``.png`` to create or replace.
    """
    points = document['points']
    groups = list(dict.fromkeys(point['group'] for point in points))
    methods = dict.fromkeys(point['method'] for point in points)
    methods = [method for method in methods if method != 'none']
    styles = {method: _STYLES[i % len(_STYLES)] for i, method in enumerate(methods)}
    styles['none'] = ('#20252b', '*')
    columns = min(len(groups), _COLUMNS)
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.8 * rows), layout='constrained')
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for panel in panels.flat[len(groups) :]:
        panel.remove()
    for panel, group in zip(panels.flat, groups, strict=False):
        for method, changes in relative(points, group).items():
            _draw_method(panel, method, changes, styles[method])
        panel.axhline(1, color='#9aa3ad', linewidth=0.8, linestyle=':')
        panel.set_title(group, fontsize=10)
        panel.set_xlabel('multiply-adds, % of those of all frames')
        panel.grid(alpha=0.25, linewidth=0.6)
        panel.legend(fontsize=8)
    for panel in panels[:, 0]:
        panel.set_ylabel(f'change of {document["error"]}, %')
    with replacing(path) as temporary, temporary.open('wb') as file:
        canvas.print_png(file, metadata={'Software': None})


def _draw_method(panel, method: str, rows: np.ndarray, style: tuple[str, str]) -> None:
    color, marker = style
    share, change = rows[:, 0], rows[:, 1]
    name = 'all frames' if method == 'none' else method
    clipped = change > _MAX_CHANGE
    if clipped.any():
        name += ': ' + ', '.join(f'{value:+.0f} %' for value in change[clipped])
    panel.errorbar(
        100 * share,
        change.clip(max=_MAX_CHANGE),
        np.abs(rows[:, 2:] - rows[:, 1:2]).T * ~clipped,
        color=color,
        marker=marker,
        markersize=11 if method == 'none' else 6,
        linewidth=1.2,
        capsize=2,
        label=name,
    )


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('draw_cost_curve.py', lambda: draw(args))


if __name__ == '__main__':
    sys.exit(main())
