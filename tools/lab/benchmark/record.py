"""Measure the tables of docs/benchmarks.md, part by part, into one JSON file.

Each part is written as soon as it is measured, and replaces that of an earlier run;
:mod:`tools.lab.benchmark.draw` writes the tables. Example::

    python -m tools.lab.benchmark.record docs/benchmarks.json --only chain live
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file
from mmhot.io.arrays import load_json
from tools.lab.benchmark.chain import set_threads
from tools.lab.benchmark.comparison import (
    Settings,
    compare_models,
    describe_machine,
    process_status,
)
from tools.lab.benchmark.hourglass_parts import measure_parts
from tools.lab.benchmark.model_specs import parse_spec
from tools.lab.benchmark.whole_videos import (
    measure_beside,
    measure_chain,
    measure_live,
)
from tools.lab.short_training import write_json

_SKATER = Path('demo/skating_2d_coco17.npz')
_SHIPPED = (
    'gtpt-t',
    'nanohtnet-81-9',
    'mmhot://tps-tri-motionbert-xs_81frm-keep27_cmu-wild',
)
_ONNX = (':onnx', ':onnx:float16', ':onnx:int8')
# Batch sizes, and models that are compared with the first.
_Group = tuple[tuple[int, ...], Sequence[str]]
_BACKENDS: Sequence[_Group] = [
    ((1, 16), [f'{name}{option}' for option in ('', ':folded', *_ONNX)])
    for name in _SHIPPED
]
_POSE_MODELS: Sequence[_Group] = [
    ((1, 16), [f'{name}:onnx' for name in ('rtmpose-s', 'gtpt-t', 'rtmpose-t')])
]
# the pruned MotionAGFormer's heads and neighbors
_AS_PRUNED = 'model.backbone.num_heads=4:model.backbone.num_neighbors=4'
_PAIRS = (
    ('mixste-243', 'hot-mixste-243'),
    ('motionbert-lite-243', 'hot-motionbert-lite-243'),
    (f'motionagformer-b-243:{_AS_PRUNED}', 'hot-motionagformer-b-243'),
    ('mhformer-351', 'tpc-mhformer-351'),
)
_HOURGLASSES: Sequence[_Group] = [
    ((1,), [f'{host}{option}', f'{pruned}{option}'])
    for option in (':folded', ':onnx')
    for host, pruned in _PAIRS
]
# Frames and people of keypoint files, an hour at 25 frames per second the longest.
_LENGTHS = ((10_000, 1), (10_000, 2), (30_000, 1), (90_000, 1))


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('file', type=output_file, help='.json file to write or extend')
    parser.add_argument(
        '--only', nargs='+', choices=PARTS, default=[*PARTS], help='(default: all)'
    )
    parser.add_argument('--rounds', type=int, default=5, help='(default: 5)')
    parser.add_argument('--threads', type=int, default=2, help='(default: 2)')
    parser.add_argument(
        '--videos', nargs='+', type=Path, default=[], help='further videos for chain'
    )
    parser.add_argument(
        '--onnx', nargs=2, metavar=('POSE', 'DETECTOR'), help='other models for beside'
    )
    parser.add_argument(
        '--mediapipe', metavar='PYTHON', help='Python with MediaPipe for beside'
    )
    parser.add_argument('--note', default='', help='about the machine')
    return parser.parse_args()


def record(args: argparse.Namespace) -> None:
    """Measure the parts and write each."""
    set_threads(args.threads)
    for name in args.only:
        print_line(f'{name}: measuring')
        with tempfile.TemporaryDirectory() as folder:
            rows = PARTS[name](args, Path(folder))
        machine = describe_machine(Settings(threads=args.threads))
        machine |= {'onnxruntime': onnxruntime.__version__, 'note': args.note}
        part = {
            'date': datetime.now(timezone.utc).date().isoformat(),
            'machine': machine,
            'rounds': args.rounds,
            'rows': _rounded(rows),
        }
        document = load_json(args.file) if args.file.exists() else {}
        write_json(args.file, {**document, name: part})


def _rounded(value: Any) -> Any:
    """Round numbers to four digits, also in lists and dictionaries."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f'{value:.4g}') if isinstance(value, float) else value


def _models(
    groups: Sequence[_Group], args: argparse.Namespace, folder: Path
) -> list[dict]:
    """Compare the models of each group with its first."""
    rows = []
    for sizes, names in groups:
        specs = [parse_spec(name) for name in names]
        settings = Settings(sizes, args.rounds, threads=args.threads, memory=False)
        for result in compare_models(specs, specs[0], settings):
            rows += [
                {
                    'model': result.spec.name,
                    'reference': specs[0].name,
                    'batch': measured.batch_size,
                    'milliseconds': 1e3 * median(measured.times.turns),
                    'ratio': vars(measured.ratio),
                    'millions of operations': result.cost.macs / 1e6,
                }
                for measured in result.measurements
            ]
    return rows


def _memory(args: argparse.Namespace, folder: Path) -> list[dict]:
    """Lift long files of 2D keypoints, each once, by ``mmhot lift``."""
    with np.load(_SKATER) as arrays:
        clip = {key: arrays[key] for key in ('keypoints', 'scores')}
        facts = {key: arrays[key] for key in ('width', 'height', 'fps')}
    rows = []
    for frames, people in _LENGTHS:
        # back and forth, as there must be no jumps
        there = np.arange(len(clip['scores']))
        order = np.resize(np.concatenate([there, there[::-1]]), frames)
        long = {
            key: np.tile(x[order], (people, 1, 1)[: x.ndim]) for key, x in clip.items()
        }
        long['frame'] = np.tile(np.arange(frames), people)
        long['track'] = np.repeat(np.arange(people), frames)
        file = folder / f'{frames}_{people}.npz'
        np.savez(file, **long, **facts)
        command = [
            sys.executable,
            '-m',
            'mmhot',
            'lift',
            file,
            '--out-dir',
            folder / 'out',
        ]
        peak = done = 0
        process = subprocess.Popen([*command, '--formats', 'npz', '--quiet'])
        while not done:
            # ru_maxrss would count this process, from which it was forked
            with suppress(OSError):  # it has ended
                peak = max(peak, process_status('VmHWM', process.pid))
            time.sleep(0.05)
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if status:
            raise ValueError(f'mmhot lift failed on {frames} frames of {people} people')
        rows.append(
            {
                'frames': frames,
                'people': people,
                'processor seconds': usage.ru_utime + usage.ru_stime,
                'peak memory in MB': peak / 1e6,
            }
        )
    return rows


PARTS: dict[str, Callable[[argparse.Namespace, Path], list[dict]]] = {
    'back ends': partial(_models, _BACKENDS),
    'pose models': partial(_models, _POSE_MODELS),
    'hourglasses': partial(_models, _HOURGLASSES),
    'hourglass parts': lambda args, folder: measure_parts(_PAIRS, args.rounds),
    'chain': measure_chain,
    'beside': measure_beside,
    'live': measure_live,
    'memory': _memory,
}


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_safely('record', lambda: record(arguments)))
