"""Record of a part in a JSON file: rows, date, rounds and machine."""

import argparse
import json
import os
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import onnxruntime
import torch

from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing


def write_part(
    path: Path, name: str, rows: list[dict], args: argparse.Namespace
) -> None:
    """Write a part; the other parts of the file stay.

    Args:
        path (Path): ``.json`` file to write or extend.
        name (str): Name of the part.
        rows (list[dict]): What was measured, plain values.
        args (Namespace): With ``threads``, ``rounds`` and ``note``.
    """
    part = {
        'date': datetime.now(timezone.utc).date().isoformat(),
        'machine': describe_machine(args.threads) | {'note': args.note},
        'rounds': args.rounds,
        'rows': _rounded(rows),
    }
    document = load_json(path) if path.exists() else {}
    with replacing(path) as temporary:
        text = json.dumps({**document, name: part}, indent=1)
        temporary.write_text(text + '\n', encoding='utf-8')


def describe_machine(threads: int) -> dict[str, Any]:
    """Describe the machine that the times depend on."""
    return {
        'processor': _processor(),
        'cores': os.cpu_count(),
        'threads': threads,
        'load': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
        'system': platform.platform(),
        'python': platform.python_version(),
        'torch': torch.__version__,
        'onnxruntime': onnxruntime.__version__,
    }


def _processor() -> str:
    path = Path('/proc/cpuinfo')
    lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if 'model name' in line]
    return names[0] if names else platform.processor() or platform.machine()


def _rounded(value: Any) -> Any:
    """Round numbers to four digits, also in lists and dictionaries."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f'{value:.4g}') if isinstance(value, float) else value
