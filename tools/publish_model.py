"""Reduce a training checkpoint to weights and the settings that inference needs.

The file has the evaluated weights (the moving average, if there is one), optionally in
half precision, and the parts of the config that ``mmhot lift --pose3d-weights`` reads.
Weights that do not fit these settings are refused. A file of safetensors with the same
content is written beside it. Examples::

    python tools/publish_model.py work_dirs/NAME/epoch_30.pth NAME.pth --half
    python tools/publish_model.py work_dirs/A/epoch_2.pth mean.pth \
        --mean-with work_dirs/B/epoch_2.pth --share 0.7
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config

import mmhot.plugin  # noqa: F401 registers what configs name
from mmhot import __version__
from mmhot.cli.errors import output_file, print_line, run_tool
from mmhot.io.atomic import replacing
from mmhot.io.pickles import SAFETENSORS, safe_load, save_checkpoint
from mmhot.weights.checkpoint_configs import config_within
from mmhot.weights.config_files import parse_config_text, read_config_file
from mmhot.weights.loading import build_model, list_differences, load_strictly

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools.runner import setting

# Settings that are stored. Others are of the training.
SETTINGS = ('default_scope', 'custom_imports', 'codec', 'model', 'lifting')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('source', type=Path, help='checkpoint of a training')
    parser.add_argument('target', type=output_file, help='.pth file to write')
    parser.add_argument(
        '--config',
        metavar='CONFIG',
        help="store this config's settings instead of the training's, for example with "
        'a score_curve fitted to these weights',
    )
    parser.add_argument(
        '--mean-with',
        type=Path,
        nargs='+',
        default=[],
        metavar='CHECKPOINT',
        help='average the weights with those of other checkpoints',
    )
    parser.add_argument(
        '--share',
        type=float,
        help="the first checkpoint's share of the average (default: that of all)",
    )
    parser.add_argument('--half', action='store_true', help='store half precision')


def main(args: argparse.Namespace) -> None:
    """Write the reduced checkpoint, and print its size."""
    checkpoint = safe_load(args.source)
    try:
        state = checkpoint['state_dict']
        meta = checkpoint['meta']
        published_meta = {key: meta[key] for key in ('dataset_meta', 'epoch', 'iter')}
        trained = parse_config_text(meta['cfg'])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'{args.source} is not a checkpoint of an MMEngine training: '
            f'it lacks {error}'
        ) from error
    # The training's config may name types that only its project registers.
    if args.config:
        config = read_config_file(args.config)
    else:
        config = Config({**trained, **config_within(args.source, checkpoint)})
    if args.mean_with:
        state = average(state, args)
    if args.half:
        state = {
            key: value.half() if value.is_floating_point() else value
            for key, value in state.items()
        }
    settings = {key: config[key] for key in SETTINGS if key in config}
    built = build_model(
        setting(config, 'model', '--config'),
        args.config or args.source,
        settings.get('default_scope', 'mmpose'),
    )
    load_strictly(built, args.source, state)
    published_meta.update(cfg=Config(settings).pretty_text, mmhot_version=__version__)
    for target in dict.fromkeys((args.target, args.target.with_suffix(SAFETENSORS))):
        with replacing(target) as temporary:
            save_checkpoint(dict(meta=published_meta, state_dict=state), temporary)
        size = target.stat().st_size / 1e6
        print_line(f'{target}: {len(state)} tensors, {size:.2f} MB')


def average(state: dict, args: argparse.Namespace) -> dict:
    """Average the weights with ``--mean-with``; keep integer counters."""
    count = len(args.mean_with)
    share = 1 / (count + 1) if args.share is None else args.share
    if not 0 <= share <= 1:
        raise ValueError(f'--share must be from 0 to 1, got {share:g}')
    mean = {
        key: share * value.float() if value.is_floating_point() else value
        for key, value in state.items()
    }
    for path in args.mean_with:
        content = safe_load(path)
        other = content.get('state_dict', content)
        if wrong := list_differences(state, other):
            raise ValueError(f'{path} has other weights than {args.source}: {wrong[0]}')
        for key, value in mean.items():
            if value.is_floating_point():
                mean[key] = value + (1 - share) / count * other[key].float()
    return {key: value.to(state[key].dtype) for key, value in mean.items()}


if __name__ == '__main__':
    run_tool(add_arguments, main)
