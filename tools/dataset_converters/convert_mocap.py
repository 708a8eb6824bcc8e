r"""Convert motion capture (.amc with .asf, .bvh, .c3d) to clips for training.

Example::

    python -m tools.dataset_converters.convert_mocap all_asfamc/subjects \
        data/cmu_mocap/clips.npz --cut-glitches

docs/data.md describes the clips.
"""

import argparse
from pathlib import Path

from mmhot.cli.errors import OneLineParser, run_tool
from mmhot.cli.report import output_file
from mmhot.errors import require_file
from mmhot.io.arrays import save_arrays
from tools.dataset_converters.motion_conversion import (
    LAYOUTS,
    SUFFIXES,
    ConversionOptions,
    convert_motion,
    read_layout,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description='Convert motion capture to clips for training')
    parser.add_argument(
        'sources', nargs='+', type=Path, help='files, or folders of files at any depth'
    )
    parser.add_argument('target', type=output_file, help='.npz of clips to write')
    parser.add_argument(
        '--fps',
        type=float,
        default=50.0,
        help='frames per second of the clips (default: 50)',
    )
    parser.add_argument(
        '--source-fps',
        type=float,
        help='frames per second of files that do not state it (default for .amc: 120)',
    )
    parser.add_argument(
        '--joints',
        help=f'names of the joints: {", ".join(LAYOUTS)}, or a JSON file with the '
        "files' names by joint of Human3.6M (default: recognized)",
    )
    parser.add_argument(
        '--meters', type=float, help="the files' unit in meters, such as 0.01 or 0.0254"
    )
    parser.add_argument('--up', choices=('y', 'z'), help="the files' vertical axis")
    parser.add_argument(
        '--cut-glitches',
        action='store_true',
        help='leave out frames with joints of more than 12 m/s or 450 m/s^2',
    )
    args = parser.parse_args()
    if args.target.suffix != '.npz':
        parser.error(f'target: got {args.target}, wanted an .npz file')
    return args


def main(args: argparse.Namespace) -> None:
    """Convert all files; print a line for each."""
    layout = LAYOUTS.get(args.joints)
    if args.joints and layout is None:
        layout = read_layout(Path(args.joints))
    options = ConversionOptions(
        args.fps,
        args.source_fps,
        layout,
        args.meters,
        args.up,
        args.cut_glitches,
    )
    clips = {}
    for path in find_files(args.sources):
        for name, joints in convert_motion(path, options).items():
            if name in clips:
                raise ValueError(f'{path}: there is another clip {name}')
            clips[name] = joints
            print(f'{name}: {len(joints)} frames')
    save_arrays(args.target, clips, compressed=True)
    total = sum(map(len, clips.values()))
    minutes = total / args.fps / 60
    print(f'{len(clips)} clips, {total} frames ({minutes:.1f} min): {args.target}')


def find_files(sources: list[Path]) -> list[Path]:
    """List the motion files of files and folders."""
    files = []
    for source in sources:
        if source.is_dir():
            motions = (p for p in source.rglob('*') if p.suffix.lower() in SUFFIXES)
            files += sorted(motions)
        else:
            files.append(require_file(source))
    if not files:
        raise ValueError(f'{sources[0]} has no {", ".join(SUFFIXES)} files')
    return files


if __name__ == '__main__':
    run_tool(parse_args, main)
