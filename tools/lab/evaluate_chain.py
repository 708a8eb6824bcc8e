"""Evaluate the chain from videos to 3D: whole clips against single frames.

Prints identity switches, frames without a pose, errors and jitter of whole clips,
smoothed clips and single frames, then the time of each stage. Clips with ground truth
beside them (a rendered WALK.mp4 and WALK.npz) have errors; others have jitter only.
Motion capture with a 2D detector's noise follows. Example::

    python -m tools.lab.evaluate_chain walk.mp4 dance.mp4 \
        --pose2d movenet-thunder.onnx --det-model rtmdet_nano.onnx
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmhot.apis.clip_worker import Outcome
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align, output_file, stage_table
from mmhot.io.atomic import replacing
from mmhot.lifting.clip_encoder import Segment
from mmhot.lifting.lifter import Lifter
from mmhot.motion.foot_lock import lock_feet
from mmhot.structures.clips import Clip2D, Clip3D
from mmhot.structures.lens import settle_lens
from mmhot.video.inputs import find_inputs
from mmhot.video.pipeline import VideoLifter, mask_low_confidence
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.pose_source import open_pose_source
from tools.lab.measure_lifted import jitter_row, measure, measure_jitter
from tools.lab.motions import GroundTruth, project_motion, select_motions

_COUNTS = ('frames', 'missing', 'filled', 'switches')
_DECIMALS = {
    **dict.fromkeys(_COUNTS, 0),
    **{'pixels': 1, 'PCK@0.2': 1, 'MPJPE': 1, 'P-MPJPE': 1, 'MPJVE': 0, 'jitter': 1},
    **dict.fromkeys(('root path', 'foot slide', 'true slide'), 1),
    **dict.fromkeys(('floating', 'penetration', 'precision', 'recall'), 1),
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
    parser.add_argument(
        '--subjects', nargs='+', help='such as S08, in place of that split'
    )
    parser.add_argument(
        '--only', nargs='+', choices=VARIANTS, metavar='NAME', help='rows to print'
    )
    parser.add_argument('--out', type=output_file, help='also write the table as JSON')
    return parser.parse_args()


def evaluate(args: argparse.Namespace) -> None:
    """Print the tables."""
    if args.motions < 0:
        raise ValueError(f'--motions must be at least 0, got {args.motions}')
    inputs = find_inputs(args.clips)
    lifter = Lifter(args.pose3d, args.pose3d_weights, device=args.device)
    pipeline = VideoLifter(None, lifter)
    if not all(item.has_keypoints for item in inputs):
        models = args.pose2d, args.pose2d_weights, args.det_model, args.det_weights
        pipeline.pose_estimator = VideoPoseEstimator(
            *open_pose_source(*models, args.device)
        )
    table, outcomes, variants = {}, [], args.only or VARIANTS
    for item in inputs:
        table[item.name], outcome = evaluate_clip(pipeline, item, variants)
        outcomes.append(outcome)
    if args.motions:
        motions = select_motions(args.data_root, args.motions, args.subjects or ())
        with tqdm(total=len(motions), unit='motion', leave=False, disable=None) as bar:
            name = f"{args.motions} motions with a detector's errors"
            table[name] = measure_motions(pipeline, motions, bar.update, variants)
    print_line(as_text(table))
    if outcomes:
        print_line('\n' + stage_table(outcomes))
    if args.out:
        with replacing(args.out) as temporary:
            content = dict(model=lifter.name, table=table)
            temporary.write_text(json.dumps(content, indent=1), encoding='utf-8')


def evaluate_clip(
    pipeline: VideoLifter, item, variants: Iterable[str]
) -> tuple[dict, Outcome]:
    """Evaluate variants of one input; also return its outcome with the times."""
    outcome, truth, rows = Outcome(item.name), None, {}
    labels = item.path.with_suffix('.npz')
    if not item.has_keypoints and labels.is_file():
        truth = GroundTruth.read(labels)
        pipeline = replace(pipeline, intrinsics=truth.lens)
    source = item.open()
    raw = source
    if not item.has_keypoints:
        raw = estimate_tracks(pipeline, source, outcome.times)
    confident = drop_low_scores(raw, pipeline.kpt_thr)
    with outcome.times.measure('3D'):
        pipeline.lift(confident)
    outcome.people = len(confident.tracks)
    outcome.times.num_frames = 1 + max(int(track.frames[-1]) for track in raw.tracks)
    if truth is not None:
        rows['truth'] = jitter_row(truth, raw.fps)
    for name in variants:
        lifted = VARIANTS[name](pipeline, confident, raw)
        rows[name] = measure(lifted, truth) if truth else measure_jitter(lifted)
    return rows, outcome


def estimate_tracks(pipeline: VideoLifter, source, times) -> Clip2D:
    """Estimate the tracked keypoints of a video, including those of low score."""
    with times.measure('2D'):
        people = pipeline.estimate_poses(source)
    with times.measure('track'):
        tracks = pipeline.track(source, people)
    if not tracks:
        raise ValueError(f'{source.path}: no person was detected')
    return replace(pipeline, kpt_thr=0.0).assemble(source, people, tracks)


def drop_low_scores(clip: Clip2D, threshold: float) -> Clip2D:
    """Remove the keypoints whose score is below a threshold."""
    tracks = [mask_low_confidence(track, threshold) for track in clip.tracks]
    return replace(clip, tracks=tracks)


def lift_frames_alone(pipeline: VideoLifter, clip: Clip2D, max_gap: float) -> Clip3D:
    """Lift every frame with a window that repeats it.

    Args:
        pipeline (VideoLifter): Provides the lifter.
        clip (Clip2D): Tracked keypoints.
        max_gap (float): Longest gap of a track to interpolate, seconds.
    """
    segments = []
    for segment in pipeline.lifter.prepare(clip, pipeline.mapping, max_gap):
        for i in range(len(segment.frames)):
            arrays = segment.frames, segment.keypoints, segment.scores
            segments.append(Segment(segment.track, *(x[i : i + 1] for x in arrays)))
    lens = settle_lens(clip.width, clip.height, pipeline.fov, pipeline.intrinsics)
    return pipeline.lifter.lift(clip, segments, lens=lens)


VARIANTS = {
    'whole clip': lambda pipeline, clip, _: pipeline.lift(clip),
    'feet locked': lambda pipeline, clip, _: lock_feet(pipeline.lift(clip)),
    'keypoints smoothed': lambda pipeline, clip, _: replace(
        pipeline, smooth_2d='butterworth'
    ).lift(clip),
    'poses smoothed': lambda pipeline, clip, _: replace(
        pipeline, smooth_3d='butterworth'
    ).lift(clip),
    'each frame alone': lambda pipeline, clip, _: lift_frames_alone(
        pipeline, clip, max_gap=1.0
    ),
    'one frame repeated': lambda pipeline, _, raw: lift_frames_alone(
        pipeline, raw, max_gap=0.0
    ),
}
"""Ways of lifting. "one frame repeated" is what MMPose 1.3.2 does with videos: a window
repeats one frame of the unfiltered keypoints."""


def measure_motions(
    pipeline: VideoLifter,
    motions: list[tuple[np.ndarray, dict]],
    progress: Callable[[int], None] = lambda count: None,
    variants: Iterable[str] = tuple(VARIANTS),
) -> dict[str, dict[str, float]]:
    """Measure all variants on motion capture, with unknown cameras.

    Args:
        pipeline (VideoLifter): Without smoothing and camera parameters.
        motions (list[tuple[np.ndarray, dict]]): See :func:`select_motions`.
        progress (Callable): Called with 1 after each motion.
        variants (Iterable[str]): Of :data:`VARIANTS`. Defaults to all.

    Returns:
        dict[str, dict[str, float]]: For each variant the keys of :func:`measure`: sums
        of the counts, and means over frames of the rest. ``'truth'`` has the jitter of
        the motions themselves.
    """
    table: dict[str, list[dict[str, float]]] = {}
    for seed, (joints, camera) in enumerate(motions):
        raw, truth = project_motion(joints, camera, seed)
        confident = drop_low_scores(raw, pipeline.kpt_thr)
        table.setdefault('truth', []).append(jitter_row(truth, raw.fps))
        for name in variants:
            lifted = VARIANTS[name](pipeline, confident, raw)
            table.setdefault(name, []).append(measure(lifted, truth))
        progress(1)
    return {name: merge_rows(rows) for name, rows in table.items()}


def merge_rows(rows: list[dict[str, float]]) -> dict[str, float]:
    """Sum counts, and average the rest over the ``frames`` of the rows that have it."""
    table = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        known = [row for row in rows if key in row]
        values = [row[key] for row in known]
        weights = [row['frames'] for row in known]
        is_count = key in _COUNTS
        table[key] = (
            sum(values) if is_count else float(np.average(values, weights=weights))
        )
    return table


def as_text(table: dict[str, dict[str, dict[str, float]]]) -> str:
    """Format one line for each variant, with '-' for unknown numbers."""
    lines = [['clip', 'lifted', *_DECIMALS]]
    for clip, rows in table.items():
        for name, row in rows.items():
            cells = [
                f'{row[key]:.{decimals}f}' if key in row else '-'
                for key, decimals in _DECIMALS.items()
            ]
            lines.append([clip, name, *cells])
    return align(lines, left=2)


def main() -> int:
    """Run the tool."""
    args = parse_args()
    return run_safely('evaluate_chain.py', lambda: evaluate(args))


if __name__ == '__main__':
    sys.exit(main())
