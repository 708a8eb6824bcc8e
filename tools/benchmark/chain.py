"""Time videos to 3D against the 2D network alone.

Each round runs the shipped GTPT-T on a batch of random crops in ONNX Runtime (one crop
at a time on each thread), decodes each video, and runs the chain on it: frames,
detection, 2D poses, tracks, 3D poses and an ``.npz`` file. The ratios compare the time
per frame with the time of the network alone for as many people. Ratios of processor
time depend less on other work on the machine. The first round warms up and does not
count.
"""

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mmhot.chain.calls import INFER_COMMAND
from mmhot.chain.frames.files import VideoFile
from mmhot.chain.outcome import Outcome
from mmhot.chain.plan import VideoPlan
from mmhot.chain.run import Runner
from mmhot.deploy.onnx_sessions import open_session
from mmhot.options import Values
from mmhot.weights.names import POSE, resolve
from tools.benchmark.page import number_cell, ratio_cell
from tools.benchmark.timing import Ratio, Times, compare, time_in_turns

_HEADS = (
    *('video', 'people per frame', 'frames/s', 'decoded alone'),
    *('ratio to the network (quartiles)', 'of processor time'),
)
_BATCH = 16  # crops
_CROP = (3, 256, 192)  # shape of a crop
_MODEL = 'gtpt-t'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the videos and the device."""
    parser.add_argument('videos', nargs='+', type=Path)
    parser.add_argument('--device', default='cpu', help='cpu or cuda (default: cpu)')


def measure(args: argparse.Namespace) -> list[list[str]]:
    """Time the chain on each video."""
    with tempfile.TemporaryDirectory() as folder:
        stated = dict(pose2d=_MODEL, device=args.device, out_dir=folder, formats='npz')
        values = Values(stated, INFER_COMMAND.kinds)
        plan = VideoPlan(values)
        chains = [TimedChain(video, plan, values) for video in args.videos]
        return time_chains(chains, args.rounds)


@dataclass
class TimedChain:
    """The chain on one video; calls count its frames, and the poses in all of them."""

    video: Path
    plan: VideoPlan
    values: Values
    frames: int = 0
    people: int = 0

    def __call__(self) -> None:
        """Lift the video and write the poses."""
        runner = Runner()
        clip, footage = runner.see(self.plan, VideoFile(self.video))
        poses = runner.lift(self.plan, clip, footage)
        if poses is None:
            raise ValueError(f'{self.video}: no person was found')
        Outcome(poses.name).write(poses, self.values)
        self.frames = runner.times.num_frames
        self.people = len(poses.frame)


@dataclass
class _Metered:
    """A call that also collects the processor time of the process, in seconds."""

    call: Callable[[], object]
    seconds: list[float] = field(default_factory=list)

    def __call__(self) -> None:
        begin = time.process_time()
        self.call()
        self.seconds.append(time.process_time() - begin)


def time_chains(chains: Sequence[TimedChain], rounds: int) -> list[list[str]]:
    """Time chains, the decoding of their videos, and the network alone, in turns.

    Returns:
        list[list[str]]: The header, and a row of cells for each chain.
    """
    calls = {('chain', chain.video): _Metered(chain) for chain in chains}
    for chain in chains:
        decode = partial(deque, VideoFile(chain.video), maxlen=0)
        calls['decode', chain.video] = _Metered(decode)
    calls['network'] = _Metered(_network_alone())
    time_in_turns(calls, 1, seconds=0)
    times = time_in_turns(calls, rounds, seconds=0)
    rows = [list(_HEADS)]
    for chain in chains:
        key = 'chain', chain.video
        # Time of the chain over that of the network for as many people.
        scale = _BATCH / max(chain.people, 1)
        ratio = compare(times[key], times['network'])
        scaled = Ratio(*(scale * value for value in astuple(ratio)))
        processor = compare(
            Times(calls[key].seconds[-rounds:]),
            Times(calls['network'].seconds[-rounds:]),
        )
        rows.append(
            [
                chain.video.stem,
                f'{chain.people / chain.frames:.1f}',
                number_cell(chain.frames / times[key].best),
                number_cell(chain.frames / times['decode', chain.video].best),
                ratio_cell(scaled),
                f'{scale * processor.median:.2f}',
            ]
        )
    return rows


def _network_alone() -> Callable[[], object]:
    """Return a call of the shipped GTPT-T on one batch, without the flip test."""
    crops = np.random.default_rng(0).normal(size=(_BATCH, *_CROP)).astype(np.float32)
    session = open_session(resolve(_MODEL, POSE).graph, threads=1)
    name = session.get_inputs()[0].name
    pool = ThreadPoolExecutor(torch.get_num_threads())
    parts = np.split(crops, _BATCH)  # batches of one crop, as in mmhot infer
    return lambda: list(pool.map(lambda part: session.run(None, {name: part}), parts))
