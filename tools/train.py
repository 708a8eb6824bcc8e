"""Train the model of a config, with MMPose's arguments.

Example::

    python tools/train.py configs/body_3d_keypoint/nanohtnet/CONFIG.py --amp
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmpose.registry import OPTIMIZERS

from mmhot.cli.errors import run_tool
from mmhot.weights.config_files import read_config_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools.runner import (
    add_checks,
    add_runner_arguments,
    apply_arguments,
    build_runner,
    check_checkpoint,
    describe_options,
    find_setting,
    keep_freed_memory,
    merge_options,
    naming_config,
    pin_batches,
    setting,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint, or from the latest one in the work '
        'directory, if there is one',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train with automatic mixed precision (bfloat16 on CPUs)',
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not validate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the actual batch size over the config's",
    )
    add_runner_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Train the model."""
    keep_freed_memory()
    config = configure(args)
    if args.resume is not None:
        resume(config, args.resume)
    config.load_from = check_checkpoint(config.get('load_from'))
    pin_batches(config)
    runner = build_runner(config)
    add_checks(runner)
    with naming_config(config):
        kind = find_setting(config, 'optim_wrapper.optimizer.type')
        if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
            # The error of MMEngine does not name it.
            raise KeyError(f'{kind} is not in the optimizer registry')
        runner.train()


def configure(args: argparse.Namespace) -> Config:
    """Read the config, and apply the arguments that change it."""
    config = read_config_file(args.config, import_modules=False)
    apply_arguments(config, args, describe_options(args.cfg_options))
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if args.amp:
        use_mixed_precision(setting(config, 'optim_wrapper', '--amp'))
    if args.auto_scale_lr:
        setting(config, 'auto_scale_lr', '--auto-scale-lr').enable = True
    merge_options(config, args.cfg_options)
    return config


def resume(config: Config, checkpoint: str) -> None:
    """Resume from a checkpoint, or from the newest one if it is 'auto'.

    If the work directory has no checkpoint, training starts from the config's
    ``load_from``: one command both starts a training and continues it after an
    interruption.
    """
    if checkpoint != 'auto':
        # MMEngine resumes from load_from.
        config.resume = True
        config.load_from = checkpoint
    elif any(Path(config.work_dir).glob('*.pth')):
        config.resume = True
        config.load_from = None


def use_mixed_precision(optim_wrapper: dict) -> None:
    """Set a config's optimizer wrapper to mixed precision."""
    kind = optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f'--amp: got the optimizer wrapper {kind}, wanted OptimWrapper; '
            'leave out --amp'
        )
    if get_device() == 'cpu':
        optim_wrapper['type'] = 'mmpose.BFloat16OptimWrapper'
        return
    optim_wrapper['type'] = 'AmpOptimWrapper'
    optim_wrapper.setdefault('loss_scale', 'dynamic')


if __name__ == '__main__':
    run_tool(add_arguments, main)
