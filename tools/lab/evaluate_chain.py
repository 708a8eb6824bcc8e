"""Measure the chain from videos to 3D against lifting frame by frame.

Prints ids, frames without a pose, errors and jitter of whole clips, smoothed clips and
single frames, then what each stage took. Clips with their truth beside them (a rendered
WALK.mp4 and WALK.npz) have errors; for others it is said how steady they are. Motion
capture with a made-up detector's errors follows. Example::

    python -m tools.lab.evaluate_chain walk.mp4 dance.mp4 \
        --pose2d movenet-thunder.onnx --det-model rtmdet_nano.onnx
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.output_file import output_file

_COLUMNS = {
    'frames': '{:.0f}',
    'missing': '{:.0f}',
    'filled': '{:.0f}',
    'switches': '{:.0f}',
    'pixels': '{:.1f}',
    'PCK@0.2': '{:.1f}',
    'MPJPE': '{:.1f}',
    'P-MPJPE': '{:.1f}',
    'MPJVE': '{:.0f}',
    'jitter': '{:.1f}',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'clips', nargs='*', help='videos, and files of tracked 2D keypoints'
    )
    parser.add_argument('--pose2d', help='2D model, as for mmhot infer')
    parser.add_argument('--pose2d-weights', help='its checkpoint')
    parser.add_argument('--det-model', help='detector, as for mmhot infer')
    parser.add_argument('--det-weights', help='its checkpoint')
    parser.add_argument('--pose3d', help='lifter, as for mmhot infer')
    parser.add_argument('--pose3d-weights', type=Path, help='its checkpoint')
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument(
        '--data-root', type=Path, default='data/cmu_mocap', help='motion capture'
    )
    parser.add_argument(
        '--motions', type=int, default=24, help='of the validation split; 0 for none'
    )
    parser.add_argument('--out', type=output_file, help='write the table as JSON, too')
    return parser.parse_args()


def evaluate(args: argparse.Namespace) -> None:
    """Print the tables."""
    if args.motions < 0:
        raise ValueError(f'--motions must be at least 0, got {args.motions}')
    from mmhot.cli.stage_table import stage_table
    from mmhot.io.atomic import replacing
    from mmhot.lifting.lifter import Lifter
    from mmhot.video.inputs import find_inputs
    from mmhot.video.pipeline import VideoLifter

    inputs = find_inputs(args.clips)
    lifter = Lifter(args.pose3d, args.pose3d_weights, device=args.device)
    pipeline = VideoLifter(None, lifter)
    if not all(item.has_keypoints for item in inputs):
        pipeline.pose_estimator = open_finder(args)
    table, outcomes = {}, []
    for item in inputs:
        table[item.name], outcome = evaluate_clip(pipeline, item)
        outcomes.append(outcome)
    if args.motions:
        name = f"{args.motions} motions with a detector's errors"
        table[name] = evaluate_motions(pipeline, args)
    print_line(as_text(table))
    if outcomes:
        print_line('\n' + stage_table(outcomes))
    if args.out:
        with replacing(args.out) as temporary:
            content = dict(model=lifter.name, table=table)
            temporary.write_text(json.dumps(content, indent=1), encoding='utf-8')


def open_finder(args: argparse.Namespace):
    """The 2D models."""
    from mmhot.video.pose_estimation import VideoPoseEstimator
    from mmhot.video.sources.pose_source import open_pose_source

    models = args.pose2d, args.pose2d_weights, args.det_model, args.det_weights
    return VideoPoseEstimator(*open_pose_source(*models, args.device))


def evaluate_clip(pipeline, item) -> tuple[dict, object]:
    """Rows of one clip, and what became of it."""
    from mmhot.apis.clip_worker import Outcome
    from tools.lab.benchmark.chain import (
        Truth,
        jitter_of,
        lift_variants,
        measure,
        measure_untold,
    )

    outcome, truth, rows = Outcome(item.name), None, {}
    beside = item.path.with_suffix('.npz')
    if not item.has_keypoints and beside.is_file():
        truth = Truth.read(beside)
        pipeline = replace(pipeline, intrinsics=truth.lens)
    source = item.open()
    raw = source
    if not item.has_keypoints:
        raw = follow(pipeline, source, outcome.times)
    sure = sure_part(raw, pipeline.kpt_thr)
    with outcome.times.measure('3D'):
        pipeline.lift(sure)
    outcome.people = len(sure.tracks)
    outcome.times.num_frames = 1 + max(int(track.frames[-1]) for track in raw.tracks)
    if truth is not None:
        shake = jitter_of(truth, raw.fps)
        rows['truth'] = {'frames': len(truth.poses), 'jitter': shake}
    for name, lifted in lift_variants(pipeline, sure, raw).items():
        rows[name] = measure(lifted, truth) if truth else measure_untold(lifted)
    return rows, outcome


def follow(pipeline, source, times):
    """Tracked keypoints of a video, the unsure ones as well."""
    with times.measure('2D'):
        found = pipeline.estimate_poses(source)
    with times.measure('track'):
        tracks = pipeline.track(source, found)
    if not tracks:
        raise ValueError(f'{source.path}: nobody was found')
    return replace(pipeline, kpt_thr=0.0).assemble(source, found, tracks)


def sure_part(clip, threshold: float):
    """The clip without keypoints of less confidence."""
    from mmhot.video.pipeline import mask_low_confidence

    return replace(
        clip, tracks=[mask_low_confidence(x, threshold) for x in clip.tracks]
    )


def evaluate_motions(pipeline, args: argparse.Namespace) -> dict:
    """Rows of motion capture."""
    from tqdm import tqdm

    from tools.lab.benchmark.chain import measure_motions, pick_motions

    motions = pick_motions(args.data_root, args.motions)
    with tqdm(total=len(motions), unit='motion', leave=False, disable=None) as bar:
        return measure_motions(pipeline, motions, bar.update)


def as_text(table: dict[str, dict[str, dict[str, float]]]) -> str:
    """One row a variant, '-' where nothing is known."""
    from mmhot.cli.table import align

    lines = [['clip', 'lifted', *_COLUMNS]]
    for clip, rows in table.items():
        for name, row in rows.items():
            cells = [
                form.format(row[key]) if key in row else '-'
                for key, form in _COLUMNS.items()
            ]
            lines.append([clip, name, *cells])
    return align(lines, left=2)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('evaluate_chain.py', lambda: evaluate(args))


if __name__ == '__main__':
    sys.exit(main())
