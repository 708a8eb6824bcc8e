"""Measure the tables of docs/benchmarks.md, part by part, into one JSON file.

Each part is written as soon as it is measured, and replaces that of an earlier run;
:mod:`tools.lab.benchmark.draw` writes the tables. Example::

    python -m tools.lab.benchmark.record docs/benchmarks.json --only chain live
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import onnxruntime

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file
from mmhot.io.arrays import load_json
from tools.lab.benchmark.chain import set_threads
from tools.lab.benchmark.comparison import (
    Settings,
    compare_models,
    describe_machine,
)
from tools.lab.benchmark.hourglass_parts import measure_parts
from tools.lab.benchmark.model_specs import parse_spec
from tools.lab.benchmark.processes import measure_memory, measure_startup
from tools.lab.benchmark.whole_videos import (
    measure_beside,
    measure_chain,
    measure_live,
    measure_stages,
)
from tools.lab.short_training import write_json

_SHIPPED = (
    'gtpt-t',
    'nanohtnet-81-9',
    'mmhot://tps-tri-motionbert-xs_81frm-keep27_cmu-wild',
)
# OpenVINO is measured where it is installed.
_OPENVINO = (':openvino',) if find_spec('openvino') else ()
_EXPORTED = (':onnx', *_OPENVINO)
# Batch sizes, and models that are compared with the first.
_Group = tuple[tuple[int, ...], Sequence[str]]
# mmhot infer runs two crops at a time on each thread
_BACKENDS: Sequence[_Group] = [
    (
        (1, 2, 16) if name == 'gtpt-t' else (1, 16),
        [f'{name}{option}' for option in ('', ':folded', *_EXPORTED)],
    )
    for name in _SHIPPED
]
_POSE_MODELS: Sequence[_Group] = [
    (
        (1, 16),
        [
            f'{name}{option}'
            for option in (':onnx', *_OPENVINO)
            for name in ('rtmpose-s', 'gtpt-t', 'rtmpose-t')
        ],
    )
]
_TORCH_MODELS: Sequence[_Group] = [
    (
        (1, 64),
        [
            'tcn-27',
            'nanohtnet-243-9',
            'nanohtnet-243-9:folded',
            'htnet',
            'htnet:folded',
        ],
    ),
    (
        (1, 16),
        [
            'rtmpose-m',
            'rtmpose-m:folded:channels_last',
            *(f'gtpt-{size}:folded' for size in 'tsb'),
            'gtpt-t:folded:model.head.keep_rates=None',
        ],
    ),
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
    parser.add_argument(
        '--rtmlib',
        action='store_true',
        help="rtmlib's chain with the detector of --onnx for beside; the package is on "
        'the path',
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
        if _OPENVINO:
            machine['openvino'] = version('openvino')
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


PARTS: dict[str, Callable[[argparse.Namespace, Path], list[dict]]] = {
    'PyTorch models': partial(_models, _TORCH_MODELS),
    'back ends': partial(_models, _BACKENDS),
    'pose models': partial(_models, _POSE_MODELS),
    'hourglasses': partial(_models, _HOURGLASSES),
    'hourglass parts': lambda args, folder: measure_parts(_PAIRS, args.rounds),
    'chain': measure_chain,
    'stages': measure_stages,
    'beside': measure_beside,
    'live': measure_live,
    'startup': measure_startup,
    'memory': measure_memory,
}


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_safely('record', lambda: record(arguments)))
