"""Tables of measurements in Markdown, and in a page.

A table of a page is what stands between ``<!-- table: PART -->`` and ``<!-- end -->``.
"""

import os
import platform
import re
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import onnxruntime
import torch

from mmhot.io.atomic import replacing


def write_table(path: Path, name: str, table: str) -> None:
    """Replace one table of a page.

    Raises:
        ValueError: If the page has no such table.
    """
    text, mark = path.read_text(encoding='utf-8'), f'<!-- table: {name} -->\n'
    start, found, rest = text.partition(mark)
    _, end, after = rest.partition('<!-- end -->')
    if not found or not end:
        raise ValueError(f'{path} has no table {name}')
    with replacing(path) as temporary:
        text = f'{start}{mark}\n{table}\n\n{end}{after}'
        temporary.write_text(text, encoding='utf-8')


def as_markdown(rows: Sequence[Mapping], facts: str) -> str:
    """Return a table, and the conditions in which it was measured."""
    lines = as_cells(rows)
    lines.insert(1, ['---'] * len(lines[0]))
    table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    return f'{table}\n\n{textwrap.fill(facts, 100)}'


def describe_machine(threads: int, rounds: int, note: str = '') -> str:
    """Describe the date, and the machine that the times depend on, in one line."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if 'model name' in line]
    processor = names[0] if names else platform.processor() or platform.machine()
    facts = [
        datetime.now(timezone.utc).date().isoformat(),
        f'{threads} threads of {os.cpu_count()} cores of an '
        f'{processor.replace("(R)", "")}',
        *([torch.cuda.get_device_name()] if torch.cuda.is_available() else []),
        *([note] if note else []),
        f'load {os.getloadavg()[0]:.1f} at the end',
        f'{rounds} round{"s" * (rounds > 1)}',
        f'PyTorch {torch.__version__}',
        f'ONNX Runtime {onnxruntime.__version__}',
    ]
    return f'{"; ".join(facts)}.'


def as_cells(rows: Sequence[Mapping]) -> list[list[str]]:
    """Return the cells of a table, header first."""
    return _chain_cells(rows) if 'chain' in rows[0] else _model_cells(rows)


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


def _short(model: str) -> str:
    """Return the name of a model without its training and changed settings."""
    return re.sub(r'_\d+(frm|xb)[\w-]*|:model\.[\w.]+=[^:]*', '', model)


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
