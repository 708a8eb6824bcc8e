r"""Make the table of a paper from results of tools/test.py, in Markdown or LaTeX.

Example::

    python tools/table.py mixste.json hot.json --names MixSTE 'HoT w. MixSTE' \
        --columns actions --measures MPJPE P-MPJPE --latex

Rows are results, by dataset (such as ground-truth and noisy 2D); columns are measures,
or one measure by action, joint, group of joints, subject or clip, and its mean. The
best of each dataset is bold.
"""

import argparse
import logging
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from mmhot.cli.errors import print_text, run_tool
from mmhot.errors import naming
from mmhot.evaluation.error_report import TABLES
from mmhot.io.arrays import load_json

_LOGGER = logging.getLogger('mmhot')
_COSTS = {
    'params (M)': ('parameters', 1e6),
    'MACs (G)': ('macs', 1e9),
    'kept': ('kept', 1),
    'ms': ('milliseconds', 1),
    'time': ('time', 1),
    'memory (MB)': ('memory', 1e6),
}
_LATEX = {sign: f'\\{sign}' for sign in '#$%&_{}'}
_LATEX |= {'\\': '\\textbackslash{}', '~': '\\~{}', '^': '\\^{}'}
_MARKDOWN = {sign: f'\\{sign}' for sign in '|*'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'results', nargs='+', type=Path, help='.json files of tools/test.py --out'
    )
    parser.add_argument('--names', nargs='+', help='row names (default: of the files)')
    parser.add_argument(
        '--columns',
        choices=['measures', *TABLES],
        default='measures',
        help='what the columns are (default: measures)',
    )
    parser.add_argument(
        '--measures',
        nargs='+',
        help='the columns, or with other --columns one table each (default: all, or '
        'MPJPE)',
    )
    parser.add_argument(
        '--cost',
        action='store_true',
        help='show parameters, multiply-adds, kept tokens, time (also relative to all '
        'tokens) and memory of one input, too',
    )
    parser.add_argument(
        '--latex', action='store_true', help='print LaTeX instead of Markdown'
    )


def main(args: argparse.Namespace) -> None:
    """Print the tables."""
    row_names = args.names or [path.stem for path in args.results]
    count = len(args.results)
    if not len({*row_names}) == len(row_names) == count:
        raise ValueError(
            f'--names must be {count} different ones, got {", ".join(row_names)}'
        )
    units = {}
    higher = set()
    rows = {}
    for name, path in zip(row_names, args.results, strict=True):
        with naming(path):
            content = load_json(path)
            errors = content['errors']
            units |= errors['units']
            higher.update(errors['higher_is_better'])
            for dataset, row in errors['datasets'].items():
                rows[dataset, name] = row | {'cost': content.get('cost') or {}}
    for name in args.measures or ():
        if name not in units:
            raise ValueError(f'--measures: no result has {name!r}; {[*units]} exist')
    rows = dict(sorted(rows.items(), key=lambda row: row[0][0]))
    averaged = {(key[0], x['frames'], str(x['average'])) for key, x in rows.items()}
    if len(averaged) > len({dataset for dataset, _ in rows}):
        _LOGGER.warning(
            'results of a dataset are means over different frames or actions'
        )
    tables = [args.measures or [*units]]
    if args.columns != 'measures':
        tables = [[measure] for measure in args.measures or ['MPJPE']]
    texts = [make_table(rows, measures, units, higher, args) for measures in tables]
    print_text('\n\n'.join(texts))


