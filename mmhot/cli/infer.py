"""Lift the people of videos and pictures to 3D: detect, track, lift, write.

Example:
  mmhot infer walk.mp4 --out-dir outputs --formats npz,html,mp4

Inputs are video files, pictures, folders and globs of either, and files of 2D keypoints
(see `mmhot lift --help`). What was found in the pictures is kept beside the results:
another run with another lifter starts from it, an interrupted one goes on.
"""

import argparse
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mmhot.skeleton_mappings import MAPPINGS

from .errors import explain, is_user_error, print_line
from .live import add_live_arguments, run_live, wants_live
from .results import (
    add_result_options,
    check_names,
    check_result_options,
    export,
    results_folder,
    show_progress,
)

_SMOOTHERS = ('none', 'butterworth', 'savgol', 'one-euro')
_KEYPOINT_FILES = ('.npz', '.json')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='videos, pictures, folders, globs'
    )
    add_result_options(parser)
    parser.add_argument(
        '--pose2d',
        metavar='MODEL',
        help="2D keypoints: an .onnx file, a config or alias of MMPose's, or mediapipe "
        '(default: what is there, in this order: shipped weights, mediapipe)',
    )
    parser.add_argument('--pose2d-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--det-model',
        metavar='MODEL',
        help="people's boxes: an .onnx file, a config or alias of MMDetection's, or "
        'whole_image',
    )
    parser.add_argument('--det-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--pose3d',
        metavar='MODEL',
        help='lifter: shipped weights by name, or a config (default: the shipped one)',
    )
    parser.add_argument('--pose3d-weights', metavar='FILE', help='its checkpoint')
    parser.add_argument(
        '--det-every',
        type=int,
        default=1,
        metavar='N',
        help='detect in every Nth frame and follow people in between (default: 1)',
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
            choices=_SMOOTHERS,
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
        help='frames per second of folders of pictures and of keypoint files',
    )
    parser.add_argument(
        '--no-cache',
        action='store_true',
        help='look for people again, and keep nothing of it',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=8,
        metavar='N',
        help='frames at once in 2D (default: 8)',
    )
    add_live_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Lift all inputs; one that fails does not stop the others."""
    from mmhot.cli.device import choose_device

    _check_options(args)
    if wants_live(args):
        return run_live(args, lambda: _build(args, [None], choose_device(args.device)))
    sources = _open(args)
    check_names([_path(source) for source in sources], [s.name for s in sources])
    with results_folder(args.out_dir):
        pipeline = _build(args, sources, choose_device(args.device))
        failed, rows = 0, []
        for source in sources:
            try:
                rows.append(_infer(pipeline, source, args))
            except Exception as error:
                if not is_user_error(error):
                    raise
                failed += 1
                _complain(f'{source.name}: {explain(error)}')
    if rows:
        args.say(_table(rows))
    return int(failed > 0)


def _check_options(args: argparse.Namespace) -> None:
    check_result_options(args)
    for name in ('batch_size', 'det_every'):
        if getattr(args, name) < 1:
            option = f'--{name.replace("_", "-")}'
            raise ValueError(f'{option} must be at least 1, got {getattr(args, name)}')
    if not 0 <= args.kpt_thr <= 1:
        raise ValueError(f'--kpt-thr must be from 0 to 1, got {args.kpt_thr:g}')
    if args.fps is not None and not 0 < args.fps <= 1000:
        raise ValueError(f'--fps must be above 0, up to 1000, got {args.fps:g}')


def _open(args: argparse.Namespace) -> list:
    """Open all inputs before any is worked on."""
    from mmhot.io.keypoints2d import read_keypoints
    from mmhot.video.frames import open_inputs

    sources = []
    for text in args.inputs:
        if text.lower().endswith(_KEYPOINT_FILES):
            sources.append(read_keypoints(Path(text), fps=args.fps))
        else:
            sources += open_inputs([text], args.fps)
    return sources


def _path(source) -> Path:
    """File or folder of an input, of pictures or of keypoints."""
    from mmhot.io.keypoints2d import Clip2D

    return source.source if isinstance(source, Clip2D) else source.path


def _build(args: argparse.Namespace, sources: list, device: str):
    """Load the models, none that no input needs."""
    from mmhot.apis import Lifter
    from mmhot.io.keypoints2d import Clip2D
    from mmhot.video.finding import Finder
    from mmhot.video.pipeline import VideoLifter

    lifter = Lifter(args.pose3d, args.pose3d_weights, device=device)
    finder = None
    if not all(isinstance(source, Clip2D) for source in sources):
        from mmhot.video.sources import open_pose_source

        detector, estimator = open_pose_source(
            args.pose2d,
            args.pose2d_weights,
            args.det_model,
            args.det_weights,
            device,
        )
        args.say(f'boxes: {detector.name}, 2D keypoints: {estimator.name}')
        finder = Finder(detector, estimator, args.det_every, args.batch_size)
    args.say(f'lifter: {lifter.name}')
    return VideoLifter(
        finder,
        lifter,
        kpt_thr=args.kpt_thr,
        smooth_2d=args.smooth_2d,
        smooth_3d=args.smooth_3d,
        mapping=args.mapping,
        fov=args.fov,
        cache=None if args.no_cache else args.out_dir,
    )


def _infer(pipeline, source, args: argparse.Namespace):
    """Lift one input and write it; returns a row of the table."""
    from mmhot.io.keypoints2d import Clip2D
    from mmhot.video.pipeline import StageTimes

    footage, times = None, StageTimes()
    if isinstance(source, Clip2D):
        with times.measure('3D'), show_progress(source.name, args.quiet) as progress:
            lifted = pipeline.lift(source, progress)
        times.num_frames = len(set(lifted.frame.tolist()))
    else:
        footage = source
        with _bars(source.name, args.quiet) as bars:
            lifted, times = pipeline(source, bars)
        _warn(source)
    if lifted is None:
        args.say(f'{source.name}: nobody was found in {times.num_frames} frames')
        return source.name, times, 0
    with times.measure('write'):
        export(lifted, args, footage)
    return source.name, times, len(set(lifted.track.tolist()))


def _warn(source) -> None:
    """Say what was wrong with a film that could be used all the same."""
    if source.ended:
        _complain(source.ended)
    if source.num_damaged:
        _complain(f'{source.path}: {source.num_damaged} frames are damaged')


def _complain(text: str) -> None:
    print_line(f'mmhot infer: {text}', sys.stderr)


@contextmanager
def _bars(name: str, quiet: bool):
    """Yield a function of (stage, done, total) that draws a bar for each stage."""
    with ExitStack() as opened:
        shown = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                title = f'{name}: {stage}'
                shown[stage] = opened.enter_context(show_progress(title, quiet))
            shown[stage](done, total)

        yield show


def _table(rows: list) -> str:
    """Times of the stages, and which of them takes longest."""
    from mmhot.cli.table import align

    stages = list(dict.fromkeys(s for _, times, _ in rows for s in times.seconds))
    lines = [['clip', 'frames', 'people', *(f'{s}, s' for s in stages), 'frames/s', '']]
    for name, times, people in rows:
        spent = [times.seconds.get(stage, 0.0) for stage in stages]
        slowest = max(times.seconds, key=times.seconds.get)
        lines.append(
            [
                name,
                str(times.num_frames),
                str(people),
                *(f'{seconds:.1f}' for seconds in spent),
                f'{times.num_frames / max(sum(spent), 1e-6):.1f}',
                f'slowest: {slowest}',
            ]
        )
    return align(lines)
