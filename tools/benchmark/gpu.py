"""Time networks and the chain on a GPU: launched kernel by kernel, and as CUDA graphs.

A row is a network in a precision and batch size: milliseconds of a call, median of the
rounds, and of the first call as a graph, with its capture. Graphs of 2D models are
compared with RTMPose-m and HRNet-w32, those of hourglasses with their hosts. The chain
runs ``mmhot infer`` in PyTorch on each video; its first run captures all graphs.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from mmhot.chain.options import OutputOptions
from mmhot.chain.pipelines import VIDEO
from mmhot.chain.run import build
from mmhot.deploy.captured_graphs import CapturedGraphs
from mmhot.deploy.half_precision import half_precision, move_to_device
from mmhot.options import Values
from tools.benchmark.chain import TimedChain
from tools.benchmark.hourglasses import PAIRS
from tools.benchmark.model_specs import BuiltModel, build_spec, parse_spec

_PEERS = ('rtmpose-m', 'hrnet-w32')
_POSES = (*_PEERS, 'gtpt-t', 'gtpt-s', 'gtpt-b', 'gtpt-t-wholebody')
_LIFTERS = ('tcn-27', 'nanohtnet-243-9', 'htnet')
_VIDEOS = (Path('demo/walk.mp4'), Path('demo/dance.mp4'))
_WARM_UP = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the videos and the parts."""
    parser.add_argument(
        'videos', nargs='*', type=Path, default=_VIDEOS, help='(default: the demo)'
    )
    parser.add_argument(
        '--only',
        nargs='+',
        choices=[*_PARTS],
        default=[*_PARTS],
        help='(default: all)',
    )


def measure(args: argparse.Namespace) -> list[dict]:
    """Time the networks, and the chain on each video."""
    if not torch.cuda.is_available():
        raise ValueError('PyTorch finds no GPU with CUDA')
    return [row for part in args.only for row in _PARTS[part](args)]


def _time_poses(args: argparse.Namespace) -> list[dict]:
    rows = [
        row
        for name in _POSES
        for row in _time_model(name, args.rounds, half=True, sizes=(1, 64))
    ]
    times = {(row['model'], row['batch']): row['graph ms'] for row in rows}
    for row in rows:
        for peer in _PEERS:
            speed = times[peer, row['batch']] / row['graph ms']
            row[f'throughput over {peer}'] = speed
    return rows


def _time_lifters(args: argparse.Namespace) -> list[dict]:
    rows = []
    for name in _LIFTERS:
        rows += _time_model(name, args.rounds, half=False, sizes=(1, 256))
    for pair in PAIRS:
        host, hourglass = (
            _time_model(name, args.rounds, half=False, sizes=(1, 16)) for name in pair
        )
        for row, other in zip(hourglass, host, strict=True):
            row['ratio'] = row['graph ms'] / other['graph ms']
        rows += [*host, *hourglass]
    return rows


def _time_chain(args: argparse.Namespace) -> list[dict]:
    rows = []
    with TemporaryDirectory() as folder:
        output = OutputOptions(out_dir=Path(folder), formats=('npz',))
        steps = build(VIDEO, Values({'device': 'cuda', 'backend': 'torch'}, VIDEO))
        for video in args.videos:
            chain = TimedChain(video.stem, steps, output, video)
            seconds = [_seconds(chain) for _ in range(_WARM_UP + args.rounds)]
            rows.append(
                {
                    'model': f'{video.name}, frames/s',
                    'first': chain.frames / seconds[0],
                    'frames per second': chain.frames / median(seconds[_WARM_UP:]),
                }
            )
    return rows


_PARTS = {'poses': _time_poses, 'lifters': _time_lifters, 'chain': _time_chain}


def _time_model(name: str, rounds: int, half: bool, sizes: tuple[int, ...]) -> list:
    """Time a model with random weights; returns a row for each batch size."""
    built = build_spec(parse_spec(name))
    move_to_device(built.model, 'cuda') if half else built.model.cuda()
    rows = []
    for size in sizes:
        x = torch.randn(size, *built.shape, device='cuda')
        network = _network(built, half)
        plain = _milliseconds(partial(network, x), rounds)
        graphs = partial(CapturedGraphs(network, (size,)), x)
        first = 1e3 * _seconds(graphs)
        rows.append(
            {
                'model': name,
                'precision': 16 if half else 32,
                'batch': size,
                'plain ms': plain,
                'graph ms': _milliseconds(graphs, rounds),
                'first ms': first,
            }
        )
    return rows


def _network(built: BuiltModel, half: bool) -> Callable[[torch.Tensor], object]:
    @torch.no_grad()
    def run(x: torch.Tensor) -> object:
        with half_precision('cuda' if half else 'cpu'):
            return built(x)

    return run


def _milliseconds(call: Callable[[], object], rounds: int) -> float:
    return 1e3 * median([_seconds(call) for _ in range(_WARM_UP + rounds)][_WARM_UP:])


def _seconds(call: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    begin = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - begin
