"""Write measurements of a JSON file into the tables of a page.

A table is what stands between ``<!-- table: PART -->`` and ``<!-- end -->``.
"""

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmhot.cli.report import output_file
from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing

_GPU_COLUMNS = ['model', 'precision', 'batch', 'plain ms', 'graph ms', 'first ms']
_GPU_COLUMNS += ['ratio', 'first', 'frames per second']
_TABLE = re.compile(r'(<!-- table: ([\w ]+) -->\n).*?(?=<!-- end -->)', re.DOTALL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files."""
    parser.add_argument('file', type=Path, help='.json file of measurements')
    parser.add_argument('page', type=output_file, help='.md file with the tables')


def write_page(args: argparse.Namespace) -> None:
    """Write the tables."""
    document = load_json(args.file)
    text = fill_tables(args.page.read_text(encoding='utf-8'), document)
    with replacing(args.page) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_table(path: Path, name: str, table: str) -> None:
    """Replace one table of a page."""

    def fill(found: re.Match) -> str:
        return f'{found[1]}\n{table}\n\n' if found[2] == name else found[0]

    text = _TABLE.sub(fill, path.read_text(encoding='utf-8'))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def fill_tables(text: str, document: Mapping[str, dict]) -> str:
    """Replace the tables of a page by those of the measurements; others stay.

    Args:
        text (str): The page; its tables are marked.
        document (Mapping[str, dict]): Parts with ``rows``, ``rounds``, ``date`` and
            ``machine``.

    Raises:
        ValueError: If the page has no table for a part.
    """
    marked = [name for _, name in _TABLE.findall(text)]
    if not {*document} <= {*marked}:
        raise ValueError(
            f'the page has tables {", ".join(marked)}, the file {", ".join(document)}'
        )

    def fill(table: re.Match) -> str:
        start, name = table.groups()
        return start + _part(document[name]) if name in document else table[0]

    return _TABLE.sub(fill, text)


def _part(part: Mapping) -> str:
    """Return a table in Markdown, and the conditions in which it was measured."""
    lines = as_cells(part['rows'])
    lines.insert(1, ['---'] * len(lines[0]))
    table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    machine, rounds = part['machine'], part['rounds']
    facts = [
        f'{part["date"]}',
        f'{machine["threads"]} threads of {machine["cores"]} cores of an '
        f'{machine["processor"].replace("(R)", "")}',
        *filter(None, [machine['note']]),
        f'load {machine["load"]:.1f} at the end',
        f'{rounds} round{"s" * (rounds > 1)}',
        f'PyTorch {machine["torch"]}',
        f'ONNX Runtime {machine["onnxruntime"]}',
    ]
    text = textwrap.fill(f'{"; ".join(facts)}.', 100)
    return f'\n{table}\n\n{text}\n\n'


def as_cells(rows: Sequence[Mapping]) -> list[list[str]]:
    """Return the cells of a table, header first."""
    if 'chain' in rows[0]:
        return _chain_cells(rows)
    if 'graph ms' in rows[0]:
        return _plain_cells(rows, _GPU_COLUMNS)
    if 'launches' in rows[0]:
        return _plain_cells(rows, ['what', 'launches', 'seconds'])
    return _model_cells(rows)


def _model_cells(rows: Sequence[Mapping]) -> list[list[str]]:
    lines = [['model', 'batch', 'M multiply-adds', 'ms', 'ratio (quartiles)']]
    lines[0] += ['shortest calls', 'of']
    for row in rows:
        of, name, ratio = _short(row['reference']), _short(row['model']), row['ratio']
        cells = [name, str(row['batch']), _number(row['millions of operations'])]
        cells.append(_number(row['milliseconds']))
        cells += (
            ['', '', ''] if name == of else [_ratio(ratio), f'{ratio["best"]:.2f}', of]
        )
        lines.append(cells)
    return lines


def _plain_cells(rows: Sequence[Mapping], columns: list[str]) -> list[list[str]]:
    cells = [[row.get(column, '') for column in columns] for row in rows]
    return [columns] + [
        [_number(each) if isinstance(each, float) else str(each) for each in line]
        for line in cells
    ]


def _short(model: str) -> str:
    """Return the name of a model without its training and changed settings."""
    return re.sub(r'_\d+frm[\w-]*|:model\.[\w.]+=[^:]*', '', model)


def _chain_cells(rows: Sequence[Mapping]) -> list[list[str]]:
    lines = [['video', 'people per frame', 'frames/s', 'decoded alone']]
    lines[0] += ['ratio to the network (quartiles)', 'of processor time']
    for row in rows:
        cells = [row['chain'], f'{row["people per frame"]:.1f}']
        cells += [_number(row[f'{each}frames per second']) for each in ('', 'decoded ')]
        processor = row['processor ratio to onnx']
        lines.append([*cells, _ratio(row['ratio to onnx']), f'{processor:.2f}'])
    return lines


def _ratio(ratio: Mapping[str, float]) -> str:
    return f'{ratio["median"]:.2f} ({ratio["low"]:.2f} to {ratio["high"]:.2f})'


def _number(value: float) -> str:
    """Format a number with three digits or all before the point."""
    return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'
