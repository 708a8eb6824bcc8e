"""Train the model of a config, with MMPose's arguments.

Example::

    python tools/train.py configs/body_3d_keypoint/nanohtnet/CONFIG.py --amp
"""

import argparse
import sys

from mmengine.config import Config

from mmhot.cli.errors import OneLineParser, run_safely
from mmhot.cli.process import keep_freed_memory
from mmhot.cli.runner import (
    add_runner_arguments,
    build_runner,
    load_config,
    merge_options,
    setting,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description='Train the model of a config')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or from the latest one in the work '
        'directory, if there is one',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train in automatic mixed precision, without a GPU in bfloat16',
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
    return parser.parse_args()


def train(args: argparse.Namespace) -> None:
    """Train as the arguments say."""
    keep_freed_memory()
    config = load_config(args)
    if args.no_validate:
        config.val_cfg = config.val_dataloader = config.val_evaluator = None
    if args.amp:
        use_mixed_precision(setting(config, 'optim_wrapper', '--amp'))
    if args.auto_scale_lr:
        setting(config, 'auto_scale_lr', '--auto-scale-lr').enable = True
    merge_options(config, args.cfg_options)
    if args.resume is not None:
        go_on(config, args.resume)
    build_runner(config).train()


def go_on(config: Config, checkpoint: str) -> None:
    """Have a config go on from a checkpoint, or from the latest if it is 'auto'.

    Without any in the work directory training begins, from ``load_from`` if the config
    has it: the same command starts what it goes on with after an interruption.
    """
    from mmengine.runner import find_latest_checkpoint

    if checkpoint == 'auto':
        checkpoint = find_latest_checkpoint(config.work_dir)
    if checkpoint is not None:
        # MMEngine would take load_from for what to go on from
        config.resume, config.load_from = True, checkpoint


def use_mixed_precision(optim_wrapper: dict) -> None:
    """Make a config's optimizer wrapper the one for mixed precision."""
    kind = optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp: does not go with the optimizer wrapper {kind}')
    from mmengine.device import get_device

    if get_device() == 'cpu':
        optim_wrapper['type'] = 'mmpose.BFloat16OptimWrapper'
        return
    optim_wrapper['type'] = 'AmpOptimWrapper'
    optim_wrapper.setdefault('loss_scale', 'dynamic')


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('train.py', lambda: train(args))


if __name__ == '__main__':
    sys.exit(main())
