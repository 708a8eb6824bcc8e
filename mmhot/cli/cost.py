"""Count a model's parameters and multiply-adds by layer, and time it.

Example:
  mmhot cost nanohtnet --depth 3

Multiply-adds are those of one input, including the products of attention and graphs.
The time is that of the plain network with random weights, as in training.
"""

import argparse
from collections.abc import Iterator

from mmhot.cli.report import add_report_arguments, align, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'config',
        help='config file, PACKAGE::CONFIG or name in `mmhot list`',
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        metavar='N',
        help='shape of one input, such as 3 256 192 (default: from the config)',
    )
    parser.add_argument(
        '--depth',
        type=int,
        default=2,
        metavar='N',
        help='levels of modules in the table; 0 for the total (default: 2)',
    )
    parser.add_argument(
        '--batch',
        type=int,
        default=1,
        metavar='N',
        help='inputs per timed batch (default: 1)',
    )
    parser.add_argument('--no-time', action='store_true', help='do not measure time')
    add_report_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Print the table or the JSON."""
    for name, least in (('depth', 0), ('batch', 1)):
        if getattr(args, name) < least:
            raise ValueError(
                f'{name} must be at least {least}, got {getattr(args, name)}'
            )
    if args.shape and min(args.shape) < 1:
        raise ValueError(f'shape must be positive, got {args.shape}')
    content = _measure(args)
    report(args, content, lambda: _tables(content))


def _measure(args: argparse.Namespace) -> dict:
    from mmhot import compat
    from mmhot.installation import choose_device
    from mmhot.weights.config_files import find_config, read_config_file
    from mmhot.weights.index import read_models

    device = choose_device(args.device)
    known = [model for model in read_models() if model.is_called(args.config)]
    path = known[0].config if known else find_config(args.config)
    compat.apply()
    config = read_config_file(path)
    if 'model' not in config:
        raise ValueError(f'{path}: this config has no model')

    import torch

    import mmhot.plugin  # noqa: F401 registers, also for configs of MMPose
    from mmhot.evaluation.cost import (
        Cost,
        count_layers,
        group_layers,
        input_shape,
        run_network,
        time_pass,
    )
    from mmhot.weights.loading import build_model

    torch.manual_seed(0)
    model = build_model(config.model, path, config.get('default_scope', 'mmpose'))
    model = model.to(device).eval()
    shape = args.shape or input_shape(config, model)
    if shape is None:
        raise ValueError(f'{path} does not define the shape of an input: add `shape`')
    inputs = torch.randn(args.batch, *shape, device=device)
    try:
        layers = count_layers(model, inputs[:1], None, mode='tensor')
    except (IndexError, RuntimeError, ValueError) as error:
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'{path}: no pass with shape {list(shape)}: {reason}'
        ) from error
    total = sum(layers.values(), Cost(0, 0, 0))
    content = {
        'config': str(path),
        'input': list(shape),
        'total': _as_json(total),
        'layers': {
            name: _as_json(cost)
            for name, cost in group_layers(layers, args.depth).items()
        },
    }
    if not args.no_time:
        with torch.inference_mode():
            seconds = time_pass(lambda: run_network(model, inputs))
        threads = torch.get_num_threads()
        content['time'] = dict(
            seconds=seconds, batch=args.batch, device=device, threads=threads
        )
    return content


def _as_json(cost) -> dict:
    return {
        'parameters': cost.parameters,
        'macs': cost.macs,
        'product_macs': cost.product_macs,
    }


def _tables(content: dict) -> Iterator[str]:
    total = content['total']
    rows = [('layer', 'parameters', 'multiply-adds', 'share', 'products')]
    for name, cost in [*content['layers'].items(), ('total', total)]:
        share = cost['macs'] / total['macs'] if total['macs'] else 0
        rows.append(
            (
                name or '(model)',
                f'{cost["parameters"]:,}',
                f'{cost["macs"]:,}',
                f'{share:.1%}',
                f'{cost["product_macs"]:,}',
            )
        )
    yield f'{content["config"]}, input {tuple(content["input"])}'
    yield align(rows)
    if 'time' in content:
        time = content['time']
        where = time['device']
        if where == 'cpu':
            where += f', {time["threads"]} threads'
        yield f'{1000 * time["seconds"]:.2f} ms a batch of {time["batch"]} ({where})'
