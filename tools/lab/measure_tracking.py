"""Measure how often people are mixed up whom motion capture lets cross.

Prints, for scenes of people who cross, pass behind something, or are many, how many
tracks there are, how often people change track, how often tracks change person, and how
often people are left out for a while. Example::

    python -m tools.lab.measure_tracking --scenes 12
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import output_file

KINDS = {
    'crossing': dict(num_people=5),
    'behind a wall': dict(num_people=3, wall=160.0),
    'crowd': dict(num_people=12, spread=2.0),
}
# Walks shorter than that, in frames at 50 per second and in meters, cross nobody.
_FRAMES, _WAY = 200, 2.0


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument('--scenes', type=int, default=12, help='of each kind')
    parser.add_argument('--seed', type=int, default=1000, help='of the first scene')
    parser.add_argument(
        '--fps', type=float, nargs='+', default=[25.0, 10.0], help='frames per second'
    )
    parser.add_argument('--out', type=output_file, help='write the table as JSON, too')
    return parser.parse_args()


def read_walks(folder: Path) -> list:
    """Read the motions that go somewhere."""
    import numpy as np

    with np.load(folder / 'cmu_h36m17.npz') as clips:
        motions = [clips[key] for key in clips.files]
    walks = [
        motion
        for motion in motions
        if len(motion) >= _FRAMES
        and np.linalg.norm(motion[-1, 0, :2] - motion[0, 0, :2]) > _WAY
    ]
    if not walks:
        raise ValueError(f'--data-root: nobody walks {_WAY:g} m in {folder}')
    return walks


def track_stream(people: list, fps: float) -> list:
    """Ids as a stream gets them."""
    from mmhot.video.tracking import Tracker

    tracker = Tracker(fps)
    return [tracker.update(of_frame, index) for index, of_frame in enumerate(people)]


def track_file(people: list, fps: float) -> list:
    """Ids as a clip gets them."""
    import numpy as np

    from mmhot.video.tracking import track_clip

    ids = [np.full(len(of_frame), -1) for of_frame in people]
    for track in track_clip(people, fps):
        for frame, box in zip(track.frames, track.bboxes, strict=True):
            ids[frame][(people[frame].bboxes == box).all(1)] = track.track
    return ids


TRACKERS: dict[str, Callable] = {'stream': track_stream, 'clip': track_file}


def measure(args: argparse.Namespace) -> None:
    """Print the table."""
    for option in ('scenes', 'seed'):
        if getattr(args, option) < 1:
            raise ValueError(
                f'--{option} must be at least 1, got {getattr(args, option)}'
            )
    if min(args.fps) <= 0:
        raise ValueError(f'--fps must be above 0, got {min(args.fps):g}')
    from tqdm import tqdm

    from tools.lab.crossings import make_scene
    from tools.lab.identity_errors import IdentityErrors, count_identity_errors

    walks = read_walks(args.data_root)
    table = {}
    total = len(KINDS) * len(args.fps) * args.scenes
    with tqdm(total=total, unit='scene', leave=False, disable=None) as bar:
        for kind, settings in KINDS.items():
            for fps in args.fps:
                names = {name: f'{kind}, {fps:g} fps, {name}' for name in TRACKERS}
                table |= dict.fromkeys(names.values(), IdentityErrors())
                for seed in range(args.seed, args.seed + args.scenes):
                    scene = make_scene(walks, seed, fps=fps, **settings)
                    for name, track in TRACKERS.items():
                        ids = track(scene.people, fps)
                        table[names[name]] += count_identity_errors(scene.owners, ids)
                    bar.update()
    write_table(table, args.out)


def write_table(table: dict, out: Path | None) -> None:
    """Print errors, a row each, and write them as JSON if wanted."""
    from mmengine.fileio import dump

    from mmhot.cli.report import align
    from mmhot.io.atomic import replacing

    rows = {
        name: {
            'people': errors.people,
            'tracks': errors.tracks,
            'switches': errors.switches,
            'mixed': errors.mixed,
            'fragments': errors.fragments,
            'missed %': round(100 * errors.missed / max(errors.found, 1), 1),
            'IDF1': round(errors.idf1, 3),
        }
        for name, errors in table.items()
    }
    columns = next(iter(rows.values()))
    cells = [[name, *map(str, row.values())] for name, row in rows.items()]
    print_line(align([['', *columns], *cells]))
    if out:
        with replacing(out) as temporary:
            dump(rows, temporary)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('measure_tracking.py', lambda: measure(args))


if __name__ == '__main__':
    sys.exit(main())
