"""Train lifters without one of their parts, or pruned in one step or in several.

All variants of a model have the same data, steps and seeds. Each run is added to the
.json at once, and a repeated command continues. Examples::

    python -m tools.lab.study_parts run docs/images/parts.json work \
        --data data/cmu_mocap
    python -m tools.lab.study_parts table docs/images/parts.json
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from mmhot import compat
from mmhot.cli.errors import run_safely
from tools.lab.short_training import (
    UNSEEN,
    StudyFile,
    print_tables,
    read_config,
    shorten,
    study_parser,
    train,
    use_subjects,
)

_TESTED = UNSEEN[:1]
_PARTS = 10


def _skip(*parts: str) -> Callable[[nn.Module], None]:
    """Replace levels of HTNet's blocks by the identity."""

    def edit(backbone: nn.Module) -> None:
        for block in getattr(backbone, 'spatial_blocks', None) or backbone.blocks:
            for part in parts:
                setattr(block, part, nn.Identity())

    return edit


def _silence(branch: str) -> Callable[[nn.Module], None]:
    """Replace the output of one of NanoHTNet's branches by zeros."""

    def edit(backbone: nn.Module) -> None:
        proj = getattr(backbone, f'{branch}_proj')
        for parameter in proj.parameters():
            nn.init.zeros_(parameter).requires_grad_(False)

    return edit


def _use_center_frames(backbone: nn.Module) -> None:
    """Replace NanoHTNet's low frequencies by as many frames around the center."""
    keep, num_frames = backbone.dct.shape
    first = (num_frames - keep) // 2
    # rows of the norm that those of the DCT have
    eye = torch.eye(num_frames, device=backbone.dct.device) * (2 * num_frames) ** 0.5
    backbone.dct = eye[first : first + keep]


class Variant(NamedTuple):
    """A change of a model: settings of the backbone, and an edit after building it.

    With ``warms_up`` nothing is pruned in the first 3 of 10 parts of the training, and
    the configured number of frames is kept from the 6th on.
    """

    backbone: dict
    edit: Callable[[nn.Module], None] | None = None
    warms_up: bool = False


class Study(NamedTuple):
    """Variants of a model, the first of which is the reference."""

    config: str
    batch_size: int
    variants: dict[str, Variant]
    start: str | None = None
    num_frames: int | None = None
    model: dict = {}  # settings of a smaller one, which few steps can train
    rate: float | None = None  # for few steps, instead of the config's


def _pruned(
    kind: str, *steps: tuple[int, int], warms_up: bool = False, **recoverer: object
) -> Variant:
    """Keep a number of frames before each of some layers, and recover the others."""
    pruner = [dict(type=kind, num_keep=keep, depth=depth) for depth, keep in steps]
    return Variant(dict(pruner=pruner, recoverer=recoverer), warms_up=warms_up)


_TRA = dict(type='AttentionRecoverer', sine_start=True)
_TIMED = dict(type='TimedAttentionRecoverer')
_TRI = dict(type='InterpolationRecoverer')
_HOST = 'motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py'
_TRAINED = 'mmhot://tps-tri-motionbert-xs_81frm-keep27_cmu-wild'


