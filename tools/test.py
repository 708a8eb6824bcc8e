r"""Evaluate a checkpoint with the metrics of a config, with MMPose's arguments.

Example::

    python tools/test.py configs/body_3d_keypoint/nanohtnet/CONFIG.py CHECKPOINT.pth \
        --table joints groups --out errors.json --worst worst.png

docs/training.md defines the metrics and has the options of each protocol.
tools/table.py compares several errors.json.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine import fileio
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmhot.chain.visualization.drawing import skeleton_style
from mmhot.cli.errors import output_file, print_text, run_tool
from mmhot.engine.cost import compare_cost
from mmhot.engine.hooks import model_of
from mmhot.errors import align
from mmhot.evaluation.error_report import TABLES, ErrorReport
from mmhot.evaluation.metrics import LiftingErrorMetric
from mmhot.evaluation.pose_errors import mpjpe
from mmhot.io.atomic import replacing
from mmhot.skeletons.joints import Skeleton
from mmhot.weights.config_files import read_config_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `tools`, in scripts, too

from tools.analysis.cost import compare_time
from tools.keypoint_table import KeypointErrorMetric, format_keypoints
from tools.motion_quality import MOTION_UNITS, report_motion
from tools.runner import (
    add_checks,
    add_runner_arguments,
    apply_arguments,
    build_runner,
    check_checkpoint,
    merge_options,
    naming_config,
    setting,
)
from tools.sweep import draw_rows, read_sweep, run_sweep

_SUFFIXES = dict(
    out=('.json', '.yaml', '.yml', '.pkl'), dump=('.pkl', '.pickle'), worst=('.png',)
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file, URL or mmhot://NAME')
    parser.add_argument(
        '--table',
        nargs='+',
        default=[],
        choices=TABLES,
        help='also print these errors; --out contains all of them',
    )
    parser.add_argument(
        '--out', type=output_file, help='file (.json, .yaml, .pkl) for the metrics'
    )
    parser.add_argument(
        '--worst', type=output_file, help='image (.png) of the six worst clips'
    )
    parser.add_argument(
        '--sweep',
        metavar='KEY=VALUES',
        help='test with each of these: keep=81,54,27 of hourglasses, or '
        'keep_rates=[1,0.7,0.3,0.1],[1,0.4,0.2,0.1] of GTPT; prints a table, and '
        '--out FILE.json also draws FILE.png',
    )
    parser.add_argument(
        '--dump', type=output_file, help='file (.pkl) for all predictions'
    )
    add_runner_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Evaluate the checkpoint."""
    for option, suffixes in _SUFFIXES.items():
        path = getattr(args, option)
        if path and path.suffix not in suffixes:
            raise ValueError(f'--{option}: got {path}, wanted a {suffixes[0]} file')
    swept = args.sweep and read_sweep(args.sweep)
    config = read_config_file(args.config, import_modules=False)
    apply_arguments(config, args)
    config.load_from = args.checkpoint
    merge_options(config, args.cfg_options)
    config.load_from = check_checkpoint(config.load_from)
    if args.dump:
        dump = dict(type='DumpResults', out_file_path=str(args.dump))
        add_metric(config, dump, '--dump')
    is_2d = 'Topdown' in str((config.get('model') or {}).get('type'))
    if is_2d and args.table == ['joints']:
        add_metric(config, dict(type='mmpose.KeypointErrorMetric'), '--table')
    for path in filter(None, (args.out, args.worst)):
        path.parent.mkdir(parents=True, exist_ok=True)
    runner = build_runner(config)
    add_checks(runner)
    metric = find_lifting_error(runner, args)
    with naming_config(config):
        if swept:
            results = dict(sweep=sweep(*swept, config, runner))
        else:
            results = dict(runner.test())
            compare = compare_time if args.out else compare_cost
            samples = runner.test_dataloader.dataset
            results['cost'] = compare(config, runner.model, samples)
    results['settings'] = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        flip_test=config.model.get('test_cfg', {}).get('flip_test', False),
        cfg_options=args.cfg_options or {},
    )
    report_results(results, metric, args)


