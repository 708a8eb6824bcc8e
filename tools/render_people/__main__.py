"""Render people from free parts, with exact labels, into shards to train with.

Bodies are anny's, motions CMU's, places Poly Haven's; ``docs/data.md`` says where they
come from. Shards that exist are left as they are, so the same command goes on where it
was cut off.

Example::

    pip install -r requirements/render.txt
    npm pack @pmndrs/assets@1.7.0
    python tools/render_people data/people --motions data/cmu_mocap/cmu_h36m17.npz \
        --panoramas pmndrs-assets-1.7.0.tgz --shards 8 --workers 2
"""

import argparse
import os
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.io.npz import load_arrays
from mmhot.io.packed_people import PackedPeople, join_images, write_packed_people
from mmhot.io.panoramas import read_panoramas

_SIZE = (192, 256)
_SHARPER = 1.5  # pictures are drawn so much larger, then made smaller
_SHADOWS = 3.0  # metres around a person in which things cast them
_GAMMA = 2.2
_QUALITY = 85
_FABRICS = 240


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(
        description='Render people with labels', prog='render_people'
    )
    parser.add_argument('target', type=Path, help='folder of the shards to write')
    parser.add_argument(
        '--motions',
        type=Path,
        nargs='+',
        required=True,
        help='.npz of clips (T, 17, 3) in metres, joints of Human3.6M, z up',
    )
    parser.add_argument(
        '--panoramas',
        type=Path,
        help="folder of panoramas, or npm's @pmndrs/assets (.tgz); without, colours",
    )
    parser.add_argument('--shards', type=int, default=1, help='(default: 1)')
    parser.add_argument(
        '--people', type=int, default=2500, help='in a shard (default: 2500)'
    )
    parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
    parser.add_argument(
        '--bodies', type=int, default=320, help='shapes to draw from (default: 320)'
    )
    parser.add_argument(
        '--without',
        nargs='+',
        default=[],
        metavar='NAME',
        help='panoramas, or beginnings of clips (S02/), to leave out',
    )
    parser.add_argument('--workers', type=int, default=1, help='(default: 1)')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Render the shards that are missing."""
    for name in ('shards', 'people', 'bodies', 'workers'):
        if getattr(args, name) < 1:
            raise ValueError(f'--{name} must be at least 1, got {getattr(args, name)}')
    # before anything takes minutes
    read_motions(args)
    if args.panoramas is not None and not args.panoramas.exists():
        raise FileNotFoundError(f'{args.panoramas} does not exist')
    _import_anny()
    missing = [
        number for number in range(args.shards) if not shard_path(args, number).exists()
    ]
    if not missing:
        print(f'all {args.shards} shards are in {args.target} already')
        return
    _draw_bodies(args)
    tasks = [(args, number) for number in missing]
    if args.workers == 1:
        paths = map(_render_shard, tasks)
        _report(paths, args)
    else:
        # Mesa would otherwise use all cores for each
        os.environ.setdefault('LP_NUM_THREADS', '1')
        with get_context('spawn').Pool(args.workers) as pool:
            _report(pool.imap_unordered(_render_shard, tasks), args)


def shard_path(args: argparse.Namespace, number: int) -> Path:
    """File of a shard."""
    return args.target / f'people_seed{args.seed}_{number:02d}.npz'


def read_motions(args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Read the clips that are not left out."""
    clips = {}
    for path in args.motions:
        if not path.is_file():
            raise FileNotFoundError(f'{path} does not exist')
        with np.load(path, allow_pickle=False) as archive:
            names = [name for name in archive.files if not _is_left_out(name, args)]
        clips |= load_arrays(path, names)
    for name, clip in clips.items():
        if clip.ndim != 3 or clip.shape[1:] != (17, 3):
            raise ValueError(f'{name} must be (T, 17, 3), got {clip.shape}')
    if not clips:
        raise ValueError('no clip is left of --without')
    return clips


