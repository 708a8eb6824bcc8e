"""Measure a lifter's accuracy against the look-ahead of a stream.

Prints, for several look-aheads, MPJPE and P-MPJPE in millimeters and jitter, for true
and for noisy 2D keypoints of motion capture. Example::

    python -m tools.lab.measure_lookahead --frames 40 8 4 0
"""

import argparse
import sys

import numpy as np
import torch
from mmengine.fileio import dump
from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align, output_file
from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe
from mmhot.io.atomic import replacing
from mmhot.lifting.lifter import Lifter
from mmhot.video.live import first_target, target_position
from mmhot.weights.index import LIVE_LIFTER
from tools.lab.measure_framings import FRAMINGS, Window, window_batches
from tools.lab.motions import add_lifter_arguments, open_motions

_COLUMNS = ('MPJPE', 'P-MPJPE', 'jitter')
_BATCH = 64


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    add_lifter_arguments(parser)
    parser.add_argument(
        '--frames',
        type=int,
        nargs='+',
        default=[40, 8, 4, 0],
        help="look-aheads, in frames at the model's rate (default: 40 8 4 0)",
    )
    parser.add_argument('--split', default='val', help='motions to use')
    parser.add_argument(
        '--stride', type=int, default=20, help='frames between windows (default: 20)'
    )
    parser.add_argument('--out', type=output_file, help='also write the table as JSON')
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    if args.stride < 1:
        raise ValueError(f'--stride must be at least 1, got {args.stride}')
    if min(args.frames) < 0:
        raise ValueError(f'--frames must be at least 0, got {min(args.frames)}')
    model = args.model or (None if args.checkpoint else LIVE_LIFTER)
    lifter = Lifter(model, args.checkpoint)
    # long enough for windows entirely before or after their frame, and its neighbors
    dataset = open_motions(
        args.data_root,
        args.split,
        fps=lifter.fps,
        seq_len=2 * lifter.seq_len + 1,
        stride=args.stride,
    )
    sums = {frames: np.zeros((2, len(_COLUMNS))) for frames in args.frames}
    count = 0
    with tqdm(total=len(dataset), unit='window', leave=False, disable=None) as bar:
        for windows in window_batches(dataset, FRAMINGS['centered'], _BATCH):
            for frames in args.frames:
                with torch.inference_mode():
                    sums[frames] += sum_errors(lifter, windows, frames)
            count += len(windows)
            bar.update(len(windows))
    names = [f'{kind}{name}' for kind in ('', 'noisy ') for name in _COLUMNS]
    table = {
        f'{frames} frames, {1000 * frames / lifter.fps:.0f} ms': dict(
            zip(names, (total / count).ravel().round(1).tolist(), strict=True)
        )
        for frames, total in sums.items()
    }
    cells = [[name, *map(str, row.values())] for name, row in table.items()]
    print_line(align([['look-ahead', *names], *cells]))
    if args.out:
        with replacing(args.out) as temporary:
            dump(dict(model=lifter.name, windows=count, mm=table), temporary)


def sum_errors(lifter: Lifter, windows: list[Window], frames: int) -> np.ndarray:
    """Sum the errors of true and of noisy keypoints, (2, 3)."""
    w, h = windows[0].image_size
    target = np.stack([window.target for window in windows])
    sums = np.zeros((2, len(_COLUMNS)))
    for row in range(2):
        keypoints = np.stack([window.keypoints[row] for window in windows])
        before, poses, after = (
            lift(lifter, keypoints, frames, shift, dict(w=w, h=h))
            for shift in (-1, 0, 1)
        )
        bends = np.linalg.norm(after - 2 * poses + before, axis=-1).mean(-1)
        sums[row] = (
            1000 * mpjpe(poses, target).sum(),
            1000 * p_mpjpe(poses, target).sum(),
            lifter.fps**2 * bends.sum(),
        )
    return sums


def lift(
    lifter: Lifter, keypoints: np.ndarray, frames: int, shift: int, camera: dict
) -> np.ndarray:
    """Lift the frame ``shift`` after the middle of (B, T, 17, 2) to (B, 17, 3)."""
    target = target_position(lifter, frames)
    steps = (np.arange(lifter.seq_len) - target).clip(max=frames)
    window = keypoints[:, keypoints.shape[1] // 2 + shift + steps]
    return lifter.predict(window, camera)[:, target - first_target(lifter)]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_lookahead.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