def add_metric(config: Config, metric: dict, option: str) -> None:
    """Add a metric to the evaluator of the test; ``option`` is named in errors."""
    evaluator = setting(config, 'test_evaluator', option)
    metrics = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    config.test_evaluator = [*metrics, metric]


def sweep(name: str, values: list, config: Config, runner: Runner) -> list[dict]:
    """Test with each value of a setting, print the table and return its rows."""
    model = model_of(runner)
    is_gtpt = hasattr(getattr(model, 'head', None), 'keep_rates')
    samples = runner.test_dataloader.dataset
    prunes = 'kept' in (compare_cost(config, model, samples) or {})
    if not prunes or (name == 'keep_rates') != is_gtpt:
        raise ValueError(f'--sweep: this model has no {name} to set')

    def test_with(value) -> dict:
        model.test_cfg = {**(model.test_cfg or {}), name: value}
        metrics = dict(runner.test())
        return dict(compare_time(config, model, samples), metrics=metrics)

    return run_sweep(name, values, test_with)


def find_lifting_error(
    runner: Runner, args: argparse.Namespace
) -> LiftingErrorMetric | KeypointErrorMetric | None:
    """Return the evaluator's metric with tables; None if it has none."""
    metrics = runner.test_loop.evaluator.metrics
    kinds = (LiftingErrorMetric, KeypointErrorMetric)
    metrics = [metric for metric in metrics if isinstance(metric, kinds)]
    is_2d = bool(metrics) and isinstance(metrics[0], KeypointErrorMetric)
    for option in ('table', 'worst'):
        if getattr(args, option) and (not metrics or (is_2d and option == 'worst')):
            raise ValueError(
                f'--{option}: {args.config} has no LiftingErrorMetric in '
                'test_evaluator; 2D models have --table joints'
            )
    return metrics[0] if metrics else None


def report_results(
    results: dict,
    metric: LiftingErrorMetric | KeypointErrorMetric | None,
    args: argparse.Namespace,
) -> None:
    """Print the tables and write the files, in the main process only."""
    if not is_main_process():
        return
    is_3d = isinstance(metric, LiftingErrorMetric)
    if isinstance(metric, KeypointErrorMetric):
        print_text(format_keypoints(metric.rows))
        results['joints'] = metric.rows
    elif metric is not None and not args.sweep:
        print_text(format_errors(metric.report, args.table))
        results['errors'] = as_dict(metric.report)
    if args.worst:
        draw_worst(metric.report, args.worst)
    if args.out:
        options = dict(indent=2) if args.out.suffix == '.json' else {}
        with replacing(args.out) as temporary:
            fileio.dump(results, temporary, **options)
        if args.sweep:
            units = {x.name: x.unit for x in metric.report.measures} if is_3d else {}
            first = next(iter(results['sweep'][0]['metrics'])).rpartition('/')[2]
            curve = args.out.with_suffix('.png')
            draw_rows(results['sweep'], curve, units.get(first, ''))


def as_dict(report: ErrorReport) -> dict:
    """Return a report as plain numbers, for tools/table.py."""
    return dict(
        units={measure.name: measure.unit for measure in report.measures},
        motion_units=dict(MOTION_UNITS),
        higher_is_better=[m.name for m in report.measures if m.thresholds],
        datasets={
            name: dict(
                frames=report.num_frames(name),
                kept=report.kept(name),
                average=report.actions(name) or 'frames',
                overall=report.overall(name),
                motion=report_motion(report, name),
                **{kind: report.table(name, kind) for kind in TABLES},
            )
            for name in report.datasets
        },
    )