def render(args: argparse.Namespace, number: int) -> Iterator[tuple[bytes, object]]:
    """Render people without end: encoded pictures with their labels and cameras."""
    from bodies import build_anny, cached_bodies, read_body_model
    from fabrics import draw_fabrics
    from labels import label_actor
    from poses import PoseSampler
    from renderer import Renderer
    from scenes import SceneSampler

    anny = build_anny()
    model = read_body_model(anny)
    bodies = cached_bodies(_bodies_path(args), anny, args.bodies, args.seed)
    panoramas = _panoramas(args)
    rng = np.random.default_rng((args.seed, number))
    prints = [np.uint8(np.clip(p / 2, 0, 1) ** (1 / _GAMMA) * 255) for p in panoramas]
    size = tuple(int(side * _SHARPER) for side in _SIZE)
    renderer = Renderer(size, draw_fabrics(_FABRICS, prints, rng))
    scenes = SceneSampler(
        model, bodies, PoseSampler(read_motions(args)), panoramas, _FABRICS, size
    )
    while True:
        shot = scenes(rng)
        if shot is None:
            continue
        focus = shot.actor.posed.vertices.mean(0)
        picture, depth, owners = renderer(shot.scene, shot.camera, focus, _SHADOWS)
        label = label_actor(model, shot.actor, shot.camera, shot.frame, depth, owners)
        if label is not None:
            yield _develop(picture, shot.frame, rng), label, shot.camera.intrinsics


def _render_shard(task: tuple[argparse.Namespace, int]) -> Path:
    args, number = task
    drawn = render(args, number)
    people = [
        next(drawn)
        for _ in tqdm(range(args.people), desc=f'shard {number}', file=sys.stderr)
    ]
    pictures, labels, cameras = zip(*people, strict=True)
    images, offsets = join_images(pictures)
    scale = 1 / _SHARPER
    # the middle of the first pixel is at 0 where keypoints are stored, at 0.5 in OpenGL
    keypoints = np.stack([label.keypoints for label in labels]) * scale - 0.5
    path = shard_path(args, number)
    packed = PackedPeople(
        images,
        offsets,
        keypoints=np.maximum(keypoints, 0),
        visibility=np.stack([label.visibility for label in labels]),
        bboxes=np.stack([label.bbox for label in labels]) * scale,
        extras={
            'cam3d': np.stack([label.cam3d for label in labels]),
            'K': (np.stack(cameras) * scale).astype(np.float32),
        },
    )
    write_packed_people(packed, path)
    return path


def _develop(picture: np.ndarray, frame: np.ndarray, rng: np.random.Generator) -> bytes:
    """Expose, cut to the photograph, make smaller, and encode."""
    bright = np.percentile(picture.mean(-1), 90)
    exposed = picture * rng.uniform(0.5, 1.15) / max(bright, 1e-3)
    shown = np.clip(exposed, 0, 1) ** (1 / _GAMMA) * 255
    height, width = shown.shape[:2]
    left, top, right, bottom = np.rint(frame).astype(int)
    inside = np.zeros((height, width, 1), bool)
    inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    small = cv2.resize(shown * inside, _SIZE, interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(
        '.webp',
        np.rint(small).astype(np.uint8)[..., ::-1],
        [cv2.IMWRITE_WEBP_QUALITY, _QUALITY],
    )
    assert done
    return encoded.tobytes()


def _is_left_out(name: str, args: argparse.Namespace) -> bool:
    return any(name.startswith(start) for start in args.without)


def _panoramas(args: argparse.Namespace) -> list[np.ndarray]:
    if args.panoramas is None:
        return []
    found = read_panoramas(args.panoramas)
    return [place for name, place in found.items() if not _is_left_out(name, args)]


def _bodies_path(args: argparse.Namespace) -> Path:
    return args.target / f'bodies_seed{args.seed}_{args.bodies}.npz'


def _import_anny() -> None:
    for name in ('anny', 'moderngl', 'trimesh'):
        try:
            __import__(name)
        except ImportError as error:
            raise ValueError(
                f'rendering needs {name}: pip install -r requirements/render.txt'
            ) from error


def _draw_bodies(args: argparse.Namespace) -> None:
    from bodies import build_anny, cached_bodies

    cached_bodies(_bodies_path(args), build_anny(), args.bodies, args.seed)


def _report(paths: Iterator[Path], args: argparse.Namespace) -> None:
    for path in paths:
        size = path.stat().st_size / 2**20
        print(f'{path}: {args.people} people, {size:.1f} MiB', flush=True)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('render_people', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
