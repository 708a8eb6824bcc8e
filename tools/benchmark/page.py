"""Tables of measurements in Markdown."""

import os
import platform
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import onnxruntime
import torch

from tools.benchmark.timing import Ratio
from tools.table import to_markdown


def as_markdown(lines: Sequence[Sequence[str]], facts: str = '') -> str:
    """Format cells, header first, and the conditions in which they were measured."""
    head, *rows = lines
    table = to_markdown(head, rows)
    return f'{table}\n\n{textwrap.fill(facts, 100)}' if facts else table


def describe_machine(threads: int, rounds: int) -> str:
    """Describe the date, and the machine that the times depend on, in one line."""
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if 'model name' in line]
    processor = names[0] if names else platform.processor() or platform.machine()
    facts = [
        datetime.now(UTC).date().isoformat(),
        f'{threads} threads of {os.cpu_count()} cores of an '
        f'{processor.replace("(R)", "")}',
        *([torch.cuda.get_device_name()] if torch.cuda.is_available() else []),
        f'load {os.getloadavg()[0]:.1f} at the end',
        f'{rounds} round{"s" * (rounds > 1)}',
        f'PyTorch {torch.__version__}',
        f'ONNX Runtime {onnxruntime.__version__}',
    ]
    return f'{"; ".join(facts)}.'


def ratio_cell(ratio: Ratio) -> str:
    """Format the median of a ratio and its quartiles."""
    return f'{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})'


def number_cell(value: float) -> str:
    """Format a number with three digits or all before the point."""
    return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'
