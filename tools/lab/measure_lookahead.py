"""Measure what it costs a lifter not to know what comes next.

Prints, for several look-aheads of a stream, MPJPE and P-MPJPE in millimeters, for true
and for noisy 2D keypoints, and how much poses jitter, on motion capture. Example::

    python -m tools.lab.measure_lookahead --frames 40 8 4 0
"""

import argparse
import sys
from collections.abc import Iterator

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.output_file import output_file
from tools.lab.benchmark.motions import add_lifter_arguments, open_motions

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
        '--stride', type=int, default=20, help='frames from one window to the next'
    )
    parser.add_argument('--out', type=output_file, help='write the table as JSON, too')
    return parser.parse_args()


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    if args.stride < 1:
        raise ValueError(f'--stride must be at least 1, got {args.stride}')
    if min(args.frames) < 0:
        raise ValueError(f'--frames must be at least 0, got {min(args.frames)}')
    import numpy as np
    import torch
    from mmengine.fileio import dump
    from tqdm import tqdm

    from mmhot.cli.table import align
    from mmhot.io.atomic import replacing
    from mmhot.lifting.lifter import Lifter
    from mmhot.weights.index import LIVE_LIFTER

    model = args.model or (None if args.checkpoint else LIVE_LIFTER)
    lifter = Lifter(model, args.checkpoint)
    # room for windows that lie wholly before or after their frame, and for neighbors
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
        for windows in batches(dataset):
            for frames in args.frames:
                with torch.inference_mode():
                    sums[frames] += errors(lifter, windows, frames)
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


def batches(dataset) -> Iterator[list]:
    """Windows of equal picture size."""
    from tools.lab.framings import FRAMINGS, see

    waiting: dict[tuple, list] = {}
    for index in range(len(dataset)):
        window = see(dataset, index, FRAMINGS['centered'])
        batch = waiting.setdefault(window.image_size, [])
        batch.append(window)
        if len(batch) == _BATCH:
            yield waiting.pop(window.image_size)
    yield from waiting.values()


def errors(lifter, windows: list, frames: int):
    """Sums of the errors of true and of noisy keypoints, (2, 3)."""
    import numpy as np

    from mmhot.evaluation.pose_errors import mpjpe, p_mpjpe

    w, h = windows[0].image_size
    target = np.stack([window.target for window in windows])
    sums = np.zeros((2, len(_COLUMNS)))
    for row in range(2):
        seen = np.stack([window.keypoints[row] for window in windows])
        before, poses, after = (
            lift(lifter, seen, frames, shift, dict(w=w, h=h)) for shift in (-1, 0, 1)
        )
        bends = np.linalg.norm(after - 2 * poses + before, axis=-1).mean(-1)
        sums[row] = (
            1000 * mpjpe(poses, target).sum(),
            1000 * p_mpjpe(poses, target).sum(),
            lifter.fps**2 * bends.sum(),
        )
    return sums


def lift(lifter, seen, frames: int, shift: int, camera: dict):
    """Poses (B, 17, 3) of the frame so far from the middle of (B, T, 17, 2)."""
    import numpy as np

    from mmhot.video.live import first_target, target_position

    target = target_position(lifter, frames)
    steps = (np.arange(lifter.seq_len) - target).clip(max=frames)
    window = seen[:, seen.shape[1] // 2 + shift + steps]
    return lifter.predict(window, camera)[:, target - first_target(lifter)]


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_lookahead.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
