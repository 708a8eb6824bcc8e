"""Plausibility of motion: foot slide, floating, jitter, constant bone lengths.

``docs/training.md`` defines each.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, minimum_filter1d

from mmhot.evaluation.clip_predictions import ClipPrediction
from mmhot.evaluation.error_report import ErrorReport
from mmhot.evaluation.pose_errors import frame_changes, relative
from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.skeletons.joints import Skeleton

MOTION_UNITS = {
    'foot slide': 'cm/s',
    'true slide': 'cm/s',
    'floating': 'cm',
    'penetration': 'cm',
    'bone length': '%',
    'jitter': 'm/s^2',
}
"""Units of the numbers of :func:`measure_motion`."""
# An ankle stands if it is slow and low. Higher values find more contacts.
_MAX_SPEED = 0.25  # m/s
_MAX_HEIGHT = 0.08  # meters above the lowest ankle around the frame
_SPEED_SECONDS = 0.08  # time over which a speed is measured
_FLOOR_SECONDS = 1.0  # before and after a frame, where the lowest ankle is searched
_MIN_SECONDS = 0.1  # shortest contact, and shortest gap between two
_ANKLES = ('right_foot', 'left_foot')


def measure_motion(clip: ClipPrediction, skeleton: Skeleton | None) -> dict[str, float]:
    """Measure the motion of one clip; return what is known of ``MOTION_UNITS``.

    Predicted poses get the true path of the root. Heights of standing ankles are
    compared with the true ones. The clip needs ``frames`` and ``fps``; feet need
    ``root_world`` and ``camera_axes``, too, and a skeleton that names them.
    """
    if clip.frames is None or clip.fps is None or skeleton is None:
        return {}
    pred, target = (relative(poses, 0) for poses in (clip.pred, clip.target))
    lengths = bone_length_variation(pred, skeleton.parents)
    row = {'bone length': 100 * float(lengths.mean())}
    row['jitter'] = jitter(pred, clip.frames, clip.fps)
    if clip.root_world is not None and set(_ANKLES) <= set(skeleton.joints):
        ankles = skeleton.indices(_ANKLES)
        pred, target = (
            poses[:, ankles] @ clip.camera_axes.T + clip.root_world[:, None]
            for poses in (pred, target)
        )
        stands = find_contacts(target, clip.fps)
        row['foot slide'] = foot_slide(pred, stands, clip.frames, clip.fps)
        row['true slide'] = foot_slide(target, stands, clip.frames, clip.fps)
        raised = (pred - target)[..., 2][stands]
        if len(raised):
            row['floating'] = 100 * float(raised.clip(0).mean())
            row['penetration'] = -100 * float(raised.clip(None, 0).mean())
    return {name: value for name, value in row.items() if np.isfinite(value)}


def report_motion(report: ErrorReport, dataset: str) -> dict[str, float]:
    """Compute means over a dataset's clips of :func:`measure_motion`, where known."""
    clips = [x for x in report.clips if x.dataset == dataset and len(x.pred)]
    rows = [measure_motion(clip, report.skeleton) for clip in clips]
    columns = {name: [x[name] for x in rows if name in x] for name in MOTION_UNITS}
    return {name: float(np.mean(values)) for name, values in columns.items() if values}


def find_contacts(ankles: np.ndarray, fps: float) -> np.ndarray:
    """Find standing ankles (T, 2) by speed and height; they are in meters (T, 2, 3)."""
    half = max(round(_SPEED_SECONDS * fps / 2), 1)
    padded = np.pad(ankles, ((half, half), (0, 0), (0, 0)), mode='edge')
    steps = np.full(len(ankles), 2.0 * half)
    index = np.arange(len(ankles))
    steps -= (half - index).clip(0) + (half - index[::-1]).clip(0)
    moved = np.linalg.norm(padded[2 * half :] - padded[: -2 * half], axis=-1)
    is_slow = moved * fps < _MAX_SPEED * steps.clip(1)[:, None]
    size = 2 * round(_FLOOR_SECONDS * fps) + 1
    floor = minimum_filter1d(ankles[..., 2].min(1), size, mode='nearest')
    stands = is_slow & (ankles[..., 2] < floor[:, None] + _MAX_HEIGHT)
    run = np.ones((max(round(_MIN_SECONDS * fps), 1), 1), bool)
    # For SciPy the frames beyond the ends are gaps, so the mask is padded.
    wide = np.pad(stands, ((len(run), len(run)), (0, 0)), mode='edge')
    return binary_opening(binary_closing(wide, run), run)[len(run) : -len(run)]


def foot_slide(
    ankles: np.ndarray, stands: np.ndarray, frames: np.ndarray, fps: float
) -> float:
    """Return the mean speed in cm/s of standing ankles; NaN if none stands.

    Args:
        ankles (np.ndarray): Positions, meters, (T, 2, 3).
        stands (np.ndarray): Whether each ankle stands, (T, 2).
        frames (np.ndarray): Rising frame numbers, (T,); steps across gaps do not count.
        fps (float): Frames per second.
    """
    both = stands[1:] & stands[:-1] & (np.diff(frames) == 1)[:, None]
    speeds = np.linalg.norm(np.diff(ankles, axis=0), axis=-1)[both]
    return 100 * fps * float(speeds.mean()) if len(speeds) else float('nan')


def jitter(poses: np.ndarray, frames: np.ndarray, fps: float) -> float:
    """Return the mean acceleration of joints, in their unit per second squared.

    Args:
        poses (np.ndarray): Poses of a person over time, (T, K, 3).
        frames (np.ndarray): Rising frame numbers, (T,). Accelerations across gaps do
            not count.
        fps (float): Frames per second.

    Returns:
        float: The mean; NaN if no three frames are consecutive.
    """
    change = frame_changes(poses, 2, frames)
    mean = np.linalg.norm(change, axis=-1).mean() if len(change) else np.nan
    return float(mean) * fps**2


def bone_length_variation(poses: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """Return the coefficient of variation of bones' lengths, in order of end joints.

    Poses (T, K, 3) are one person's over time; the root's parent is -1.
    """
    bones = [(parent, joint) for joint, parent in enumerate(parents) if parent >= 0]
    lengths = bone_lengths(poses, bones)
    return lengths.std(0) / lengths.mean(0)
