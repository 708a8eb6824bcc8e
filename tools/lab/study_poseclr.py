"""Measure what PoseCLR's pre-training gains with labels of one, three or all subjects.

Pre-trains a lifter on the 2D of all training subjects, fine-tunes it and random weights
with the 3D labels of some of them, and measures subjects that neither has seen. Each
run is added to the .json at once; a repeated command continues, within a pre-training
too. With the defaults NanoHTNet takes 40 minutes of one core. Examples::

    python -m tools.lab.study_poseclr run docs/images/poseclr.json work \
        --data data/cmu_mocap --model nanohtnet --labels one three
    python -m tools.lab.study_poseclr table docs/images/poseclr.json
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmhot import compat
from mmhot.cli.errors import print_line, run_safely
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

# Pre-training and fine-tuning, and settings of the backbone.
_MODELS = {
    'nanohtnet': (
        'poseclr/cmu_mocap/poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild.py',
        'nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-10e_cmu-wild.py',
        dict(),
    ),
    'motionbert': (
        'poseclr/cmu_mocap/poseclr_motionbert-xs-81frm_1xb64-30e_cmu-wild.py',
        'motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild.py',
        dict(num_frames=27, depth=2),
    ),
}
_BATCH_SIZE = dict(nanohtnet=32, motionbert=16)
# Short trainings would hardly move keys at 0.999, nor replace 20,480 of them.
_MOMENTUM = 0.98
_QUEUE_SIZE = 4096
# A pre-training has a checkpoint after each part.
_PARTS = 10
# By seed, so that the spread includes the choice of the subjects.
_LABELED = {
    'one': (['S14'], ['S29'], ['S01']),
    'three': (
        ['S14', 'S16', 'S49'],
        ['S29', 'S05', 'S06'],
        ['S01', 'S60', 'S17'],
    ),
    'all': (None, None, None),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser, run = study_parser(__doc__.splitlines()[0])
    run.add_argument('folder', type=Path, help='for checkpoints and logs')
    run.add_argument('--data', type=Path, required=True, help='folder of the clips')
    run.add_argument('--model', choices=_MODELS, default='nanohtnet')
    run.add_argument('--labels', nargs='+', choices=_LABELED, default=list(_LABELED))
    run.add_argument('--seeds', type=int, nargs='+', choices=range(3), default=range(3))
    run.add_argument('--pretrain-steps', type=int, default=2000)
    run.add_argument('--pretrain-batch', type=int, default=64)
    run.add_argument('--views', type=int, default=2)
    run.add_argument('--temperature', type=float, default=0.1)
    run.add_argument('--steps', type=int, default=600, help='of fine-tuning')
    run.add_argument(
        '--rate', type=float, help="of fine-tuning (default: the config's)"
    )
    run.add_argument(
        '--starts',
        nargs='+',
        choices=['random', 'poseclr'],
        default=['random', 'poseclr'],
        help='initial weights of fine-tuning',
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Pre-train, then fine-tune and measure what the file lacks."""
    compat.apply()
    file = StudyFile(args.results)
    start = None
    if 'poseclr' in args.starts:
        start = pretrain(args, file)
    for seed in args.seeds:
        for labels in args.labels:
            for kind in args.starts:
                key = dict(model=args.model, labels=labels, start=kind, seed=seed)
                key['steps'] = args.steps
                if args.rate:
                    key['rate'] = args.rate
                if kind == 'poseclr':
                    key['pretraining'] = start.parent.name
                if any(_setting(run) == key for run in file.runs):
                    continue
                errors = finetune(args, key, start if kind == 'poseclr' else None)
                file.add(key | errors)


def _setting(run: dict) -> dict:
    return {name: run[name] for name in run if name not in ('errors', 'seconds')}


