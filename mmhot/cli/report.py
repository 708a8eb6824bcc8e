"""Results of commands and tools: aligned tables, and JSON for programs."""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmhot.cli.errors import print_line
from mmhot.errors import escape
from mmhot.io.atomic import is_in_the_way, replacing

if TYPE_CHECKING:  # importing them takes seconds
    from mmhot.apis.clip_worker import Outcome
    from mmhot.evaluation.error_report import ErrorReport

# With more clips, only failed ones have a row.
_MOST_ROWS = 40


def output_file(text: str) -> Path:
    """Check before the work that a file can be created or replaced; an argparse type.

    Args:
        text (str): Path of the file.

    Raises:
        ArgumentTypeError: If something else has that path.
    """
    path = Path(text)
    if is_in_the_way(path):
        raise argparse.ArgumentTypeError(f'{path} is no ordinary file')
    return path


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json`` and ``--out``."""
    parser.add_argument('--json', action='store_true', help='print JSON, no tables')
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='write the JSON to this file'
    )


def report(
    args: argparse.Namespace, content: dict, tables: Callable[[], Iterable[str]]
) -> None:
    """Print tables or JSON, and write the JSON file.

    Args:
        args (Namespace): Arguments of :func:`add_report_arguments`.
        content (dict): Content of the JSON.
        tables (Callable): Returns the text, in parts that follow each other.
    """
    text = json.dumps(content, indent=1)
    if args.out is not None:
        with replacing(args.out) as temporary:
            temporary.write_text(text + '\n', encoding='utf-8')
    for part in [text] if args.json else tables():
        print_line(part)


def align(lines: Sequence[Sequence[str]], left: int = 1) -> str:
    """Align columns: text to the left, numbers to the right.

    Args:
        lines (Sequence[Sequence[str]]): Cells; all lines have the same number.
        left (int): Number of columns with text, the first ones.

    Returns:
        str: The lines, without a newline at the end.
    """
    lines = [list(map(escape, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = []
    for line in lines:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        rows.append('  '.join(cells).rstrip())
    return '\n'.join(rows)


def stage_table(outcomes: Sequence['Outcome']) -> str:
    """Tabulate the time of each stage for every clip and for all clips.

    Args:
        outcomes (Sequence[Outcome]): Outcomes, at least one.

    Returns:
        str: Aligned lines.
    """
    ran = [outcome for outcome in outcomes if not outcome.skipped]
    stages = list(dict.fromkeys(s for outcome in ran for s in outcome.times.seconds))
    shown = outcomes
    if len(outcomes) > _MOST_ROWS:
        shown = [outcome for outcome in outcomes if outcome.error]
    lines = [['clip', 'frames', 'people', *(f'{s}, s' for s in stages), 'frames/s', '']]
    for outcome in shown:
        people = '-' if outcome.error else str(outcome.people)
        seconds, frames = outcome.times.seconds, outcome.times.num_frames
        note = _slowest(seconds)
        if outcome.error:
            note = 'failed'
        if outcome.skipped:
            seconds, note = {}, 'finished before'
        lines.append([outcome.name, *_cells(frames, people, seconds, stages), note])
    if len(ran) > 1:
        frames = sum(outcome.times.num_frames for outcome in ran)
        people = str(sum(outcome.people for outcome in ran if not outcome.error))
        totals = {
            stage: sum(outcome.times.seconds.get(stage, 0.0) for outcome in ran)
            for stage in stages
        }
        cells = _cells(frames, people, totals, stages)
        lines.append([f'all {len(ran)}', *cells, _slowest(totals)])
    return align(lines)


def _cells(
    frames: int, people: str, seconds: Mapping[str, float], stages: Sequence[str]
) -> list[str]:
    """Format the numbers of a row; stages that were not reached have a dash."""
    total = sum(seconds.values())
    spent = [f'{seconds[stage]:.1f}' if stage in seconds else '-' for stage in stages]
    rate = f'{frames / total:.1f}' if total > 0 else '-'
    return [str(frames), people, *spent, rate]


def _slowest(seconds: Mapping[str, float]) -> str:
    return f'slowest: {max(seconds, key=seconds.get)}' if seconds else ''


def format_errors(report: 'ErrorReport', tables: Sequence[str] = ()) -> str:
    """Tabulate an error report: one row per dataset, then the tables of each.

    Args:
        report (ErrorReport): Report of an evaluation.
        tables (Sequence[str]): Tables such as 'joints', see :meth:`ErrorReport.table`.

    Returns:
        str: Aligned tables with empty lines between them.
    """
    from mmhot.evaluation.motion_quality import MOTION_UNITS

    units = {measure.name: measure.unit for measure in report.measures}
    rows = {_dataset_title(report, x): report.overall(x) for x in report.datasets}
    blocks = [_error_table('', rows, units)]
    motion = {f'{x} motion'.strip(): report.motion(x) for x in report.datasets}
    if any(motion.values()):
        blocks.append(_error_table('', motion, MOTION_UNITS))
    for name in report.datasets:
        for kind in tables:
            rows = report.table(name, kind)
            title = f'{name} {kind}'.strip()
            if rows:
                blocks.append(_error_table(title, rows, units))
            else:
                blocks.append(f'{title}: not known of these samples')
    return '\n\n'.join(blocks)


def _dataset_title(report: 'ErrorReport', dataset: str) -> str:
    """Describe the samples that the numbers of a dataset are averaged over."""
    over = f'{report.num_frames(dataset)} frames'
    actions = report.actions(dataset)
    if actions:
        over = f'{len(actions)} actions ({over})'
    kept = report.kept(dataset)
    if kept:
        over += f', {kept[0]} of {kept[1]} kept of each window'
    return f'{dataset}: mean over {over}'.removeprefix(': ')


def _error_table(
    title: str, rows: Mapping[str, Mapping[str, float]], units: Mapping[str, str]
) -> str:
    units = {key: units[key] for key in units if any(key in r for r in rows.values())}
    lines = [[title, *units], ['', *units.values()]]
    for name, row in rows.items():
        cells = [f'{row[key]:.2f}' if key in row else '-' for key in units]
        lines.append([name, *cells])
    return align(lines)
