"""Lift the 2D keypoints of whole clips to 3D.

Example:
  mmhot lift demo/skating_2d_coco17.npz --out-dir outputs --formats npz,mp4

Inputs are .npz files, MMPose's JSON (a file, or a folder of one file per image) and
COCO's JSON; docs/output-formats.md describes them and what is written.
"""

import argparse
import re
import time
from pathlib import Path

from mmhot.apis.export import (
    add_keep_option,
    add_result_options,
    check_names,
    check_result_options,
    check_targets,
    export,
    results_folder,
    show_progress,
)
from mmhot.skeletons.mappings import MAPPINGS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        'inputs', nargs='+', type=Path, metavar='INPUT', help='2D keypoints of a clip'
    )
    add_result_options(parser)
    parser.add_argument(
        '--model',
        metavar='NAME_OR_CONFIG',
        help='a model of `mmhot list` by name or alias, or a config: a file or '
        'mmhot::PATH (default: the shipped one for clips)',
    )
    parser.add_argument(
        '--checkpoint', metavar='FILE', help='weights, where not the shipped ones'
    )
    parser.add_argument(
        '--skeleton',
        metavar='NAME',
        help='joint order of the inputs, such as coco-17 or h36m-17 (default: what '
        'the file says, or else what has as many joints)',
    )
    parser.add_argument(
        '--mapping',
        choices=tuple(MAPPINGS),
        help='how Human3.6M joints that the inputs lack are approximated (default: as '
        'the model was trained)',
    )
    parser.add_argument(
        '--image-size',
        type=_image_size,
        metavar='WxH',
        help='picture size in pixels, where the inputs do not say',
    )
    parser.add_argument(
        '--fps', type=float, help='frames per second, where the inputs do not say'
    )
    parser.add_argument(
        '--single',
        choices=('largest',),
        help='take only the largest person of each frame, as one track',
    )
    parser.add_argument(
        '--no-flip',
        action='store_true',
        help='do not average with the mirror image: twice as fast, less accurate',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        metavar='N',
        help='windows at once (default: 64, or fewer if the model is large)',
    )
    add_keep_option(parser)


def run(args: argparse.Namespace) -> None:
    """Lift all inputs; nothing is written if any of them is bad."""
    from mmhot.cli.device import choose_device
    from mmhot.io.readers.keypoints import read_keypoints

    if args.batch_size is not None and args.batch_size < 1:
        raise ValueError(f'--batch-size must be at least 1, got {args.batch_size}')
    check_result_options(args)
    clips = [
        read_keypoints(
            path,
            skeleton=args.skeleton,
            image_size=args.image_size,
            fps=args.fps,
            single=args.single,
        )
        for path in args.inputs
    ]
    check_names(args.inputs, [clip.name for clip in clips])
    with results_folder(args.out_dir):
        for clip in clips:
            tracks = [track.track for track in clip.tracks]
            check_targets(clip.name, tracks, args, args.inputs)
        device = choose_device(args.device)

        from mmhot.lifting.lifter import Lifter

        lifter = Lifter(
            args.model,
            args.checkpoint,
            device=device,
            flip_test=not args.no_flip,
            batch_size=args.batch_size,
            keep=args.keep,
        )
        prepared = [lifter.prepare(clip, args.mapping) for clip in clips]
        for clip, segments in zip(clips, prepared, strict=True):
            _lift_one(lifter, clip, segments, args)


def _lift_one(lifter, clip, segments, args: argparse.Namespace) -> None:
    from mmhot.lens import settle_lens

    lens = settle_lens(clip.width, clip.height, args.fov, args.intrinsics)
    begin = time.perf_counter()
    with show_progress(f'{clip.name}: lifting', args.quiet) as progress:
        lifted = lifter.lift(clip, segments, progress, lens)
    seconds = time.perf_counter() - begin
    export(lifted, args)
    frames = len(set(lifted.frame.tolist()))
    count = len(set(lifted.track.tolist()))
    args.say(
        f'{clip.name}: {frames} frame{"s"[: frames != 1]}, '
        f'{count} {"person" if count == 1 else "people"}, lifted in {seconds:.1f} s '
        f'({frames / seconds:.0f} frames per second)'
    )


def _image_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)[xX](\d+)', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is not WxH, such as 1920x1080')
    return int(match[1]), int(match[2])
