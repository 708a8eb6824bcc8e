"""Error against cost: what pruning saves, and what it loses."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing

_KEYS = ('group', 'method', 'macs', 'errors')
# Changes beyond this many per cent are drawn at the upper edge and said in the legend,
# so that those that matter can be told apart.
_MOST = 12
_COLUMNS = 3
# in the order in which methods come; told apart by marker as well as by color
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


def check_points(document: object) -> list[dict]:
    """Check what a JSON file says about measured models.

    Args:
        document (object): ``{'error', 'points'}``. A point has a ``group``,
            whose points are drawn together, a ``method`` or ``'none'`` for the model
            without any, its ``macs`` and its ``errors``, one for each seed: the same
            seeds in the same order everywhere, though later ones may be absent.

    Returns:
        list[dict]: The points.

    Raises:
        ValueError: What is lacking.
    """
    if not isinstance(document, dict) or not document.get('points'):
        raise ValueError("holds no 'points'")
    for number, point in enumerate(document['points']):
        lacking = [key for key in _KEYS if key not in point]
        if lacking:
            raise ValueError(f'point {number} lacks {", ".join(lacking)}')
        if not point['errors']:
            raise ValueError(f'point {number} has no errors')
    points = document['points']
    for number, point in enumerate(points):
        hosts = _hosts(points, point['group'])
        if not hosts:
            raise ValueError(f"group {point['group']} has no point of method 'none'")
        if len(point['errors']) > len(hosts[0]['errors']):
            raise ValueError(f'point {number} has more seeds than the host has')
    return points


def relative(points: Sequence[dict], group: str) -> dict[str, np.ndarray]:
    """Cost and error of a group's methods as shares of those without a method.

    Args:
        points (Sequence[dict]): See :func:`check_points`.
        group (str): Whose.

    Returns:
        dict[str, np.ndarray]: For each method, by cost: share of the operations, mean
        change of the error in per cent, seed by seed, and the smallest and largest
        change, (P, 4).
    """
    (host,) = _hosts(points, group)
    usual = np.array(host['errors'])
    rows = {}
    for point in points:
        if point['group'] == group:
            errors = np.array(point['errors'])
            change = 100 * (errors / usual[: len(errors)] - 1)
            row = [point['macs'] / host['macs'], change.mean(), *_ends(change)]
            rows.setdefault(point['method'], []).append(row)
    return {method: np.array(sorted(found)) for method, found in rows.items()}


def draw_cost_curve(document: dict, path: str | Path) -> None:
    """Draw how errors grow as operations are saved, a panel for each group.

    Args:
        document (dict): See :func:`check_points`.
        path (str | Path): The ``.png`` to create or replace.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = check_points(document)
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
        for method, found in relative(points, group).items():
            color, marker = styles[method]
            name = 'all frames' if method == 'none' else method
            shown = found[:, 1].clip(max=_MOST)
            beyond = [f'{change:+.0f} %' for change in found[found[:, 1] > _MOST, 1]]
            name = ': '.join([name, ', '.join(beyond)]) if beyond else name
            spread = np.abs(found[:, 2:] - found[:, 1:2]).T * (found[:, 1] <= _MOST)
            panel.errorbar(
                *(100 * found[:, 0], shown, spread),
                color=color,
                marker=marker,
                markersize=11 if method == 'none' else 6,
                linewidth=1.2,
                capsize=2,
                label=name,
            )
        panel.axhline(1, color='#9aa3ad', linewidth=0.8, linestyle=':')
        panel.set_title(group, fontsize=10)
        panel.set_xlabel('multiply-adds, % of those of all frames')
        panel.grid(alpha=0.25, linewidth=0.6)
        panel.legend(fontsize=8)
    for panel in panels[:, 0]:
        panel.set_ylabel(f'change of {document["error"]}, %')
    with replacing(path) as temporary, temporary.open('wb') as file:
        canvas.print_png(file, metadata={'Software': None})


def _hosts(points: Sequence[dict], group: str) -> list[dict]:
    return [p for p in points if (p['group'], p['method']) == (group, 'none')]


def _ends(values: np.ndarray) -> tuple[float, float]:
    return values.min(), values.max()
