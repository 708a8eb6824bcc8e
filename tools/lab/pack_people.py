"""Pack the people of a COCO-style folder into one file, or unpack them.

Example::

    python -m tools.lab.pack_people pack person_keypoints_val2017.json \
        val2017/ val.npz
    python -m tools.lab.pack_people unpack val.npz val_crops/
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import output_file
from mmhot.datasets.packed_people import read_packed_people
from tools.lab.coco_people import pack_coco, unpack_coco
from tools.lab.packing import write_packed_people


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(prog='pack_people.py', description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar='pack|unpack')
    pack = commands.add_parser('pack', help='folder to file')
    pack.add_argument('annotations', type=Path, help='COCO or COCO-WholeBody JSON')
    pack.add_argument('images', type=Path, help='folder of its images')
    pack.add_argument('target', type=output_file, help='.npz file to write')
    pack.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(192, 256),
        metavar=('WIDTH', 'HEIGHT'),
        help='of a crop in pixels (default: 192 256)',
    )
    pack.add_argument(
        '--padding',
        type=float,
        default=1.35,
        help='factor on the boxes, as margin for augmentation (default: 1.35)',
    )
    pack.add_argument(
        '--quality', type=int, default=80, help='WebP quality (default: 80)'
    )
    pack.add_argument(
        '--min-height',
        type=float,
        default=0.0,
        metavar='PIXELS',
        help='minimum height of a box, clipped to the image (default: 0)',
    )
    pack.add_argument(
        '--whole',
        action='store_true',
        help='pack the original image files; up to 1024 pixels',
    )
    pack.set_defaults(run=run_pack)
    unpack = commands.add_parser('unpack', help='file to folder')
    unpack.add_argument('source', type=Path, help='.npz file')
    unpack.add_argument('folder', type=Path, help='gets images/ and annotations.json')
    unpack.set_defaults(run=run_unpack)
    return parser.parse_args()


def run_pack(args: argparse.Namespace) -> None:
    """Pack the folder."""
    _check(args)
    people = pack_coco(
        args.annotations,
        args.images,
        None if args.whole else tuple(args.size),
        args.padding,
        args.quality,
        args.min_height,
        lambda people: tqdm(people, unit='person', file=sys.stderr),
    )
    write_packed_people(people, args.target)
    print(f'{len(people)} people written to {args.target}')


def _check(args: argparse.Namespace) -> None:
    if min(args.size) < 1 or max(args.size) > 1023:
        raise ValueError(f'--size must be from 1 to 1023 pixels, got {args.size}')
    if not 1 <= args.padding < 100:
        raise ValueError(f'--padding must be from 1 to 100, got {args.padding:g}')
    if not args.min_height >= 0:
        raise ValueError(f'--min-height must be 0 or more, got {args.min_height:g}')
    if not 1 <= args.quality <= 100:
        raise ValueError(f'--quality must be from 1 to 100, got {args.quality}')


def run_unpack(args: argparse.Namespace) -> None:
    """Unpack the file."""
    people = read_packed_people(args.source)
    path = unpack_coco(people, args.folder)
    print(f'{len(people)} people written to {path}')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('pack_people.py', lambda: args.run(args))


if __name__ == '__main__':
    sys.exit(main())
