"""Render people and train GTPT-T on them, resuming after interruptions.

The folder gets rendered shards, logs, and a checkpoint after every part of an epoch.
Existing shards are not rendered again, and training resumes from the latest checkpoint:
repeat the command after an interruption or the end of ``--minutes``. Shards of other
machines can be given instead; one of ``--people 2000`` has about 15 MB. Examples, on
one core, and on a GPU in runs of ten minutes::

    python -m projects.rendered_people.train_2d work \
        --motions cmu_h36m17.npz cmu_h36m17_more.npz \
        --panoramas pmndrs-assets-1.7.0.tgz --render 8 \
        --start mmhot://gtpt-t_coco17_synth
    python -m projects.rendered_people.train_2d work --shards a.npz b.npz \
        --batch-size 512 --workers 14 --part 65536 --epochs 40 --rate 2e-3 --minutes 9
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from projects.rendered_people.commands import run_command

_ROOT = Path(__file__).parents[2]
_CONFIG = 'projects/rendered_people/configs/gtpt-t_1xb32-parts_rendered-wide-256x192.py'
# Shares of rendered crops, see the README.
_MIX = {'acrobatic': 0.35, 'lying': 0.15, 'tables': 0.28, 'close': 0.2, 'steep': 0.12}
_MIX |= {'behind': 0.2, 'groups': 0.2}
# The learning rate decays after this share of the epochs.
_DECAY_START = 0.4


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of shards and checkpoints')
    parser.add_argument(
        '--shards', type=Path, nargs='+', default=[], help='more shards to train with'
    )
    parser.add_argument(
        '--photos',
        type=Path,
        nargs='+',
        default=[],
        help='shards of annotated photos, half of the people in training',
    )
    parser.add_argument(
        '--render',
        type=int,
        default=0,
        metavar='N',
        help='number of shards to render (default: 0)',
    )
    parser.add_argument(
        '--people', type=int, default=2000, help='people per shard (default: 2000)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of rendering and training (default: 0)'
    )
    parser.add_argument('--motions', type=Path, nargs='+', help='see render')
    parser.add_argument('--panoramas', type=Path, help='see render')
    parser.add_argument('--start', metavar='WEIGHTS', help='initial weights')
    parser.add_argument(
        '--name', default='train', help='of the work directory (default: train)'
    )
    parser.add_argument(
        '--epochs', type=int, default=24, help='parts to train with (default: 24)'
    )
    parser.add_argument(
        '--part', type=int, default=2048, help='people per part (default: 2048)'
    )
    parser.add_argument('--batch-size', type=int, default=32, help='(default: 32)')
    parser.add_argument('--workers', type=int, default=0, help='(default: 0)')
    parser.add_argument(
        '--rate', type=float, default=5e-4, help='learning rate (default: 5e-4)'
    )
    parser.add_argument('--minutes', type=float, help='stop after this many minutes')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Render missing shards, then train."""
    for name in ('people', 'epochs', 'part', 'batch_size'):
        if getattr(args, name) < 1:
            option = name.replace('_', '-')
            raise ValueError(
                f'--{option} must be at least 1, got {getattr(args, name)}'
            )
    if args.render and not args.motions:
        raise ValueError('--render needs --motions')
    if not args.render and not args.shards:
        raise ValueError('nothing to train with: give --shards or --render')
    for path in (*args.shards, *args.photos):
        if not path.is_file():
            raise FileNotFoundError(f'{path} does not exist')
    end = time.monotonic() + 60 * (args.minutes or float('inf'))
    people = args.folder / 'people'
    if args.render:
        _call(_render_command(args, people), end)
    rendered = sorted(people.glob(f'people_seed{args.seed}_*.npz'))
    shards = [*args.shards, *args.photos, *rendered]
    _call(_train_command(args, shards), end)
    print(f'checkpoints are in {args.folder / args.name}')


def _render_command(args: argparse.Namespace, target: Path) -> list:
    command = ['-m', 'projects.rendered_people.render', target.resolve(), '--motions']
    command += [path.resolve() for path in args.motions]
    if args.panoramas:
        command += ['--panoramas', args.panoramas.resolve()]
    for name, share in _MIX.items():
        command += [f'--{name}', share]
    command += ['--people', args.people, '--shards', args.render, '--seed', args.seed]
    return [*command, '--workers', max(args.workers, 1)]


def _train_command(args: argparse.Namespace, shards: list[Path]) -> list:
    files, photos = (
        ','.join(str(path.resolve()) for path in each) for each in (shards, args.photos)
    )
    options = {
        'train_dataloader.dataset.data_root': '',
        'train_dataloader.dataset.ann_file': f'[{files}]',
        'train_dataloader.dataset.photos': f'[{photos}]',
        'train_dataloader.sampler.num_samples': args.part,
        'train_dataloader.batch_size': args.batch_size,
        'train_dataloader.num_workers': args.workers,
        'train_dataloader.persistent_workers': args.workers > 0,
        'train_cfg.max_epochs': args.epochs,
        'param_scheduler.1.begin': round(_DECAY_START * args.epochs),
        'param_scheduler.1.end': args.epochs,
        'optim_wrapper.type': 'mmpose.BFloat16OptimWrapper',
        'optim_wrapper.optimizer.lr': args.rate,
        'randomness.seed': args.seed,
    }
    if args.start:
        start = Path(args.start)
        options['load_from'] = start.resolve() if start.exists() else args.start
    command = ['-m', 'tools.train', _CONFIG, '--no-validate', '--resume']
    command += ['--work-dir', (args.folder / args.name).resolve(), '--cfg-options']
    return [*command, *(f'{name}={value}' for name, value in options.items())]


def _call(command: list, end: float) -> None:
    """Run a tool from the repository root until it ends or the time is over."""
    left = end - time.monotonic()
    full = [sys.executable, *map(str, command)]
    try:
        timeout = None if left == float('inf') else max(left, 0)
        done = subprocess.run(full, cwd=_ROOT, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        print('time is over: repeat the command to resume')
        sys.exit(0)
    if done.returncode:
        name = next(part for part in command if part != '-m')
        raise ValueError(f'{name} failed, see above')


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: run(args))


if __name__ == '__main__':
    main()