def pretrain(args: argparse.Namespace, file: StudyFile) -> Path:
    """Pre-train on the 2D of all training subjects; return the checkpoint."""
    from mmengine.runner import find_latest_checkpoint

    name = (
        f'{args.model}_{args.pretrain_steps}x{args.pretrain_batch}'
        f'_v{args.views}_t{args.temperature:g}'
    )
    folder = args.folder / name
    newest = find_latest_checkpoint(str(folder)) if folder.is_dir() else None
    if newest and name in file.document.get('pretraining', {}):
        return Path(newest)
    config = _read(args, 0, name, seed=0)
    config.model.update(
        temperature=args.temperature, queue_size=_QUEUE_SIZE, momentum=_MOMENTUM
    )
    config.train_dataloader.dataset.num_views = args.views
    frames = config.model.backbone.num_frames
    config.model.projector.num_frames = min(config.model.projector.num_frames, frames)
    train_set, test_set = config.train_dataloader.dataset, config.val_dataloader.dataset
    use_subjects(train_set.dataset, args.data, frames, skipped=UNSEEN)
    use_subjects(test_set.dataset, args.data, frames, ['S02'])
    shorten(config, args.pretrain_steps, args.pretrain_batch, _PARTS)
    config.resume = True
    metrics = train(config, 'val')
    file.document.setdefault('pretraining', {})[name] = metrics
    file.save()
    print_line(f'{name}: {json.dumps(metrics)}')
    return Path(find_latest_checkpoint(str(folder)))


def finetune(args: argparse.Namespace, key: dict, start: Path | None) -> dict:
    """Train with the labels of some subjects; return errors by 2D and subject."""
    name = '_'.join(str(value) for value in key.values())
    config = _read(args, 1, f'runs/{name}', key['seed'])
    frames = config.model.backbone.num_frames
    labeled = _LABELED[key['labels']][key['seed']]
    use_subjects(config.train_dataloader.dataset, args.data, frames, labeled, UNSEEN)
    shorten(config, key['steps'], _BATCH_SIZE[args.model])
    config.optim_wrapper.optimizer.lr = key.get(
        'rate', config.optim_wrapper.optimizer.lr
    )
    test = config.test_dataloader
    test.dataset.update(stride=100, num_targets=1, actions={})
    use_subjects(test.dataset, args.data, frames, UNSEEN)
    config.model.test_cfg.target = 'center'
    if start is not None:
        config.model.backbone.init_cfg = dict(
            type='Pretrained', checkpoint=str(start), prefix='backbone'
        )
    return train(config, 'test')


def _read(args: argparse.Namespace, stage: int, name: str, seed: int) -> Config:
    settings = _MODELS[args.model]
    return read_config(settings[stage], args.folder / name, seed, settings[2])


def print_table(args: argparse.Namespace) -> None:
    """Print a table for each model and kind of 2D."""
    print_tables(args.results, 'model', 'MPJPE / P-MPJPE in mm', summarize, left=5)


def summarize(runs: Sequence[dict], source: str) -> list[tuple[str, ...]]:
    """Average the runs of the same setting over seeds.

    Args:
        runs (Sequence[dict]): Of one model, with their ``errors``.
        source (str): Kind of 2D.

    Returns:
        list[tuple[str, ...]]: A head, and a line for each setting: mean and standard
        deviation of the errors of each subject and of their mean.
    """
    subjects = list(runs[0]['errors'][source])
    lines = [('labels', 'start', 'rate', 'steps', 'seeds', *subjects, 'mean')]
    settings = {}
    for run in runs:
        start, rate = run.get('pretraining', 'random'), run.get('rate', 'config')
        key = run['labels'], start, str(rate), str(run['steps'])
        settings.setdefault(key, []).append(run['errors'][source])
    for key, found in settings.items():
        errors = np.array([[list(own[s].values()) for s in subjects] for own in found])
        errors = np.concatenate([errors, errors.mean(1, keepdims=True)], 1)
        mean, spread = errors.mean(0), errors.std(0)
        cells = [
            ' / '.join(f'{m:.1f} +- {s:.1f}' for m, s in zip(*pair, strict=True))
            for pair in zip(mean, spread, strict=True)
        ]
        lines.append((*key, str(len(found)), *cells))
    return lines


def main() -> int:
    """Run the tool."""
    args = parse_args()
    command = dict(run=run, table=print_table)[args.command]
    return run_safely('study_poseclr.py', lambda: command(args))


if __name__ == '__main__':
    sys.exit(main())
