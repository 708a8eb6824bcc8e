"""Render people from free assets, with exact labels, into shards for training.

Bodies are from anny, motions from CMU, panoramas from Poly Haven, see the README.
Existing shards are kept, so the same command continues after an interruption.

Example::

    pip install -r projects/rendered_people/requirements.txt
    npm pack @pmndrs/assets@1.7.0
    python -m projects.rendered_people.render data/people --shards 8 --workers 2 \
        --motions data/cmu_mocap/cmu_h36m17.npz --panoramas pmndrs-assets-1.7.0.tgz
"""

import argparse
import json
import os
from pathlib import Path

from projects.rendered_people.commands import run_command
from projects.rendered_people.files import replacing

_SHARES = {
    'lying': 'share of people who lie on the floor',
    'acrobatic': 'share of people who do gymnastics, such as handstands and rolls',
    'postures': 'share of people who sit on the floor, do yoga or sports',
    'seated': 'minimum share of people on chairs, benches and in wheelchairs',
    'children': 'share of bodies of children, small ones too',
    'tables': 'share of images with people behind tables, counters, steering wheels',
    'close': 'share of images that end between shoulders and thighs',
    'steep': 'share of images seen from nearby, from high above or from the floor',
    'objects': 'share of images with objects; of crops only with --models',
    'cutouts': 'share of backgrounds cut out of panoramas: sharper, no perspective',
    'behind': 'share of images of people seen from behind',
    'groups': 'share of images of people who touch: hugging, hand in hand, in a row',
    'decoys': 'share of whole images with posters, screens, mannequins, without labels',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('target', type=Path, help='folder of the shards to write')
    parser.add_argument(
        '--motions',
        type=Path,
        nargs='+',
        required=True,
        help='.npz of clips (T, 17, 3) in meters, joints of Human3.6M, z up',
    )
    parser.add_argument(
        '--panoramas',
        type=Path,
        nargs='+',
        default=[],
        help="folder of panoramas, or npm's @pmndrs/assets (.tgz) (default: colors)",
    )
    parser.add_argument(
        '--models',
        type=Path,
        nargs='+',
        default=[],
        help="libraries of Sweet Home 3D's models (.sh3f), for --objects, in crops too",
    )
    parser.add_argument('--shards', type=int, default=1, help='(default: 1)')
    parser.add_argument(
        '--people', type=int, default=2500, help='people per shard (default: 2500)'
    )
    parser.add_argument(
        '--whole-images',
        action='store_true',
        help='render whole images with all people in them, as COCO-style folders, '
        'instead of crops of one person; --people is the number of images',
    )
    parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
    parser.add_argument(
        '--bodies', type=int, default=320, help='number of body shapes (default: 320)'
    )
    parser.add_argument(
        '--without-clips',
        nargs='+',
        default=[],
        metavar='PREFIX',
        help='exclude clips whose names start with these, such as S02/',
    )
    parser.add_argument(
        '--only-clips',
        nargs='+',
        metavar='PREFIX',
        help='use only clips whose names start with these',
    )
    parser.add_argument(
        '--without-panoramas',
        nargs='+',
        default=[],
        metavar='NAME',
        help='exclude these panoramas',
    )
    for name, text in _SHARES.items():
        parser.add_argument(
            f'--{name}',
            type=float,
            default=0.0,
            metavar='SHARE',
            help=f'{text}, from 0 to 1 (default: 0)',
        )
    parser.add_argument('--workers', type=int, default=1, help='processes (default: 1)')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Render missing shards."""
    _check(args)
    # these modules import anny and OpenGL, which takes seconds
    from projects.rendered_people.render.renderer import create_context
    from projects.rendered_people.render.scenes import FramingShares, SceneShares
    from projects.rendered_people.render.shards import (
        ShardSettings,
        create_bodies,
        render_shards,
        shard_path,
    )

    settings = ShardSettings(
        motions=tuple(map(str, args.motions)),
        panoramas=tuple(map(str, args.panoramas)),
        without_clips=tuple(args.without_clips),
        only_clips=args.only_clips and tuple(args.only_clips),
        without_panoramas=tuple(args.without_panoramas),
        people=args.people,
        bodies=args.bodies,
        seed=args.seed,
        whole_images=args.whole_images,
        lying=args.lying,
        acrobatic=args.acrobatic,
        postures=args.postures,
        seated=args.seated,
        children=args.children,
        shares=SceneShares(
            FramingShares(args.tables, args.close, args.steep),
            objects=args.objects,
            cutouts=args.cutouts,
            behind=args.behind,
            groups=args.groups,
            decoys=args.decoys,
        ),
        models=tuple(map(str, args.models)),
    )
    # check all inputs before the slow steps
    settings.read_clips()
    settings.read_panoramas()
    settings.read_models()
    create_context().release()
    paths = [shard_path(settings, args.target, n) for n in range(args.shards)]
    record = args.target / f'{settings.name}.json'
    if any(path.exists() for path in paths):
        _check_settings(settings.as_json(), record)
    else:
        _write_settings(settings.as_json(), record)
    numbers = [n for n, path in enumerate(paths) if not path.exists()]
    if not numbers:
        print(f'all {args.shards} shards are in {args.target} already')
        return
    create_bodies(settings, args.target)
    if args.workers > 1:
        # Mesa would otherwise use all cores in each process
        os.environ.setdefault('LP_NUM_THREADS', '0')
    for path in render_shards(settings, args.target, numbers, args.workers):
        unit = 'images' if args.whole_images else 'people'
        print(f'{path}: {args.people} {unit}', flush=True)


def _check(args: argparse.Namespace) -> None:
    """Check the ranges of the arguments."""
    for name in ('shards', 'people', 'bodies', 'workers'):
        if getattr(args, name) < 1:
            raise ValueError(f'--{name} must be at least 1, got {getattr(args, name)}')
    if args.seed < 0:
        raise ValueError(f'--seed must be at least 0, got {args.seed}')
    for name in _SHARES:
        if not 0 <= getattr(args, name) <= 1:
            raise ValueError(f'--{name} must be from 0 to 1, got {getattr(args, name)}')
    total = args.tables + args.close + args.steep
    if total > 1:
        raise ValueError(
            f'the sum of --tables, --close and --steep must be at most 1, got {total:g}'
        )


def _check_settings(settings: dict, path: Path) -> None:
    """Check that existing shards have the same settings."""
    existing = json.loads(path.read_text()) if path.exists() else {}
    # options that a record lacks were added later, with no effect by default
    changed = [
        name
        for name, value in settings.items()
        if (existing.get(name) or 0) != (value or 0)
    ]
    if changed:
        raise ValueError(
            f'{path.parent} has shards with other {", ".join(changed)} '
            f'({path.name}); choose another --seed or folder'
        )


def _write_settings(settings: dict, path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=1))


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: run(args))


if __name__ == '__main__':
    main()
