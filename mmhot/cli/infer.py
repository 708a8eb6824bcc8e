"""Lift the people of videos and pictures to 3D: detect, track, lift, write.

Example:
  mmhot infer walk.mp4 --out-dir outputs --formats npz,html,mp4

Inputs are video files, pictures, folders and globs of either, files of 2D keypoints
(see `mmhot lift --help`), and lists (.txt) with one of these in each line. What was
found in the pictures is kept beside the results: another run with another lifter starts
from it, an interrupted one goes on.
"""

import argparse
import secrets
import sys
from collections.abc import Callable, Iterator

from mmhot.apis.export import (
    add_keep_option,
    add_result_options,
    check_names,
    check_result_options,
    results_folder,
)
from mmhot.cli.errors import print_line
from mmhot.cli.live import add_live_arguments, run_live, wants_live
from mmhot.cli.ray_runner import add_runner_options, check_runner_options, run_with_ray
from mmhot.skeletons.mappings import MAPPINGS
from mmhot.weights.index import LIVE_LIFTER

SMOOTHING = ('none', 'butterworth', 'savgol', 'one-euro')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='videos, pictures, folders, globs, keypoint files, lists of these',
    )
    add_result_options(parser)
    parser.add_argument(
        '--pose2d',
        metavar='MODEL',
        help="2D keypoints: an .onnx file, a config or alias of MMPose's, or mediapipe "
        '(default: mediapipe if it is installed, else gtpt-t, whose weights are here)',
    )
    parser.add_argument('--pose2d-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--det-model',
        metavar='MODEL',
        help="people's boxes: an .onnx file, a config or alias of MMDetection's, "
        'pose-verified (a small detector, checked by the 2D model) or whole_image '
        '(default: '
        'whole_image with mediapipe, pose-verified with gtpt-t, else human)',
    )
    parser.add_argument('--det-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--pose3d',
        metavar='MODEL',
        help='lifter: shipped weights by name, or a config (default: the shipped one '
        f'for clips; with --live {LIVE_LIFTER})',
    )
    parser.add_argument('--pose3d-weights', metavar='FILE', help='its checkpoint')
    add_keep_option(parser)
    parser.add_argument(
        '--det-every',
        type=int,
        metavar='N',
        help='detect in every Nth frame and follow people in between (default: 1, '
        'with pose-verified 0.2 s apart, at most 5)',
    )
    parser.add_argument(
        '--kpt-thr',
        type=float,
        default=0.2,
        metavar='SCORE',
        help='keypoints of less confidence count as not seen (default: 0.2)',
    )
    for stage, what in (('2d', '2D keypoints'), ('3d', '3D poses')):
        parser.add_argument(
            f'--smooth-{stage}',
            choices=SMOOTHING,
            default='none',
            help=f'smooth {what} over time (default: none)',
        )
    parser.add_argument(
        '--mapping',
        choices=tuple(MAPPINGS),
        help='how Human3.6M joints that the 2D model lacks are approximated (default: '
        'as the lifter was trained)',
    )
    parser.add_argument(
        '--fps',
        type=float,
        help='frames per second of keypoint files and folders of pictures, which are '
        'films then',
    )
    parser.add_argument(
        '--no-cache',
        action='store_true',
        help='look for people again, and keep nothing of it',
    )
    parser.add_argument(
        '--resume',
        action='store_true',
        help='leave out inputs that were finished with the same models and options',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=8,
        metavar='N',
        help='frames at once in 2D (default: 8)',
    )
    add_live_arguments(parser)
    add_runner_options(parser)


def run(args: argparse.Namespace) -> int:
    """Lift all inputs; one that fails does not stop the others."""
    from mmhot.video.inputs import find_inputs

    check_options(args)
    if wants_live(args):
        if not (args.pose3d or args.pose3d_weights):
            args.pose3d = LIVE_LIFTER
        return run_live(args, lambda: _worker(args).prepare(with_2d=True))
    inputs = find_inputs(args.inputs, args.fps)
    check_names([item.path for item in inputs], [item.name for item in inputs])
    outcomes, interrupted = [], False
    try:
        with results_folder(args.out_dir):
            work = run_with_ray if args.runner == 'ray' else _one_by_one
            for outcome in work(args, inputs, _complain, secrets.token_hex(8)):
                outcomes.append(outcome)
                if outcome.error:
                    _complain(f'{outcome.name}: {outcome.error}')
    except KeyboardInterrupt:
        interrupted = True
    return _conclude(args, len(inputs), outcomes, interrupted)


def _conclude(
    args: argparse.Namespace, total: int, outcomes: list, interrupted: bool
) -> int:
    """Say how it went; returns the exit code."""
    from mmhot.cli.stage_table import stage_table

    if outcomes:
        args.say(stage_table(outcomes))
    failed = sum(bool(outcome.error) for outcome in outcomes)
    if not interrupted:
        return int(failed > 0)
    text = f'interrupted: {len(outcomes) - failed} of {total} inputs are finished'
    if not args.no_cache:
        text += '; the same command with --resume goes on from here'
    _complain(text)
    return 130


def _one_by_one(
    args: argparse.Namespace,
    inputs: list,
    complain: Callable[[str], None],
    run_name: str,
) -> Iterator:
    """Outcomes of the inputs, worked on in this process."""
    worker = _worker(args, complain, run_name)
    # what is wrong with a model is wrong for all inputs
    worker.prepare(not all(item.has_keypoints for item in inputs))
    yield from map(worker, inputs)


def _worker(
    args: argparse.Namespace, complain: Callable = print_line, run_name: str = ''
):
    from mmhot.apis.clip_worker import ClipWorker

    return ClipWorker(args, args.say, complain, run_name)


def check_options(args: argparse.Namespace) -> None:
    """Refuse values before anything is read."""
    check_result_options(args)
    for name in ('batch_size', 'det_every'):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            option = f'--{name.replace("_", "-")}'
            raise ValueError(f'{option} must be at least 1, got {getattr(args, name)}')
    if not 0 <= args.kpt_thr <= 1:
        raise ValueError(f'--kpt-thr must be from 0 to 1, got {args.kpt_thr:g}')
    if args.fps is not None and not 0 < args.fps <= 1000:
        raise ValueError(f'--fps must be above 0, up to 1000, got {args.fps:g}')
    if args.resume and args.no_cache:
        raise ValueError('--resume does not go with --no-cache, which keeps nothing')
    check_runner_options(args)


def _complain(text: str) -> None:
    print_line(f'mmhot infer: {text}', sys.stderr)
