"""Time videos to 3D against the 2D network alone, in turns.

Each round runs the 2D network on a batch of random crops, and the chain on each video:
frames, detection, 2D poses, tracks, 3D poses and an ``.npz`` file. The ratio compares
the time per frame with that of the network alone for as many people. The first round
warms up and does not count. Example::

    python -m tools.lab.benchmark.chain demo/walk.mp4 demo/dance.mp4 --threads 2
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from tqdm import tqdm

from mmhot.apis.export import export
from mmhot.apis.lifting import open_pose_estimator, open_video_lifter
from mmhot.apis.options import InferRunOptions
from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import align, output_file
from mmhot.io.atomic import replacing
from mmhot.video.frames import VideoFile
from mmhot.video.pipeline import StageTimes, VideoLifter
from tools.lab.benchmark.timing import compare, time_in_turns

_BATCH = 16
_CROP = (3, 256, 192)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('videos', nargs='+', type=Path)
    parser.add_argument('--pose2d', default='gtpt-t', help='(default: gtpt-t)')
    parser.add_argument('--det-model', help="(default: the 2D model's)")
    parser.add_argument('--flip-2d', action='store_true', help='see mmhot infer')
    parser.add_argument('--threads', type=int, default=2, help='(default: 2)')
    parser.add_argument('--rounds', type=int, default=5, help='(default: 5)')
    parser.add_argument('--out', type=output_file, metavar='FILE', help='JSON file')
    return parser.parse_args()


def benchmark(args: argparse.Namespace) -> None:
    """Time the chain and print a table."""
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        options = InferRunOptions(
            out_dir=Path(folder),
            formats=('npz',),
            pose2d=args.pose2d,
            det_model=args.det_model,
            flip_2d=args.flip_2d,
            device='cpu',
        )
        lifter = open_video_lifter(options, None)
        lifter.pose_estimator = open_pose_estimator(options)
        runs = {video: _Run(lifter, options, video) for video in args.videos}
        calls: dict[Path | None, Callable[[], object]] = {**runs}
        calls[None] = _network_alone(lifter)
        with tqdm(total=(args.rounds + 1) * len(calls)) as bar:
            time_in_turns(calls, 1, seconds=0, progress=bar.update)
            times = time_in_turns(calls, args.rounds, seconds=0, progress=bar.update)
    records = []
    alone = times.pop(None)
    for video, own in times.items():
        run = runs[video]
        # per frame, over the network's time for the people of a frame
        scale = _BATCH / max(run.people, 1)
        ratio = compare(own, alone)
        records.append(
            {
                'video': video.name,
                'frames': run.frames,
                'people per frame': run.people / run.frames,
                'frames per second': run.frames / own.best,
                'ratio': ratio.median * scale,
                'ratio, quartiles': [ratio.low * scale, ratio.high * scale],
                'milliseconds of the network per person': alone.best / _BATCH * 1e3,
                'seconds': dict(run.seconds),
            }
        )
    _print(records, args)


class _Run:
    """Run the chain on one video; remembers frames, people and the stages' times."""

    def __init__(
        self, lifter: VideoLifter, options: InferRunOptions, video: Path
    ) -> None:
        self._lifter, self._options, self._video = lifter, options, video
        self.frames, self.people = 0, 0
        self.seconds: dict[str, float] = {}

    def __call__(self) -> None:
        times = StageTimes()
        source = VideoFile(self._video)
        clip, _ = self._lifter(source, times=times)
        if clip is None:
            raise ValueError(f'{self._video}: no person was found')
        with times.measure('write'):
            export(clip, self._options, source)
        self.frames, self.people = times.num_frames, len(clip.frame)
        self.seconds = times.seconds


def _network_alone(lifter: VideoLifter) -> Callable[[], object]:
    """Return a call of the 2D network on one batch, without the flip test."""
    model = lifter.pose_estimator.estimator.model
    crops = torch.randn(_BATCH, *_CROP)

    @torch.no_grad()
    def call() -> object:
        return model.head.forward(model.extract_feat(crops))

    return call


def _print(records: Iterable[dict], args: argparse.Namespace) -> None:
    lines = [['video', 'frames', 'people', 'frames/s', 'ratio', 'stages, s']]
    for record in records:
        stages = ', '.join(f'{k} {v:.1f}' for k, v in record['seconds'].items())
        lines.append(
            [
                record['video'],
                str(record['frames']),
                f'{record["people per frame"]:.1f}',
                f'{record["frames per second"]:.1f}',
                f'{record["ratio"]:.2f}',
                stages,
            ]
        )
    print(align(lines))
    if args.out:
        with replacing(args.out) as file:
            file.write_text(json.dumps(records, indent=2))


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_safely('chain', lambda: benchmark(arguments)))
