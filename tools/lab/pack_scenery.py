"""Pack views of panoramas, in which there is nobody, as pictures to train with.

Example::

    npm pack @pmndrs/assets@1.7.0
    python -m tools.lab.pack_scenery pmndrs-assets-1.7.0.tgz \
        data/scenery/train.npz
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.report import output_file
from mmhot.datasets.packed_people import PackedPeople, join_images, write_packed_people
from tools.lab.panoramas import read_panoramas, view

_SIZE = (192, 256)
_KEYPOINTS = 133
_PADDING = 1.35  # of a box, as in shards of people
_FOV = np.radians((50, 110))  # less would be more blurred than people are
_PITCH = np.radians(15)
_EXPOSURE = 0.5  # standard deviation of its logarithm
_QUALITY = 80
# Of a view's brightness: so much contrast at least, and so much white at most.
_CONTRAST, _BURNT = 8, 0.3
_TRIES = 20


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description='Pack views of panoramas without people')
    parser.add_argument(
        'source', type=Path, help="folder of panoramas, or npm's @pmndrs/assets (.tgz)"
    )
    parser.add_argument('target', type=output_file, help='.npz file to write')
    parser.add_argument(
        '--count', type=int, default=2500, help='of views (default: 2500)'
    )
    parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument('--only', nargs='+', metavar='NAME', help='these panoramas')
    choice.add_argument(
        '--without', nargs='+', default=[], metavar='NAME', help='all but these'
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Draw views, pack them, and say how many."""
    if args.count < 1:
        raise ValueError(f'--count must be at least 1, got {args.count}')
    panoramas = read_panoramas(args.source)
    unknown = {*(args.only or ()), *args.without} - panoramas.keys()
    if unknown:
        raise ValueError(
            f'{args.source} has no {", ".join(sorted(unknown))}; it has '
            f'{", ".join(panoramas)}'
        )
    names = [name for name in args.only or panoramas if name not in args.without]
    if not names:
        raise ValueError('no panorama is left of --without')
    rng = np.random.default_rng(args.seed)
    encoded = [
        _encode(draw_view(panoramas[names[rng.integers(len(names))]], rng))
        for _ in tqdm(range(args.count), unit='view', file=sys.stderr)
    ]
    images, offsets = join_images(encoded)
    size = np.array(_SIZE)
    box = np.concatenate([size * (1 - 1 / _PADDING), size * (1 + 1 / _PADDING)]) / 2
    nobody = PackedPeople(
        images,
        offsets,
        keypoints=np.zeros((args.count, _KEYPOINTS, 2), np.float32),
        visibility=np.zeros((args.count, _KEYPOINTS), np.uint8),
        bboxes=np.tile(box.astype(np.float32), (args.count, 1)),
    )
    write_packed_people(nobody, args.target)
    print(
        f'{args.count} views of {len(names)} panoramas written to {args.target}: '
        f'{", ".join(names)}'
    )


def draw_view(panorama: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Look into a random direction, with a random lens; again if nothing is there."""
    for _ in range(_TRIES):
        picture = view(
            panorama,
            _SIZE,
            fov=np.exp(rng.uniform(*np.log(_FOV))),
            yaw=rng.uniform(-np.pi, np.pi),
            pitch=rng.normal(0, _PITCH),
            exposure=np.exp(rng.normal(0, _EXPOSURE)),
        )
        gray = picture.mean(-1)
        if gray.std() > _CONTRAST and (gray > 250).mean() < _BURNT:
            break
    return picture[:, ::-1] if rng.random() < 0.5 else picture


def _encode(picture: np.ndarray) -> bytes:
    done, encoded = cv2.imencode('.webp', picture, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    assert done
    return encoded.tobytes()


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('pack_scenery.py', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
