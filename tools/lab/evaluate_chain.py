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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmhot.apis.clip_worker import Outcome
from mmhot.cli.errors import OneLineParser, print_line, run_safely
from mmhot.cli.report import align, output_file, stage_table
from mmhot.clips import Clip2D, Clip3D
from mmhot.evaluation.pose_errors import frame_changes, mpjpe, mpjve, p_mpjpe
from mmhot.io.atomic import replacing
from mmhot.lens import settle_lens
from mmhot.lifting.gaps import Segment
from mmhot.lifting.lifter import Lifter
from mmhot.video.inputs import find_inputs
from mmhot.video.pipeline import VideoLifter, mask_low_confidence
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.pose_source import open_pose_source
from tools.lab.motions import GroundTruth, project_motion, select_motions

# A pose belongs to another person if its joints are farther than this from the ground
# truth on average, as a share of the person's height.
_MAX_DISTANCE = 0.5
_LIMBS = ('_shoulder', '_elbow', '_wrist', '_hip', '_knee', '_foot')
_COUNTS = ('frames', 'missing', 'filled', 'switches')
_DECIMALS = {
    **dict.fromkeys(_COUNTS, 0),
    **{'pixels': 1, 'PCK@0.2': 1, 'MPJPE': 1, 'P-MPJPE': 1, 'MPJVE': 0, 'jitter': 1},
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
    table, outcomes = {}, []
    for item in inputs:
        table[item.name], outcome = evaluate_clip(pipeline, item)
        outcomes.append(outcome)
    if args.motions:
        motions = select_motions(args.data_root, args.motions)
        with tqdm(total=len(motions), unit='motion', leave=False, disable=None) as bar:
            name = f"{args.motions} motions with a detector's errors"
            table[name] = measure_motions(pipeline, motions, bar.update)
    print_line(as_text(table))
    if outcomes:
        print_line('\n' + stage_table(outcomes))
    if args.out:
        with replacing(args.out) as temporary:
            content = dict(model=lifter.name, table=table)
            temporary.write_text(json.dumps(content, indent=1), encoding='utf-8')


def evaluate_clip(pipeline: VideoLifter, item) -> tuple[dict, Outcome]:
    """Evaluate all variants of one input; also return its outcome with the times."""
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
    for name, lifted in lift_variants(pipeline, confident, raw).items():
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


def lift_variants(
    pipeline: VideoLifter, confident: Clip2D, raw: Clip2D
) -> dict[str, Clip3D]:
    """Lift a clip as ``mmhot infer`` does, smoothed, and frame by frame.

    Args:
        pipeline (VideoLifter): Without smoothing.
        confident (Clip2D): The tracks without keypoints of low score.
        raw (Clip2D): The same with all keypoints.

    Returns:
        dict[str, Clip3D]: By name. "one frame repeated" is what MMPose 1.3.2 does with
        videos: a window repeats one frame of the unfiltered keypoints.
    """
    smoothed_2d = replace(pipeline, smooth_2d='butterworth')
    smoothed_3d = replace(pipeline, smooth_3d='butterworth')
    return {
        'whole clip': pipeline.lift(confident),
        'keypoints smoothed': smoothed_2d.lift(confident),
        'poses smoothed': smoothed_3d.lift(confident),
        'each frame alone': lift_frames_alone(pipeline, confident, max_gap=1.0),
        'one frame repeated': lift_frames_alone(pipeline, raw, max_gap=0.0),
    }


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


def measure(lifted: Clip3D, truth: GroundTruth) -> dict[str, float]:
    """Compare a lifted clip of one person with the ground truth.

    Args:
        lifted (Clip3D): In ``'camera'`` axes.
        truth (GroundTruth): Of all its frames.

    Returns:
        dict[str, float]: Number of ``frames``, of those ``missing`` a pose of the
        person, of those ``filled`` by interpolation, and of ID ``switches``; ``pixels``
        and ``PCK@0.2`` (percent) of shoulders, elbows, wrists, hips, knees and ankles;
        ``MPJPE`` and ``P-MPJPE`` in mm, ``MPJVE`` in mm/s, and ``jitter`` in m/s^2.
    """
    if lifted.axes != 'camera':
        raise ValueError(f"{lifted.name}: axes must be 'camera', got {lifted.axes!r}")
    rows = _rows_of_person(lifted, truth.pixels)
    frames = lifted.frame[rows]
    poses, target = lifted.keypoints_3d[rows], truth.poses[frames]
    return {
        'frames': len(truth.poses),
        'missing': len(truth.poses) - len(rows),
        'filled': int((lifted.keypoint_scores_3d[rows] == 0).all(1).sum()),
        'switches': int((np.diff(lifted.track[rows]) != 0).sum()),
        **_measure_2d(lifted, truth, rows),
        'MPJPE': 1000 * float(mpjpe(poses, target).mean()),
        'P-MPJPE': 1000 * float(p_mpjpe(poses, target).mean()),
        'MPJVE': 1000 * lifted.fps * float(mpjve(poses, target, frames).mean()),
        'jitter': jitter(poses, frames, lifted.fps),
    }


def _measure_2d(
    lifted: Clip3D, truth: GroundTruth, rows: np.ndarray
) -> dict[str, float]:
    """Pixel error, and share within a fifth of the torso, of the limbs' joints."""
    names = lifted.joint_names
    limbs = [joint for joint, name in enumerate(names) if name.endswith(_LIMBS)]
    target = truth.pixels[lifted.frame[rows]]
    errors = np.linalg.norm(lifted.keypoints_2d[rows] - target, axis=-1)[:, limbs]
    joint = {name: target[:, index] for index, name in enumerate(names)}
    torso = np.maximum(
        np.linalg.norm(joint['left_shoulder'] - joint['right_hip'], axis=-1),
        np.linalg.norm(joint['right_shoulder'] - joint['left_hip'], axis=-1),
    )
    correct = errors <= 0.2 * torso[:, None]
    return {'pixels': float(errors.mean()), 'PCK@0.2': 100 * float(correct.mean())}


def _rows_of_person(lifted: Clip3D, pixels: np.ndarray) -> np.ndarray:
    """Rows of the pose nearest to the ground truth in each frame, if near enough."""
    target = pixels[lifted.frame]
    distance = np.linalg.norm(lifted.keypoints_2d - target, axis=-1).mean(1)
    distance /= np.ptp(target[..., 1], axis=1)
    order = np.lexsort((distance, lifted.frame))
    _, first = np.unique(lifted.frame[order], return_index=True)
    rows = order[first]
    rows = rows[distance[rows] < _MAX_DISTANCE]
    if not len(rows):
        raise ValueError(f'{lifted.name}: no pose is near the ground truth')
    return rows


def measure_jitter(lifted: Clip3D) -> dict[str, float]:
    """Measure a clip without ground truth: the keys of :func:`measure` but errors."""
    jitters = [
        (jitter(lifted.keypoints_3d[rows], lifted.frame[rows], lifted.fps), len(rows))
        for rows in lifted.stretches()
        if len(rows) > 2
    ]
    total = sum(count for _, count in jitters)
    return {
        'frames': len(lifted),
        'filled': int((lifted.keypoint_scores_3d == 0).all(1).sum()),
        'jitter': sum(s * n for s, n in jitters) / total if total else float('nan'),
    }


def jitter_row(truth: GroundTruth, fps: float) -> dict[str, float]:
    """Measure the ground truth itself."""
    frames = np.arange(len(truth.poses))
    return {'frames': len(frames), 'jitter': jitter(truth.poses, frames, fps)}


def jitter(poses: np.ndarray, frames: np.ndarray, fps: float) -> float:
    """Mean acceleration of the joints, in units of the poses per second squared.

    Args:
        poses (np.ndarray): One person's poses over time, (T, K, 3).
        frames (np.ndarray): Their increasing frame numbers, (T,). Accelerations across
            gaps do not count.
        fps (float): Frames per second.

    Raises:
        ValueError: If there are no three consecutive frames.
    """
    change = frame_changes(poses, 2, frames)
    if not len(change):
        raise ValueError('jitter needs at least 3 consecutive frames')
    return float(np.linalg.norm(change, axis=-1).mean()) * fps**2


def measure_motions(
    pipeline: VideoLifter,
    motions: list[tuple[np.ndarray, dict]],
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, dict[str, float]]:
    """Measure all variants on motion capture, with unknown cameras.

    Args:
        pipeline (VideoLifter): Without smoothing and camera parameters.
        motions (list[tuple[np.ndarray, dict]]): See :func:`select_motions`.
        progress (Callable): Called with 1 after each motion.

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
        for name, lifted in lift_variants(pipeline, confident, raw).items():
            table.setdefault(name, []).append(measure(lifted, truth))
        progress(1)
    return {name: _merge(rows) for name, rows in table.items()}


def _merge(rows: list[dict[str, float]]) -> dict[str, float]:
    weights = [row['frames'] for row in rows]
    return {
        key: sum(row[key] for row in rows)
        if key in _COUNTS
        else float(np.average([row[key] for row in rows], weights=weights))
        for key in rows[0]
    }


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
