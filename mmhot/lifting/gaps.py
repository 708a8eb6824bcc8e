"""Every person, every frame: what a detector missed is filled in and marked."""

from dataclasses import dataclass

import numpy as np

from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
_TORSO = _H36M.indices(['left_hip', 'right_hip', 'left_shoulder', 'right_shoulder'])

# Where joints are that were never seen: a person who stands and faces the camera,
# x to the picture's right and y down, in heights of the torso (pelvis to thorax).
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
# Pixels of a torso where one joint alone tells no size; any will do for a lifter
# that frames the person.
_UNKNOWN_TORSO = 100.0


@dataclass
class Segment:
    """One person for a while, every frame of it.

    Attributes:
        track (int): The person's number.
        frames (np.ndarray): Consecutive frame numbers, (T,).
        keypoints (np.ndarray): Finite pixels, (T, 17, 2).
        scores (np.ndarray): Confidence; zero where the joint was filled in, (T, 17).
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
    """Cut a track where it is interrupted for long; fill everything else.

    Every row comes back. Frames between rows are added where at most ``max_gap`` of
    them are missing in a row. Where nothing is seen for longer than that, rows look
    like the nearest frame in which something is, and the track is cut halfway, so
    that what is far away in time does not mix.

    Args:
        track (int): The person's number.
        frames (np.ndarray): Sorted frame numbers, (T,).
        keypoints (np.ndarray): Human3.6M-17 pixels, NaN where missing, (T, 17, 2).
        scores (np.ndarray): Confidence, (T, 17).
        max_gap (int): Missing frames in a row that are still filled.

    Returns:
        list[Segment]: In order of time; none if no joint is ever seen.
    """
    frames, keypoints, scores = _add_frames(frames, keypoints, scores, max_gap)
    known = np.flatnonzero(np.isfinite(keypoints).all(-1).any(-1))
    if len(known) == 0:
        return []
    seen = frames[known]
    stretch_of_seen = np.r_[0, np.cumsum(np.diff(seen) > max_gap + 1)]
    stretch = stretch_of_seen[np.searchsorted((seen[:-1] + seen[1:]) / 2, frames)]

    filled = np.empty(keypoints.shape, np.float32)
    for number in range(stretch[-1] + 1):
        rows = slice(*np.searchsorted(stretch, [number, number + 1]))
        filled[rows] = fill_joints(keypoints[rows])
    cuts = np.flatnonzero((np.diff(stretch) > 0) | (np.diff(frames) > 1)) + 1
    bounds = zip([0, *cuts], [*cuts, len(frames)], strict=True)
    return [
        Segment(track, frames[rows], filled[rows], scores[rows])
        for rows in (slice(*bound) for bound in bounds)
    ]


def _add_frames(
    frames: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, max_gap: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add rows in which nothing is seen for up to ``max_gap`` missing frames."""
    steps = np.diff(frames, append=frames[-1] + 1)
    lengths = np.where(steps <= max_gap + 1, steps, 1)  # of a row and what follows
    rows = np.cumsum(lengths) - lengths
    count = lengths.sum()
    every = np.repeat(frames - rows, lengths) + np.arange(count)
    full = np.full((count, *keypoints.shape[1:]), np.nan, np.float32)
    full[rows] = keypoints
    confidence = np.zeros(full.shape[:2], np.float32)
    confidence[rows] = np.where(np.isfinite(keypoints).all(-1), scores, 0)
    return every, full, confidence


def fill_joints(keypoints: np.ndarray) -> np.ndarray:
    """Fill in missing joints, linear in time and moving with the torso.

    Joints that are missing all the time are placed as in a person who stands.

    Args:
        keypoints (np.ndarray): Pixels, NaN where missing, (T, 17, 2); at least one
            joint in one frame is not.

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
    # a hidden hand moves with its owner: interpolate once more around the torso
    torso = filled[:, _TORSO].mean(1, keepdims=True)
    filled[:, ~never] = _interpolate(keypoints[:, ~never] - torso) + torso
    seen = np.isfinite(keypoints).all(-1, keepdims=True)
    return np.where(seen, keypoints, filled).astype(np.float32)


def _interpolate(keypoints: np.ndarray) -> np.ndarray:
    """Linear in time for each joint, held at the ends; (T, K, 2), some in each K."""
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
    """Move and scale, but never turn, a standing person onto joints (T, K', 2)."""
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
    scale = spread / model_spread if spread > 1 else _UNKNOWN_TORSO
    return center + scale * (standing[~is_known] - model_center)
