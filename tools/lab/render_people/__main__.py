"""Render people from free parts, with exact labels, into shards to train with.

Bodies are anny's, motions CMU's, places Poly Haven's; ``docs/data.md`` says where they
come from. Shards that exist are left as they are, so the same command goes on where it
was cut off.

Example::

    pip install 'mmhot[render]'
    npm pack @pmndrs/assets@1.7.0
    python -m tools.lab.render_people data/people \
        --motions data/cmu_mocap/cmu_h36m17.npz --panoramas pmndrs-assets-1.7.0.tgz --shards 8 --workers 2
"""

import argparse
import json
import os
import sys
from pathlib import Path

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.installation.imports import import_extra
from mmhot.io.arrays import load_json
from mmhot.io.atomic import replacing

_PACKAGES = ('anny', 'moderngl', 'trimesh')

_SHARES = {
    'acrobatic': 'so many people do gymnastics, upside down and rolled up among them',
    'tables': 'so many crops are of people behind tables, counters, wheels',
    'close': 'so many crops are cut between the shoulders and the thighs',
    'steep': 'so many crops are seen from near, from high above or the floor',
}


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
        help='.npz of clips (T, 17, 3) in meters, joints of Human3.6M, z up',
    )
    parser.add_argument(
        '--panoramas',
        type=Path,
        help="folder of panoramas, or npm's @pmndrs/assets (.tgz); without, colors",
    )
    parser.add_argument('--shards', type=int, default=1, help='(default: 1)')
    parser.add_argument(
        '--people', type=int, default=2500, help='in a shard (default: 2500)'
    )
    parser.add_argument(
        '--photographs',
        action='store_true',
        help='whole photographs with everybody who is in them, as COCO-style folders, '
        'instead of crops of a person; --people says how many in a folder',
    )
    parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
    parser.add_argument(
        '--bodies', type=int, default=320, help='shapes to draw from (default: 320)'
    )
    parser.add_argument(
        '--without-clips',
        nargs='+',
        default=[],
        metavar='START',
        help='leave out clips whose names begin like this, such as S02/',
    )
    parser.add_argument(
        '--only-clips',
        nargs='+',
        metavar='START',
        help='take only clips whose names begin like this',
    )
    parser.add_argument(
        '--without-panoramas',
        nargs='+',
        default=[],
        metavar='NAME',
        help='leave out these panoramas',
    )
    parser.add_argument(
        '--lying',
        type=float,
        default=0.0,
        metavar='SHARE',
        help='so many people lie on the floor, from 0 to 1 (default: 0)',
    )
    for name, what in _SHARES.items():
        parser.add_argument(
            f'--{name}',
            type=float,
            default=0.0,
            metavar='SHARE',
            help=f'{what}, from 0 to 1 (default: 0)',
        )
    parser.add_argument('--workers', type=int, default=1, help='processes (default: 1)')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Render the shards that are missing."""
    _check(args)
    for name in _PACKAGES:
        import_extra(name, 'rendering people', 'render')
    # not before it is sure that they can be imported
    from .renderer import open_gl
    from .scenes import Framings
    from .shards import Recipe, prepare, render_shards, shard_path

    recipe = Recipe(
        motions=tuple(map(str, args.motions)),
        panoramas=args.panoramas and str(args.panoramas),
        without_clips=tuple(args.without_clips),
        only_clips=args.only_clips and tuple(args.only_clips),
        without_panoramas=tuple(args.without_panoramas),
        people=args.people,
        bodies=args.bodies,
        seed=args.seed,
        photographs=args.photographs,
        lying=args.lying,
        acrobatic=args.acrobatic,
        framings=Framings(args.tables, args.close, args.steep),
    )
    # whatever may be wrong, before anything takes minutes
    recipe.read_clips()
    recipe.read_panoramas()
    open_gl().release()
    paths = [shard_path(recipe, args.target, n) for n in range(args.shards)]
    kept = args.target / f'{recipe.name}.json'
    if any(path.exists() for path in paths):
        _check_recipe(recipe.as_json(), kept)
    else:
        _keep_recipe(recipe.as_json(), kept)
    numbers = [n for n, path in enumerate(paths) if not path.exists()]
    if not numbers:
        print(f'all {args.shards} shards are in {args.target} already')
        return
    prepare(recipe, args.target)
    if args.workers > 1:
        # Mesa would otherwise use all cores for each
        os.environ.setdefault('LP_NUM_THREADS', '0')
    for path in render_shards(recipe, args.target, numbers, args.workers):
        what = 'photographs' if args.photographs else 'people'
        print(f'{path}: {args.people} {what}', flush=True)


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be."""
    for name in ('shards', 'people', 'bodies', 'workers'):
        if getattr(args, name) < 1:
            raise ValueError(f'--{name} must be at least 1, got {getattr(args, name)}')
    if args.seed < 0:
        raise ValueError(f'--seed must be at least 0, got {args.seed}')
    for name in ('lying', *_SHARES):
        if not 0 <= getattr(args, name) <= 1:
            raise ValueError(f'--{name} must be from 0 to 1, got {getattr(args, name)}')
    if args.tables + args.close + args.steep > 1:
        raise ValueError(
            '--tables, --close and --steep must not be more than 1 together, got '
            f'{args.tables + args.close + args.steep:g}'
        )


def _check_recipe(recipe: dict, path: Path) -> None:
    """Refuse to add others to shards."""
    before = load_json(path) if path.exists() else {}
    changed = [name for name in recipe if before.get(name) != recipe[name]]
    if changed:
        raise ValueError(
            f'{path.parent} has shards made with other {", ".join(changed)} '
            f'({path.name}); choose another --seed or folder'
        )


def _keep_recipe(recipe: dict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1))


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('render_people', lambda: run(args))


if __name__ == '__main__':
    sys.exit(main())
