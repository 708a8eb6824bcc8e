r"""Measure the cost and error of each speed level on the rendered clips.

Writes the table of ``mmhot tune`` and ``mmhot infer --target-fps``, and draws it. Costs
are processor time per frame of the whole chain over that of the second level, the
default, from levels in turns; errors are means over both clips' frames. Example::

    python -m tools.lab.measure_speed_levels mmhot/video/speed_levels.json \
        docs/images/speed_levels.png
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

from mmhot.apis.lifting import open_pose_estimator, open_video_lifter
from mmhot.apis.options import InferOptions
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align, output_file
from mmhot.io.atomic import replacing
from mmhot.video.filling import Gaps
from mmhot.video.frames import VideoFile
from mmhot.video.speed import Level, apply_level
from tools.lab.measure_lifted import measure
from tools.lab.motions import GroundTruth

_EVERY_FRAME = Gaps(0.0)
_LEVELS = (
    Level('accurate', None, True, 1.0, _EVERY_FRAME),
    Level('default', None, False, 1.0),
    Level('fast', (0.7, 0.4, 0.2, 0.1), False, 1.0, Gaps(0.2, 0.8, 16), False),
    Level('fastest', (0.5, 0.3, 0.15, 0.1), False, 2.0, Gaps(0.3, 1.2, 16), False, 14),
)
_CLIPS = ('walk', 'dance')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('table', type=output_file, help='.json file to write')
    parser.add_argument('figure', type=output_file, help='.png file to write')
    parser.add_argument(
        '--clips', type=Path, default=Path('demo'), help='folder (default: demo)'
    )
    parser.add_argument(
        '--videos', nargs='+', type=Path, default=[], help='whose costs are printed'
    )
    parser.add_argument('--rounds', type=int, default=3, help='(default: 3)')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Measure all levels; write the table and the figure."""
    options = InferOptions(pose2d='gtpt-t', device='cpu')
    lifter = open_video_lifter(options)
    lifter.pose_estimator = open_pose_estimator(options)
    clips = [args.clips / f'{name}.mp4' for name in _CLIPS]
    rows = {level: [] for level in _LEVELS}
    seconds = np.zeros((args.rounds, len(_LEVELS), len(clips + args.videos)))
    with tqdm(total=seconds.size) as bar:
        for round_, row, column in np.ndindex(*seconds.shape):
            level, video = _LEVELS[row], (clips + args.videos)[column]
            source = VideoFile(video)
            begin = time.process_time()
            clip, _ = apply_level(lifter, level, source.fps)(source)
            seconds[round_, row, column] = time.process_time() - begin
            if round_ == 0 and video in clips:
                rows[level].append(
                    measure(clip, GroundTruth.read(video.with_suffix('.npz')))
                )
            bar.update()
    costs = np.median(seconds / seconds[:, 1:2], 0)
    both = seconds[..., : len(clips)].sum(-1)
    both = np.median(both / both[:, 1:2], 0)
    levels = [
        replace(level, cost=round(float(cost), 3), **_errors(rows[level]))
        for level, cost in zip(_LEVELS, both, strict=True)
    ]
    content = {
        'command': 'python -m tools.lab.measure_speed_levels',
        'machine': platform.processor() or platform.machine(),
        'clips': list(_CLIPS),
        'levels': [asdict(level) for level in levels],
    }
    with replacing(args.table) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    draw(levels, args.figure)
    heads = [
        'level',
        '2D error',
        'MPJPE',
        *_CLIPS,
        *(each.stem for each in args.videos),
    ]
    lines = [
        [
            each.name,
            f'{each.pixels:.1f} px',
            f'{each.mpjpe:.1f} mm',
            *(f'{cost:.2f}' for cost in own),
        ]
        for each, own in zip(levels, costs, strict=True)
    ]
    print_line(align([heads, *lines]))


def _errors(rows: list[dict]) -> dict[str, float]:
    """Average the errors of clips over their frames."""
    weights = [row['frames'] for row in rows]
    pixels, mpjpe = (
        float(np.average([row[key] for row in rows], weights=weights))
        for key in ('pixels', 'MPJPE')
    )
    return dict(pixels=round(pixels, 2), mpjpe=round(mpjpe, 1))


def draw(levels: Sequence[Level], target: Path) -> None:
    """Plot errors of the levels against their cost."""
    figure = Figure(figsize=(7, 3), layout='constrained')
    FigureCanvasAgg(figure)
    for axes, key, label in zip(
        figure.subplots(1, 2),
        ('pixels', 'mpjpe'),
        ('2D error of the limbs, px', 'MPJPE, mm'),
        strict=True,
    ):
        costs, values = (
            [getattr(level, name) for level in levels] for name in ('cost', key)
        )
        axes.plot(costs, values, 'o-', color='#2f6fde')
        for level, cost, value in zip(levels, costs, values, strict=True):
            axes.annotate(
                level.name, (cost, value), (4, 6), textcoords='offset points', size=8
            )
        axes.set_xlabel('processor time per frame, default = 1')
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.margins(0.15, 0.2)
    with replacing(target) as temporary:
        figure.savefig(temporary, format='png', dpi=150)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_safely('measure_speed_levels', lambda: run(arguments)))