STUDIES = {
    'htnet': Study(
        'htnet/cmu_mocap/htnet_1frm_1xb512-15e_cmu.py',
        32,
        {
            'HTNet': Variant({}),
            'without intra-part constraint (IPC)': Variant({}, _skip('part')),
            'without joint level (LJC)': Variant({}, _skip('joint')),
            'without body level (GBI)': Variant({}, _skip('body')),
            'body level only': Variant({}, _skip('joint', 'part')),
        },
        model=dict(
            backbone=dict(embed_dims=96, mlp_dims=384, graph_dims=144),
            head=dict(in_channels=96),
        ),
        rate=2e-3,
    ),
    'nanohtnet': Study(
        'nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-10e_cmu-wild.py',
        32,
        {
            'NanoHTNet': Variant({}),
            'without the branch of frequencies': Variant({}, _silence('temporal')),
            'without the branch of joints': Variant({}, _silence('spatial')),
            'center frames instead of low frequencies': Variant({}, _use_center_frames),
            'without intra-part constraint (IPC)': Variant({}, _skip('part')),
        },
        model=dict(backbone=dict(embed_dims=96, mlp_dims=128, graph_dims=144)),
    ),
    # pruned ones have as many frames in all layers together, 63
    'pyramid': Study(
        _HOST,
        8,
        {
            **{
                f'{name}, {kind[:-6].lower()}': _pruned(kind, *steps, **_TRI)
                for kind in ('UniformPruner', 'ClusterPruner')
                for name, steps in {
                    'HoT: 9 of 27 before layer 2 of 5': [(1, 9)],
                    'H2OT: 15, then 7 before layer 3': [(1, 15), (2, 7)],
                    'H2OT: 13, 9, 7 before layers 2, 3, 4': [(1, 13), (2, 9), (3, 7)],
                }.items()
            },
            'MotionBERT, all frames': Variant({}),
        },
        num_frames=27,
        model=dict(backbone=dict(embed_dims=32), head=dict(in_channels=32)),
    ),
    'scratch': Study(
        _HOST,
        8,
        {
            'MotionBERT, all frames': Variant({}),
            'HoT: TPC + TRA, 9 of 27': _pruned('ClusterPruner', (1, 9), **_TRA),
            'TPC + TRA with times': _pruned('ClusterPruner', (1, 9), **_TIMED),
            'TPC + TRA with times, warmed up': _pruned(
                'ClusterPruner', (1, 9), warms_up=True, **_TIMED
            ),
            'TPC + TRA, warmed up': _pruned(
                'ClusterPruner', (1, 9), warms_up=True, **_TRA
            ),
            'TPS + TRA with times': _pruned('UniformPruner', (1, 9), **_TIMED),
        },
        num_frames=27,
    ),
    'trained': Study(
        _HOST,
        8,
        {
            'MotionBERT, all frames': Variant({}),
            'TPS + TRI': _pruned('UniformPruner', (1, 27), **_TRI),
            'TPC + TRI': _pruned('ClusterPruner', (1, 27), **_TRI),
            'TPC + TRA': _pruned('ClusterPruner', (1, 27), **_TRA),
            'TPC + TRA with times': _pruned('ClusterPruner', (1, 27), **_TIMED),
            'TPS + TRA with times': _pruned('UniformPruner', (1, 27), **_TIMED),
            # as many frames in all layers together as with 27
            'TPS + TRI, 45, then 21 before layer 3': _pruned(
                'UniformPruner', (1, 45), (2, 21), **_TRI
            ),
            'TPS + TRI, 41, 27, 20 before layers 2, 3, 4': _pruned(
                'UniformPruner', (1, 41), (2, 27), (3, 20), **_TRI
            ),
        },
        start=_TRAINED,
    ),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser, run = study_parser(__doc__.splitlines()[0])
    run.add_argument('folder', type=Path, help='for checkpoints and logs')
    run.add_argument('--data', type=Path, required=True, help='folder of the clips')
    run.add_argument('--studies', nargs='+', choices=STUDIES, default=list(STUDIES))
    run.add_argument('--seeds', type=int, nargs='+', default=[0, 1])
    run.add_argument('--steps', type=int, default=1000, help='0: only measure')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Train and measure what the file lacks."""
    if args.steps < 0:
        raise ValueError(f'--steps must be at least 0, got {args.steps}')
    compat.apply()
    file = StudyFile(args.results)
    for name in args.studies:
        for seed in args.seeds:
            for variant in STUDIES[name].variants:
                key = dict(study=name, variant=variant, seed=seed, steps=args.steps)
                if not file.has(key):
                    file.add(key | measure(args, **key))


def measure(
    args: argparse.Namespace, study: str, variant: str, seed: int, steps: int
) -> dict:
    """Train one variant on other subjects; return its errors by group of joints."""
    chosen = STUDIES[study]
    place = list(chosen.variants).index(variant)
    changes, edit, warms_up = chosen.variants[variant]
    folder = args.folder / f'{study}_{place}_{seed}_{steps}'
    config = read_config(chosen.config, folder, seed, changes)
    config.merge_from_dict(dict(model=chosen.model))
    frames = chosen.num_frames or config.train_dataloader.dataset.seq_len
    if chosen.num_frames:
        config.model.backbone.num_frames = frames
    use_subjects(config.train_dataloader.dataset, args.data, frames, skipped=UNSEEN)
    shorten(config, steps, chosen.batch_size, _PARTS)
    if chosen.rate:
        config.optim_wrapper.optimizer.lr = chosen.rate
    config.load_from = chosen.start
    # every 25th frame, or every fourth window
    test = config.test_dataloader.dataset
    is_center = config.model.test_cfg.get('target') == 'center'
    test.update(stride=25 if is_center else 4 * frames)
    use_subjects(test, args.data, frames, _TESTED)
    return train(config, 'test', edit, table='groups')


def print_table(args: argparse.Namespace) -> None:
    """Print a table for each study and kind of 2D."""
    print_tables(args.results, 'study', 'MPJPE in mm, change in %', summarize, left=1)


def summarize(runs: Sequence[dict], source: str) -> list[tuple[str, ...]]:
    """Average the runs of the same variant over seeds.

    Args:
        runs (Sequence[dict]): Of one study, with their ``errors``.
        source (str): Kind of 2D.

    Returns:
        list[tuple[str, ...]]: A head, and a line for each variant: MPJPE of each group
        of joints, and its change to the first variant with the same seeds.
    """
    found = {}
    for run in runs:
        key = run['variant'], run['steps']
        row = {name: own['MPJPE'] for name, own in run['errors'][source].items()}
        found.setdefault(key, {})[run['seed']] = row
    groups = list(next(iter(row for seeds in found.values() for row in seeds.values())))
    lines = [('variant', 'steps', 'seeds', *groups)]
    first = next(iter(found))[0]
    for (variant, steps), seeds in found.items():
        base = found.get((first, steps), {})
        shared = [seed for seed in seeds if seed in base]
        cells = []
        for group in groups:
            mean = np.mean([row[group] for row in seeds.values()])
            cell = f'{mean:.1f}'
            if shared and variant != first:
                own = np.mean([seeds[seed][group] for seed in shared])
                reference = np.mean([base[seed][group] for seed in shared])
                cell += f' ({100 * (own / reference - 1):+.1f} %)'
            cells.append(cell)
        lines.append((variant, str(steps), str(len(seeds)), *cells))
    return lines


def main() -> int:
    """Run the tool."""
    args = parse_args()
    command = dict(run=run, table=print_table)[args.command]
    return run_safely('study_parts.py', lambda: command(args))


if __name__ == '__main__':
    sys.exit(main())
