"""Table and curve of error against cost, for values of a setting at test time."""

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mmhot.cli.errors import print_text
from mmhot.errors import align
from mmhot.io.atomic import replacing

_SWEPT = ('keep', 'keep_rates')


def read_sweep(text: str) -> tuple[str, list[Any]]:
    """Read a setting and its values.

    Raises:
        ValueError: If the text is of another form.

    Example:
        >>> read_sweep('keep=81,54,27')
        ('keep', [81, 54, 27])
    """
    name, _, values = text.partition('=')
    try:
        settings = ast.literal_eval(f'[{values}]')
    except (SyntaxError, ValueError):
        settings = []
    if name not in _SWEPT or not settings:
        raise ValueError(
            f'--sweep: got {text!r}, wanted keep=81,54,27 for lifters or '
            'keep_rates=[1,0.7,0.3,0.1],[1,0.4,0.2,0.1] for GTPT'
        )
    return name, settings


def run_sweep(
    name: str, values: Sequence[Any], test: Callable[[Any], dict]
) -> list[dict]:
    """Test a model with each value of a setting, and print the table.

    Args:
        name (str): Name of the setting.
        values (Sequence): Its values.
        test (Callable): Maps a value to the cost of a test, see
            :func:`mmhot.engine.cost.compare_cost`, and its ``metrics`` by name.

    Returns:
        list[dict]: A row for each value.
    """
    rows = [{name: value, **test(value)} for value in values]
    metrics = list(rows[0]['metrics'])
    lines = [[name, 'tokens', 'G', 'share', 'ms', *metrics]]
    for row in rows:
        macs = f'{row["macs"] / 1e9:.3f}'
        share = f'{row["macs"] / row["host_macs"]:.1%}'
        time = f'{row["milliseconds"]:.1f}'
        measured = [f'{row["metrics"][metric]:.4g}' for metric in metrics]
        kept = str(row['kept'][-1])
        lines.append([str(row[name]), kept, macs, share, time, *measured])
    print_text(align(lines))
    return rows


def draw_sweep(rows: Sequence[dict], target: Path, unit: str) -> None:
    """Plot the first metric against multiply-adds and milliseconds, to a .png file."""
    metric = next(iter(rows[0]['metrics']))
    figure = Figure(figsize=(8, 3.2), dpi=150, layout='constrained')
    panels = figure.subplots(1, 2, sharey=True)
    axes = ('multiply-adds, G', 'macs', 1e9), ('milliseconds', 'milliseconds', 1)
    for panel, (label, key, scale) in zip(panels, axes, strict=True):
        x = [row[key] / scale for row in rows]
        y = [row['metrics'][metric] for row in rows]
        panel.plot(x, y, marker='o')
        for row, point in zip(rows, zip(x, y, strict=True), strict=True):
            value = str(next(iter(row.values()))).strip('[]')
            panel.annotate(value, point, (4, 4), textcoords='offset points')
        panel.set(xlabel=label)
        panel.spines[['top', 'right']].set_visible(False)
    panels[0].set(ylabel=f'{metric}, {unit}' if unit else metric)
    with replacing(target) as temporary:
        figure.savefig(temporary, format='png', metadata={'Software': None})
