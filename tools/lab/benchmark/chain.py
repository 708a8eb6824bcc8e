"""Time videos to 3D against the 2D network alone, in turns.

Each round runs the shipped GTPT-T on a batch of random crops, with ONNX Runtime (two
crops at a time on each thread) and with PyTorch, decodes each video, and runs the chain
on it: frames, detection, 2D poses, tracks, 3D poses and an ``.npz`` file. The ratios
compare the time per frame with that of a network alone for as many people; those of
processor time depend less on other work on the machine. The first round warms up and
does not count. Example::

    python -m tools.lab.benchmark.chain demo/walk.mp4 demo/dance.mp4 --threads 2
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from mmhot.apis.export import export
from mmhot.apis.lifting import open_pose_estimator, open_video_lifter
from mmhot.apis.options import InferOptions, InferRunOptions
from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import align, output_file
from mmhot.deploy.onnx_sessions import open_session
from mmhot.io.atomic import replacing
from mmhot.video.frames import VideoFile
from mmhot.video.pipeline import VideoLifter
from mmhot.video.sources.model_names import TASKS_2D
from mmhot.weights.backends import BACKENDS, shipped_graph
from tools.lab.benchmark.timing import Times, compare, time_in_turns

NETWORKS = ('onnx', 'torch')
"""Back ends of the networks alone."""
_BATCH = 16
_CROP = (3, 256, 192)
_MODEL = 'gtpt-t'
# Crops per run of ONNX Runtime, as in mmhot infer.
_ONNX_BATCH = 2


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('videos', nargs='+', type=Path)
    parser.add_argument('--pose2d', default=_MODEL, help=f'(default: {_MODEL})')
    parser.add_argument('--det-model', help="(default: the 2D model's)")
    parser.add_argument('--flip-2d', action='store_true', help='see mmhot infer')
    parser.add_argument('--backend', choices=BACKENDS, default='auto', help='of models')
    parser.add_argument('--threads', type=int, default=2, help='(default: 2)')
    parser.add_argument('--rounds', type=int, default=5, help='(default: 5)')
    parser.add_argument('--out', type=output_file, metavar='FILE', help='JSON file')
    return parser.parse_args()


def benchmark(args: argparse.Namespace) -> None:
    """Time the chain and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        options = InferRunOptions(
            out_dir=Path(folder),
            formats=('npz',),
            pose2d=args.pose2d,
            det_model=args.det_model,
            flip_2d=args.flip_2d,
            device='cpu',
            backend=args.backend,
        )
        set_threads(args.threads)
        lifter = open_chain(options)
        chains = [Chain(video.stem, lifter, options, video) for video in args.videos]
        records = time_chains(chains, args.rounds)
    print(align(as_table(records)))
    if args.out:
        with replacing(args.out) as file:
            file.write_text(json.dumps(records, indent=1) + '\n')


def set_threads(threads: int) -> None:
    """Set the threads of PyTorch and, of models opened later, ONNX Runtime."""
    torch.set_num_threads(threads)
    os.environ['OMP_NUM_THREADS'] = str(threads)


def open_chain(options: InferOptions) -> VideoLifter:
    """Open all models of a chain."""
    lifter = open_video_lifter(options)
    lifter.pose_estimator = open_pose_estimator(options)
    return lifter


@dataclass
class Chain:
    """A chain on one video.

    Attributes:
        name (str): In tables.
        lifter (VideoLifter): The models.
        options (InferRunOptions): Of the results.
        video (Path): The video.
        frames (int): Of the video, after a call.
        people (int): Poses in all frames, after a call.
    """

    name: str
    lifter: VideoLifter
    options: InferRunOptions
    video: Path
    frames: int = 0
    people: int = 0

    def __call__(self) -> None:
        """Lift the video and write the poses."""
        source = VideoFile(self.video)
        clip, times = self.lifter(source)
        if clip is None:
            raise ValueError(f'{self.video}: no person was found')
        with times.measure('write'):
            export(clip, self.options, source)
        self.frames, self.people = times.num_frames, len(clip.frame)


