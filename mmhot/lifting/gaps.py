"""Gaps in tracks: missing frames and joints, interpolated and marked by score 0."""

from dataclasses import dataclass

import numpy as np

from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
_TORSO = _H36M.indices(['left_hip', 'right_hip', 'left_shoulder', 'right_shoulder'])

# Default positions of joints that are never detected: a standing person who faces the
# camera, x right and y down, in units of the torso height (pelvis to thorax).
_STANDING = {
    'root': (0.0, 0.0),
    'hip': (0.2, 0.0),
    'knee': (0.22, 0.85),
    'foot': (0.22, 1.65),
    'spine': (0.0, -0.5),
    'thorax': (0.0, -1.0),
    'neck_base': (0.0, -1.25),
    'head': (0.0, -1.45),
    'shoulder': (0.35, -0.97),
    'elbow': (0.42, -0.4),
    'wrist': (0.45, 0.1),
}
# Torso height in pixels where a single joint gives no scale; codecs normalize it.
_DEFAULT_TORSO = 100.0


@dataclass
class Segment:
    """Complete 2D keypoints of one person in consecutive frames.

    Attributes:
        track (int): Track ID.
        frames (np.ndarray): Consecutive frame numbers, (T,).
        keypoints (np.ndarray): Pixels, all finite, (T, 17, 2).
        scores (np.ndarray): Confidence; 0 where filled in, (T, 17).
    """

    track: int
    frames: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray


def split_segments(
    track: int,
    frames: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    max_gap: int,
) -> list[Segment]:
    """Split a track at long gaps, and fill short gaps and missing joints.

    All frames of the track are kept. Up to ``max_gap`` consecutive missing frames are
    added. Where no joint is detected for longer, frames repeat the nearest detected
    pose, and the track is split in the middle of the gap.

    Args:
        track (int): Track ID.
        frames (np.ndarray): Sorted frame numbers, (T,).
        keypoints (np.ndarray): Human3.6M-17 pixels, NaN where missing, (T, 17, 2).
        scores (np.ndarray): Confidence, (T, 17).
        max_gap (int): Largest number of consecutive missing frames to fill.

    Returns:
        list[Segment]: In temporal order; empty if no joint is ever detected.
    """
    frames, keypoints, scores = _add_frames(frames, keypoints, scores, max_gap)
    known = np.flatnonzero(np.isfinite(keypoints).all(-1).any(-1))
    if len(known) == 0:
        return []
    detected = frames[known]
    part_of_detected = np.r_[0, np.cumsum(np.diff(detected) > max_gap + 1)]
    middles = (detected[:-1] + detected[1:]) / 2
    part = part_of_detected[np.searchsorted(middles, frames)]

    filled = np.empty(keypoints.shape, np.float32)
    for number in range(part[-1] + 1):
        rows = slice(*np.searchsorted(part, [number, number + 1]))
        filled[rows] = fill_joints(keypoints[rows])
    cuts = np.flatnonzero((np.diff(part) > 0) | (np.diff(frames) > 1)) + 1
    bounds = zip([0, *cuts], [*cuts, len(frames)], strict=True)
    return [
        Segment(track, frames[rows], filled[rows], scores[rows])
        for rows in (slice(*bound) for bound in bounds)
    ]


def count_rows(frames: np.ndarray, max_gap: int) -> int:
    """Return how many frames :func:`split_segments` makes of a track's, (T,)."""
    return int(_rows_per_frame(frames, max_gap).sum())


def _rows_per_frame(frames: np.ndarray, max_gap: int) -> np.ndarray:
    """Return 1 for each frame, and the number of missing ones that follow it."""
    steps = np.diff(frames, append=frames[-1] + 1)
    return np.where(steps <= max_gap + 1, steps, 1)


def _add_frames(
    frames: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, max_gap: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add empty rows for up to ``max_gap`` consecutive missing frames."""
    lengths = _rows_per_frame(frames, max_gap)
    rows = np.cumsum(lengths) - lengths
    count = lengths.sum()
    every = np.repeat(frames - rows, lengths) + np.arange(count)
    full = np.full((count, *keypoints.shape[1:]), np.nan, np.float32)
    full[rows] = keypoints
    confidence = np.zeros(full.shape[:2], np.float32)
    confidence[rows] = np.where(np.isfinite(keypoints).all(-1), scores, 0)
    return every, full, confidence


def fill_joints(keypoints: np.ndarray) -> np.ndarray:
    """Interpolate missing joints linearly in time, relative to the torso.

    Joints that are never detected are those of a standing person.

    Args:
        keypoints (np.ndarray): Pixels, NaN where missing, (T, 17, 2); at least one
            joint of one frame is known.

    Returns:
        np.ndarray: Finite pixels, (T, 17, 2), float32.
    """
    if np.isfinite(keypoints).all():
        return keypoints.astype(np.float32)
    never = ~np.isfinite(keypoints).all(-1).any(0)
    known = _interpolate(keypoints[:, ~never])
    filled = np.empty(keypoints.shape, np.float32)
    filled[:, ~never] = known
    if never.any():
        filled[:, never] = _place_standing(known, ~never)
    # occluded joints move with the body: interpolate again relative to the torso
    torso = filled[:, _TORSO].mean(1, keepdims=True)
    filled[:, ~never] = _interpolate(keypoints[:, ~never] - torso) + torso
    seen = np.isfinite(keypoints).all(-1, keepdims=True)
    return np.where(seen, keypoints, filled).astype(np.float32)


def _interpolate(keypoints: np.ndarray) -> np.ndarray:
    """Interpolate (T, K, 2) linearly in time, constant at the ends."""
    filled = keypoints.astype(np.float32)
    times = np.arange(len(keypoints))
    missing = ~np.isfinite(keypoints).all(-1)
    for joint in np.flatnonzero(missing.any(0)):
        gap = missing[:, joint]
        for axis in range(2):
            column = filled[:, joint, axis]
            column[gap] = np.interp(times[gap], times[~gap], column[~gap])
    return filled


def _place_standing(known: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Fit a standing person to known joints (T, K', 2) by translation and scale."""
    standing = np.array(
        [
            _STANDING[joint.removeprefix('left_').removeprefix('right_')]
            for joint in _H36M.joints
        ],
        np.float32,
    )
    standing[_H36M.right, 0] *= -1
    model = standing[is_known]
    center, model_center = known.mean(1, keepdims=True), model.mean(0)
    spread = np.sqrt(((known - center) ** 2).sum((1, 2)).mean())
    model_spread = np.sqrt(((model - model_center) ** 2).sum())
    scale = spread / model_spread if spread > 1 else _DEFAULT_TORSO
    return center + scale * (standing[~is_known] - model_center)