def make_table(
    rows: Mapping[tuple[str, str], dict],
    measures: Sequence[str],
    units: Mapping[str, str],
    higher: Collection[str],
    args: argparse.Namespace,
) -> str:
    """Make one table, in which results are rows.

    Args:
        rows (Mapping): Errors and costs of each dataset and name.
        measures (Sequence[str]): Names of the measures in the table.
        units (Mapping[str, str]): Unit of each measure.
        higher (Collection[str]): Measures of which higher values are better.
        args (argparse.Namespace): Arguments of the command line.

    Returns:
        str: The table in Markdown or LaTeX.
    """
    values = {
        row: _values_of(content, args.columns, measures)
        for row, content in rows.items()
    }
    columns = dict.fromkeys(column for row in values.values() for column in row)
    columns = sorted(columns, key=lambda column: column[0] == 'mean')
    if args.columns == 'measures':
        heads = ['model', *(f'{name} ({units[name]})' for _, name in columns)]
    elif len(columns) > 1:
        heads = [f'{measures[0]} ({units[measures[0]]})', *map(itemgetter(0), columns)]
    else:
        raise ValueError(f'--columns {args.columns}: no result has them')
    signs = str.maketrans(_LATEX if args.latex else _MARKDOWN)
    bold = '\\textbf{%s}' if args.latex else '**%s**'
    known = {key for content in rows.values() for key in content['cost']}
    costs = [head for head, (key, _) in _COSTS.items() if args.cost and key in known]
    lines = []
    for row in rows:
        others = [values[other] for other in rows if other[0] == row[0]]
        cells = [_cell(values[row], column, others, higher, bold) for column in columns]
        names = [name.translate(signs) for name in row]
        found = [cost_cell(rows[row]['cost'], head) for head in costs]
        lines.append([*names, *found, *cells])
    head = [x.translate(signs) for x in ('dataset', heads[0], *costs, *heads[1:])]
    if len({dataset for dataset, _ in rows}) == 1:
        head, *lines = ([*line[1:]] for line in (head, *lines))
    return (to_latex if args.latex else to_markdown)(
        head, lines, len(costs) + len(columns)
    )


def _values_of(
    content: Mapping[str, dict], kind: str, measures: Sequence[str]
) -> dict[tuple[str, str], float]:
    """Return the rounded errors of a result by part, such as a joint, and measure."""
    parts = content.get(kind, {}) | {'mean': content['overall']}
    return {
        (part, measure): round(errors[measure], 1)
        for part, errors in parts.items()
        for measure in measures
        if measure in errors
    }


def _cell(
    values: Mapping[tuple[str, str], float],
    column: tuple[str, str],
    rows: Sequence[Mapping[tuple[str, str], float]],
    higher: Collection[str],
    bold: str,
) -> str:
    """Format an error, in bold if it is the best of several rows of its dataset."""
    if column not in values:
        return '-'
    found = [row[column] for row in rows if column in row]
    best = max(found) if column[1] in higher else min(found)
    text = f'{values[column]:.1f}'
    return bold % text if len(rows) > 1 and values[column] == best else text


def cost_cell(cost: Mapping[str, Any], head: str) -> str:
    """Format a cost in the unit of its column."""
    key, unit = _COSTS[head]
    if key not in cost:
        return '-'
    value = cost[key]
    if isinstance(value, list):  # tokens of each layer, or the median and quartiles
        value = value[-1 if key == 'kept' else 0]
    return f'{value / unit:.3g}'


def to_markdown(
    head: Sequence[str], lines: Sequence[Sequence[str]], numbers: int = 0
) -> str:
    """Format a table as Markdown; the last ``numbers`` columns are aligned right."""
    rule = ['---'] * (len(head) - numbers) + ['---:'] * numbers
    return '\n'.join(f'| {" | ".join(line)} |' for line in (head, rule, *lines))


def to_latex(head: list[str], lines: list[list[str]], numbers: int) -> str:
    """Format a table for LaTeX's package booktabs, see :func:`to_markdown`."""
    columns = 'l' * (len(head) - numbers) + 'r' * numbers
    first, *rows = (f'{" & ".join(line)} \\\\\n' for line in (head, *lines))
    start = f'\\begin{{tabular}}{{{columns}}}\n\\toprule\n{first}\\midrule\n'
    return f'{start}{"".join(rows)}\\bottomrule\n\\end{{tabular}}'


if __name__ == '__main__':
    run_tool(add_arguments, main)
