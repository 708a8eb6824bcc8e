"""Measure streams: error, jitter and latency by lifter, filter and look-ahead.

Videos of one person with ground truth, NAME.mp4 and NAME.npz, are played in real time,
and every frame is lifted. Jitter is the error of the acceleration; the latency is the
mean time from the arrival of a frame to its poses. Example::

    python -m tools.analysis.measure_streams demo/walk.mp4 demo/dance.mp4
"""

import argparse
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

import mmhot
from mmhot.chain.frames.files import VideoFile
from mmhot.cli.errors import print_text, run_tool
from mmhot.errors import align
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.weights.index import DEFAULT_LIFTER, LIVE_LIFTER
from tools.analysis.motions import GroundTruth
from tools.benchmark.page import describe_machine
from tools.motion_quality import jitter

_LIFTERS = {'NanoHTNet': LIVE_LIFTER, 'hourglass': DEFAULT_LIFTER}
_FILTERS = ('none', 'one-euro')
_LOOKAHEADS = (0, 1, 2, 4, 8)  # frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('videos', nargs='+', type=Path, help='NAME.mp4 with NAME.npz')


def main(args: argparse.Namespace) -> None:
    """Print a line for each lifter, filter and look-ahead, by video."""
    heads = ['lifter', 'filter', 'look-ahead', 'MPJPE, mm', 'jitter, m/s^2']
    lines = [[*heads, 'latency, ms']]
    for lifter, smooth_3d, lookahead in product(_LIFTERS, _FILTERS, _LOOKAHEADS):
        options = dict(pose3d=_LIFTERS[lifter], smooth_3d=smooth_3d)
        rows = [measure(x, lookahead=lookahead, **options) for x in args.videos]
        cells = [
            ' / '.join(f'{number:.1f}' for number in column)
            for column in zip(*rows, strict=True)
        ]
        lines.append([lifter, smooth_3d, str(lookahead), *cells])
    print_text(f'{align(lines, left=2)}\n\n{describe_machine(1, 1)}')


def measure(video: Path, **options: str | int) -> tuple[float, float, float]:
    """Lift a video as a stream; return MPJPE in mm, jitter and latency in ms."""
    footage = VideoFile(video)
    truth = GroundTruth.read(video.with_suffix('.npz'))
    stream = mmhot.stream(_play(footage), fps=footage.fps, **options)
    live = [x for x in stream if x.people]
    frames = np.array([x.frame.index for x in live])
    poses = np.stack([x.people[0].keypoints_3d for x in live])
    target = truth.poses[frames]
    shake = jitter(poses - target, frames, footage.fps)
    latency = np.mean([x.latency for x in live])
    return 1000 * mpjpe(poses, target).mean(), shake, 1000 * float(latency)


def _play(footage: VideoFile) -> Iterator[np.ndarray]:
    """Yield the images of a video, (H, W, 3), in real time."""
    begin = time.monotonic()
    for frame in footage:
        time.sleep(max(begin + frame.time - time.monotonic(), 0))
        yield frame.image


if __name__ == '__main__':
    run_tool(add_arguments, main)