@dataclass
class _Metered:
    """A call that also collects the processor time of the process, in seconds."""

    call: Callable[[], object]
    seconds: list[float] = field(default_factory=list)

    def __call__(self) -> None:
        begin = time.process_time()
        self.call()
        self.seconds.append(time.process_time() - begin)

    def times(self, rounds: int) -> Times:
        """Return the last rounds as turns."""
        turns = self.seconds[-rounds:]
        return Times(turns, min(turns))


def time_chains(chains: Sequence[Chain], rounds: int) -> list[dict]:
    """Time chains, the decoding of their videos, and networks alone, in turns.

    Args:
        chains (Sequence[Chain]): With different names.
        rounds (int): Turns of each, after one to warm up.

    Returns:
        list[dict]: A record of plain values for each chain.
    """
    calls = {('chain', chain.name): _Metered(chain) for chain in chains}
    for video in dict.fromkeys(chain.video for chain in chains):
        calls['decode', video] = _Metered(lambda path=video: decode(path))
    for backend in NETWORKS:
        calls['network', backend] = _Metered(_network_alone(backend))
    with tqdm(total=(rounds + 1) * len(calls), leave=False, disable=None) as bar:
        time_in_turns(calls, 1, seconds=0, progress=bar.update)
        times = time_in_turns(calls, rounds, seconds=0, progress=bar.update)
    records = []
    for chain in chains:
        key = 'chain', chain.name
        record = {
            'chain': chain.name,
            'frames': chain.frames,
            'people per frame': chain.people / chain.frames,
            'frames per second': chain.frames / times[key].best,
            'decoded frames per second': chain.frames
            / times['decode', chain.video].best,
        }
        for backend in NETWORKS:
            alone = 'network', backend
            # per frame, over the network's time for the people of a frame
            scale = _BATCH / max(chain.people, 1)
            ratio = asdict(compare(times[key], times[alone]))
            processor = compare(calls[key].times(rounds), calls[alone].times(rounds))
            record[f'ratio to {backend}'] = {k: v * scale for k, v in ratio.items()}
            record[f'processor ratio to {backend}'] = processor.median * scale
            record[f'ms per person of {backend}'] = times[alone].best / _BATCH * 1e3
        records.append(record)
    return records


def decode(video: Path) -> None:
    """Decode a video."""
    for _ in VideoFile(video):
        pass


def _network_alone(backend: str) -> Callable[[], object]:
    """Return a call of the shipped GTPT-T on one batch, without the flip test."""
    crops = torch.randn(_BATCH, *_CROP)
    if backend == 'onnx':
        graph = shipped_graph(_MODEL, TASKS_2D)
        session = open_session(graph, threads=1)
        name = session.get_inputs()[0].name
        pool = ThreadPoolExecutor(torch.get_num_threads())
        parts = np.split(crops.numpy(), _BATCH // _ONNX_BATCH)
        return lambda: list(
            pool.map(lambda part: session.run(None, {name: part}), parts)
        )
    options = InferOptions(pose2d=_MODEL, device='cpu', backend='torch')
    model = open_pose_estimator(options).estimator.model

    @torch.no_grad()
    def call() -> object:
        return model.head.forward(model.extract_feat(crops))

    return call


def as_table(records: Sequence[dict]) -> list[list[str]]:
    """Return a table's lines, header first."""
    lines = [['chain', 'frames', 'people', 'frames/s', 'decoded']]
    lines[0] += [
        head for name in NETWORKS for head in (f'to {name}', 'quartiles', 'processor')
    ]
    for record in records:
        line = [record['chain'], str(record['frames'])]
        line.append(f'{record["people per frame"]:.1f}')
        for key in ('frames per second', 'decoded frames per second'):
            line.append(f'{record[key]:.1f}')
        for name in NETWORKS:
            ratio = record[f'ratio to {name}']
            line.append(f'{ratio["median"]:.2f}')
            line.append(f'{ratio["low"]:.2f}-{ratio["high"]:.2f}')
            line.append(f'{record[f"processor ratio to {name}"]:.2f}')
        lines.append(line)
    return lines


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_safely('chain', lambda: benchmark(arguments)))
