"""Table and curve of error against cost, for values of a setting at test time."""

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mmhot.cli.errors import print_text
from mmhot.errors import align
from mmhot.io.atomic import replacing
from tools.benchmark.page import ratio_cell
from tools.benchmark.timing import Ratio

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
    print_text(format_rows(rows))
    return rows


def format_rows(rows: Sequence[dict]) -> str:
    """Format rows of a name, costs, ``metrics`` and maybe their ``deviations``.

    Times are relative to the model without pruning, memory is per input.
    """
    name = next(iter(rows[0]))
    metrics = list(rows[0]['metrics'])
    lines = [[name, 'tokens', 'G', 'share', 'time (quartiles)', 'MB', *metrics]]
    for row in rows:
        kept = str(row['kept'][-1]) if 'kept' in row else 'all'
        macs = f'{row["macs"] / 1e9:.3f}'
        share = f'{row["macs"] / row.get("host_macs", row["macs"]):.1%}'
        time = ratio_cell(Ratio(*row['time'])) if 'time' in row else '-'
        cells = [str(row[name]), kept, macs, share, time, f'{row["memory"] / 1e6:.1f}']
        for metric, value in row['metrics'].items():
            deviation = row.get('deviations', {}).get(metric)
            spread = '' if deviation is None else f' ({deviation:.2g})'
            cells.append(f'{value:.4g}{spread}')
        lines.append(cells)
    return align(lines)


def draw_rows(rows: Sequence[dict], target: Path, unit: str) -> None:
    """Plot the first metric of rows against multiply-adds and time, to a .png file."""
    metric = next(iter(rows[0]['metrics']))
    figure = Figure(figsize=(8, 3.2), dpi=150, layout='constrained')
    panels = figure.subplots(1, 2, sharey=True)
    costs = {
        'multiply-adds, G': [row['macs'] / 1e9 for row in rows],
        'time relative to all tokens': [row['time'][0] for row in rows],
    }
    values = [row['metrics'][metric] for row in rows]
    spreads = [row.get('deviations', {}).get(metric, 0) for row in rows]
    line = 'none' if 'deviations' in rows[0] else '-'
    for panel, (label, x) in zip(panels, costs.items(), strict=True):
        panel.errorbar(x, values, spreads, marker='o', linestyle=line, capsize=3)
        for row, point in zip(rows, zip(x, values, strict=True), strict=True):
            name = str(next(iter(row.values()))).strip('[]')
            panel.annotate(name, point, (4, 4), textcoords='offset points', fontsize=6)
        panel.set(xlabel=label)
        panel.spines[['top', 'right']].set_visible(False)
    panels[0].set(ylabel=f'{metric}, {unit}' if unit else metric)
    with replacing(target) as temporary:
        figure.savefig(temporary, format='png', metadata={'Software': None})
