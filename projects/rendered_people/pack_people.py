"""Pack the people of a COCO-style folder into one file.

Example::

    python -m projects.rendered_people.pack_people person_keypoints_val2017.json \
        val2017/ val.npz
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from projects.rendered_people.coco_people import pack_coco
from projects.rendered_people.commands import run_command
from projects.rendered_people.packed_people import write_packed_people


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('annotations', type=Path, help='COCO or COCO-WholeBody JSON')
    parser.add_argument('images', type=Path, help='folder of its images')
    parser.add_argument('target', type=Path, help='.npz file to write')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(192, 256),
        metavar=('WIDTH', 'HEIGHT'),
        help='of a crop in pixels (default: 192 256)',
    )
    parser.add_argument(
        '--padding',
        type=float,
        default=1.35,
        help='factor on the boxes, as margin for augmentation (default: 1.35)',
    )
    parser.add_argument(
        '--quality', type=int, default=80, help='WebP quality (default: 80)'
    )
    parser.add_argument(
        '--min-height',
        type=float,
        default=0.0,
        metavar='PIXELS',
        help='minimum height of a box, clipped to the image (default: 0)',
    )
    parser.add_argument(
        '--whole',
        action='store_true',
        help='pack the original image files; up to 1024 pixels',
    )
    args = parser.parse_args()
    if min(args.size) < 1 or max(args.size) > 1023:
        parser.error(f'--size must be from 1 to 1023 pixels, got {args.size}')
    return args


def run(args: argparse.Namespace) -> None:
    """Pack the folder."""
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


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: run(args))


if __name__ == '__main__':
    main()