def draw_worst(report: ErrorReport, target: Path, count: int = 6) -> None:
    """Draw the clips of largest MPJPE, one per row: errors over time, worst pose.

    Ground truth is gray; axes are the camera's.
    """
    skeleton = report.skeleton
    errors = {
        place: 1000 * mpjpe(clip.pred, clip.target)
        for place, clip in enumerate(report.clips)
        if len(clip.pred)
    }
    worst = sorted(errors, key=lambda place: -errors[place].mean())[:count]
    figure = Figure(figsize=(12, 3 * len(worst)), layout='constrained')
    rows = figure.subplots(len(worst), 3, squeeze=False, width_ratios=[2, 1, 1])
    for (curve, *views), place in zip(rows, worst, strict=True):
        clip = report.clips[place]
        error = errors[place]
        frames = np.arange(len(error)) if clip.frames is None else clip.frames
        row = int(error.argmax())
        curve.plot(frames, error, '.', markersize=3)
        curve.set(xlabel='frame', ylabel='MPJPE, mm', ylim=(0, None))
        name = clip.clip or f'{clip.subject} {clip.action}'
        curve.set_title(f'{clip.dataset} {name}: mean {error.mean():.1f} mm'.strip())
        for axes, side, x in zip(views, ('front', 'side'), (0, 2), strict=True):
            for poses, color in ((clip.target, '#b0b0b0'), (clip.pred, None)):
                around_root = poses[row] - poses[row, 0]
                _draw_pose(axes, around_root[:, [x, 1]], skeleton, color)
            axes.set_title(f'frame {frames[row]}, {side}: {error[row]:.1f} mm')
    with replacing(target) as temporary:
        figure.savefig(temporary, format='png')


def _draw_pose(
    axes: Axes, pose: np.ndarray, skeleton: Skeleton | None, color: str | None
) -> None:
    """Draw joints (K, 2) and bones in a color, by default in those of body sides."""
    axes.plot(*pose.T, '.', color=color or '#404040', markersize=3)
    if skeleton is not None:
        style = skeleton_style(skeleton.joints, skeleton.parents)
        for bone, side_color in zip(style.bones, style.colors, strict=True):
            axes.plot(*pose[bone].T, color=color or side_color[::-1] / 255)
    axes.set_aspect('equal', adjustable='datalim')
    axes.yaxis.set_inverted(True)


def format_errors(report: ErrorReport, tables: Sequence[str] = ()) -> str:
    """Tabulate an error report: one row per dataset, then the tables of each.

    Tables are named as for :meth:`ErrorReport.table`, such as 'joints'.
    """
    units = {measure.name: measure.unit for measure in report.measures}
    rows = {_dataset_title(report, x): report.overall(x) for x in report.datasets}
    blocks = [_error_table('', rows, units)]
    motion = {f'{x} motion'.strip(): report_motion(report, x) for x in report.datasets}
    if any(motion.values()):
        blocks.append(_error_table('', motion, MOTION_UNITS))
    for name in report.datasets:
        for kind in tables:
            rows = report.table(name, kind)
            title = f'{name} {kind}'.strip()
            if rows:
                blocks.append(_error_table(title, rows, units))
            else:
                blocks.append(f'{title}: not known of these samples')
    return '\n\n'.join(blocks)


def _dataset_title(report: ErrorReport, dataset: str) -> str:
    """Describe the samples that the numbers of a dataset are averaged over."""
    over = f'{report.num_frames(dataset)} frames'
    if actions := report.actions(dataset):
        over = f'{len(actions)} actions ({over})'
    if kept := report.kept(dataset):
        over = f'{over}, {kept[0]} of {kept[1]} kept of each window'
    return f'{dataset}: mean over {over}'.removeprefix(': ')


def _error_table(
    title: str, rows: Mapping[str, Mapping[str, float]], units: Mapping[str, str]
) -> str:
    """Tabulate rows of numbers by the units that some row has."""
    units = {key: units[key] for key in units if any(key in r for r in rows.values())}
    lines = [[title, *units], ['', *units.values()]]
    for name, row in rows.items():
        cells = [f'{row[key]:.2f}' if key in row else '-' for key in units]
        lines.append([name, *cells])
    return align(lines)


if __name__ == '__main__':
    run_tool(add_arguments, main)
