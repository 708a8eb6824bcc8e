"""Errors of lifters, as text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmhot.cli.table import align

if TYPE_CHECKING:  # importing it takes seconds
    from mmhot.evaluation.error_report import ErrorReport


def format_errors(report: 'ErrorReport', tables: Sequence[str] = ()) -> str:
    """Word a report: a row for each dataset, then the tables of each.

    Args:
        report (ErrorReport): Of an evaluation.
        tables (Sequence[str]): Such as 'joints', see :meth:`ErrorReport.table`.

    Returns:
        str: Aligned tables with empty lines between them.
    """
    units = {measure.name: measure.unit for measure in report.measures}
    rows = {_title(report, name): report.overall(name) for name in report.datasets}
    blocks = [_align('', rows, units)]
    for name in report.datasets:
        for kind in tables:
            rows = report.table(name, kind)
            title = f'{name} {kind}'.strip()
            if rows:
                blocks.append(_align(title, rows, units))
            else:
                blocks.append(f'{title}: not known of these samples')
    return '\n\n'.join(blocks)


def _title(report: 'ErrorReport', dataset: str) -> str:
    """Say what a dataset's numbers are the mean of."""
    over = f'{report.num_frames(dataset)} frames'
    actions = report.actions(dataset)
    if actions:
        over = f'{len(actions)} actions ({over})'
    kept = report.kept(dataset)
    if kept:
        over += f', {kept[0]} of {kept[1]} kept of each window'
    return f'{dataset}: mean over {over}'.removeprefix(': ')


def _align(
    title: str, rows: Mapping[str, Mapping[str, float]], units: Mapping[str, str]
) -> str:
    lines = [[title, *units], ['', *units.values()]]
    for name, row in rows.items():
        cells = [f'{row[key]:.2f}' if key in row else '-' for key in units]
        lines.append([name, *cells])
    return align(lines)
