"""Gaps in tracks: interpolation of missing frames and joints.

Interpolated joints have a score of 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmhot.geometry.keypoint_arrays import interpolate_missing
from mmhot.skeletons.joints import get_skeleton, part_of
from mmhot.structures.clips_3d import LONGEST_STEP

_H36M = get_skeleton('h36m-17')
TORSO = _H36M.indices(['left_hip', 'right_hip', 'left_shoulder', 'right_shoulder'])
# Default positions of unknown joints: a standing person who faces the camera, x right
# and y down, in units of the torso height (pelvis to thorax).
_STANDING = {
    'root': (0.0, 0.0),
    'hip': (0.2, 0.0),
    'knee': (0.22, 0.95),
    'foot': (0.22, 1.85),
    'spine': (0.0, -0.5),
    'thorax': (0.0, -1.0),
    'neck_base': (0.0, -1.25),
    'head': (0.0, -1.45),
    'shoulder': (0.35, -0.97),
    'elbow': (0.42, -0.4),
    'wrist': (0.45, 0.1),
}
_TEMPLATE = np.array([_STANDING[part_of(x)] for x in _H36M.joints], np.float32)
_TEMPLATE[_H36M.right, 0] *= -1
_ROOT, _THORAX = _H36M.indices(['root', 'thorax'])
# For each limb: its upper and lower joint, and the same joints of the other side
_LIMBS = [
    _H36M.indices([f'{side}_{part}' for side in sides for part in parts])
    for parts in (('knee', 'foot'), ('elbow', 'wrist'))
    for sides in (('left', 'right'), ('right', 'left'))
]
# For each joint of a limb: its parent, the joint, and the joint of the other side;
# parents come before their children.
_HANGING = [
    (_H36M.parents[joint], joint, _H36M.flip_indices[joint])
    for limb in _LIMBS
    for joint in limb[:2]
]
_LEGS = _H36M.indices(['left_knee', 'right_knee', 'left_foot', 'right_foot'])
# Seconds; a longer gap is not filled. Joints of CMU's motions, interpolated across it,
# are 77 mm off on average; 38 mm across half of it, 146 mm across double.
_MAX_GAP = 1.0
_DOWN = np.array([0, 1, 0], np.float32)  # downward direction in camera axes
# Torso height in pixels if a single joint gives no scale; codecs normalize it.
_DEFAULT_TORSO = 100.0


@dataclass(frozen=True)
class KnownJoints:
    """Limits of known joints, whose gaps are interpolated.

    They were chosen on standing and seated people of motion capture, cut at the waist,
    with up to 5 % false knees, and on videos in which hands were taken for a knee in
    14 % of the frames.
    """

    # Seconds before and after a frame. A joint is reliable in a frame if it is seen in
    # half of the frames of this window. In two motions cut at the waist, half of it
    # makes places 4 % worse; 1 to 10 of it change them by 3 %.
    window: float = 0.2
    # Share of a person's frames; a joint that is reliable in more of them is known in
    # all frames. With 0 people cut at the waist are 2.5 times as far off; 0.5 to 10 of
    # it change them by 1 %.
    min_share: float = 0.1
    # Share of a person's frames in which a limb is reliable; below it, its joints count
    # only in frames that show the limb's other joint, or the same joint of the other
    # side. Higher values know fewer joints.
    min_limb_share: float = 0.3
    # Seconds from a reliable frame within which a rarely seen joint is known, less and
    # less. 0.5 to 10 of it change errors by 3 %.
    fade: float = 0.5


_LIMITS = KnownJoints()


@dataclass
class Segment:
    """Complete keypoints of one person in consecutive frames."""

    track: int  # track ID
    frames: np.ndarray  # consecutive frame numbers, (T,)
    keypoints: np.ndarray  # pixels, all finite, (T, 17, 2)
    scores: np.ndarray  # confidence; 0 where filled in, (T, 17)
    known: np.ndarray  # how well joints are known, 0 to 1, see `find_known`, (T, 17)


@dataclass(frozen=True)
class GapFiller:
    """Split the tracks of a clip at long gaps; fill short gaps and missing joints."""

    fps: float  # frames per second of the clip
    seconds_of: Callable[[np.ndarray], np.ndarray]  # timestamps (T,) of frames (T,)
    is_person: bool = True  # whether points are pixels of Human3.6M's joints

    def split(
        self, track: int, frames: np.ndarray, keypoints: np.ndarray, scores: np.ndarray
    ) -> list[Segment]:
        """Split a track at long gaps, and fill short ones.

        All frames of the track are kept, and the missing frames of short gaps are
        added. If no joint is detected for longer, frames repeat the nearest detected
        pose, and the track is split in the middle.

        Args:
            track (int): Track ID.
            frames (np.ndarray): Frame numbers, increasing, (T,).
            keypoints (np.ndarray): Pixels or positions, NaN where missing, (T, K, C).
            scores (np.ndarray): Confidences, (T, K).

        Returns:
            list[Segment]: Segments in temporal order; empty if no joint is ever
            detected.
        """
        frames, keypoints, scores = self._add_frames(frames, keypoints, scores)
        detected = frames[np.isfinite(keypoints).all(-1).any(-1)]
        if len(detected) == 0:
            return []
        # A frame is in the same part as the nearest frame with a detection.
        middles = (detected[:-1] + detected[1:]) / 2
        parts = np.r_[0, np.cumsum(self._is_long(detected))]
        part = parts[np.searchsorted(middles, frames)]
        starts = np.flatnonzero(np.diff(part)) + 1
        times = self.seconds_of(frames)
        joints = [
            fill_joints(keypoints[rows], self.is_person, times[rows])
            for rows in np.split(np.arange(len(frames)), starts)
        ]
        filled, known = map(np.concatenate, zip(*joints, strict=True))
        scores[(filled != keypoints).any(-1)] = 0
        is_cut = (np.diff(part) > 0) | (np.diff(frames) > 1)
        cuts = np.flatnonzero(is_cut | (np.diff(times) > LONGEST_STEP)) + 1
        columns = (np.split(x, cuts) for x in (frames, filled, scores, known))
        return [Segment(track, *arrays) for arrays in zip(*columns, strict=True)]

    def _add_frames(
        self, frames: np.ndarray, keypoints: np.ndarray, scores: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Add the missing frames of short gaps, without keypoints; see :meth:`split`.

        Returns frames (T',), keypoints (T', K, C), and scores (T', K), float32.
        """
        steps = np.append(np.where(self._is_long(frames), 1, np.diff(frames)), 1)
        rows = np.cumsum(steps) - steps
        full = np.full((steps.sum(), *keypoints.shape[1:]), np.nan, np.float32)
        full[rows] = keypoints
        confidence = np.zeros(full.shape[:2], np.float32)
        confidence[rows] = np.where(np.isfinite(keypoints).all(-1), scores, 0)
        frames = np.repeat(frames - rows, steps) + np.arange(len(full))
        return frames, full, confidence

    def _is_long(self, frames: np.ndarray) -> np.ndarray:
        """Find the steps between frames (T,) that are too long to fill, (T - 1,)."""
        is_long = np.diff(frames) > int(_MAX_GAP * self.fps) + 1
        return is_long | (np.diff(self.seconds_of(frames)) > LONGEST_STEP)


def fill_joints(
    keypoints: np.ndarray, is_person: bool = True, seconds: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate missing joints linearly in time, relative to the torso.

    Unknown limbs of people (see :func:`find_known`) hang from their parents like the
    limbs of a standing person of the same torso height, and their rare detections are
    replaced. Unknown joints of other skeletons are put in the middle of the joints that
    are seen.

    Args:
        keypoints (np.ndarray): Pixels, (T, K, 2), at least one of them finite.
        is_person (bool): Whether joints are Human3.6M's.
        seconds (np.ndarray, optional): Times, (T,). By default frames are a second
            apart.

    Returns:
        tuple[np.ndarray, np.ndarray]: Pixels, all finite, (T, K, 2), and how well
        joints are known, 0 to 1, (T, K).
    """
    keypoints = keypoints.astype(np.float32)
    known = np.ones(keypoints.shape[:2], np.float32)
    if np.isfinite(keypoints).all():
        return keypoints, known
    if seconds is None or not np.ptp(seconds):
        seconds = np.arange(len(keypoints))
    if is_person:
        rated = find_known(keypoints, seconds)
        if (rated[np.isfinite(keypoints).all(-1)] > 0).any():  # any joint is left
            known = rated
            keypoints[known == 0] = np.nan
    never = ~np.isfinite(keypoints).all(-1).any(0)
    filled = interpolate_missing(keypoints)
    if never.any():
        points = filled[:, ~never].copy()
        center = points.mean(1, keepdims=True)
        filled[:, never] = _place_standing(points, ~never) if is_person else center
    # Occluded joints move with the body: interpolate again relative to the torso.
    torso = filled[:, TORSO if is_person else slice(None)].mean(1, keepdims=True)
    filled[:, ~never] = interpolate_missing(keypoints[:, ~never] - torso) + torso
    seen = np.isfinite(keypoints).all(-1, keepdims=True)
    filled = np.where(seen, keypoints, filled)
    if is_person:
        # An upper quartile, as torsos look shorter while people lean forward
        torsos = np.linalg.norm(filled[:, _THORAX] - filled[:, _ROOT], axis=-1)
        _hang_limbs(filled, known, float(np.quantile(torsos, 0.75)))
    return filled, known


def find_known(keypoints: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Rate how well joints are known in each frame.

    A single false knee would bend the legs of a whole clip. So a joint is known only
    near frames around which it is seen often, and in all frames if there are many of
    these. A limb's joint that is seen alone must be seen in more frames.

    Args:
        keypoints (np.ndarray): Pixels, NaN where missing, (T, K, 2).
        seconds (np.ndarray): Timestamps, (T,).

    Returns:
        np.ndarray: 0 (unknown) to 1 (known), (T, K).
    """
    seen = np.isfinite(keypoints).all(-1)
    present = seen.any(1)
    times = seconds[present]
    # A joint is reliable in a frame if it is seen there, and in half of the window.
    begin = np.searchsorted(times, times - _LIMITS.window - 1e-6)
    end = np.searchsorted(times, times + _LIMITS.window + 1e-6)
    counts = np.pad(seen[present].cumsum(0), ((1, 0), (0, 0)))
    reliable = counts[end] - counts[begin] >= (end - begin)[:, None] / 2
    reliable &= seen[present]
    for upper, lower, *mirrored in _LIMBS:
        pair = seen[present][:, [upper, lower]]
        supported = pair[:, ::-1] | seen[present][:, mirrored]
        is_rare = reliable[:, [upper, lower]].mean(0) < _LIMITS.min_limb_share
        reliable[:, [upper, lower]] &= supported | ~is_rare
    known = np.ones(seen.shape, np.float32)
    for joint in np.flatnonzero(reliable.mean(0) < _LIMITS.min_share):
        sightings = np.r_[-np.inf, times[reliable[:, joint]], np.inf]
        after = np.searchsorted(sightings, seconds)
        distance = np.abs(sightings[[after - 1, after]] - seconds).min(0)
        known[:, joint] = np.clip(1 - distance / _LIMITS.fade, 0, 1)
    return known


def _hang_limbs(filled: np.ndarray, known: np.ndarray, height: float) -> None:
    """Blend limbs with hanging ones, the more the less they are known, in place.

    If only one leg is known, the other one copies it: people sit with both.

    Args:
        filled (np.ndarray): Joints, pixels, (T, 17, 2).
        known (np.ndarray): How well joints are known, 0 to 1, (T, 17).
        height (float): Height of the torso, pixels.
    """
    detected = filled.copy()
    for parent, joint, mirrored in _HANGING:
        offset = (_TEMPLATE[joint] - _TEMPLATE[parent]) * height
        if joint in _LEGS:
            other = detected[:, mirrored] - detected[:, _H36M.parents[mirrored]]
            offset = offset + known[:, mirrored, None] * (other - offset)
        hanging = filled[:, parent] + offset
        weight = known[:, joint, None]
        filled[:, joint] = weight * filled[:, joint] + (1 - weight) * hanging


def hang_legs(poses: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Make lifted legs hang straight down the image if none of their joints is known.

    A lifter bends the knees of hanging legs by 8 to 19 degrees, measured on motion
    capture without its legs. There, down the image is closer to the true direction of
    the legs than down the trunk.

    Args:
        poses (np.ndarray): Human3.6M's joints in camera axes, meters, (T, 17, 3).
        known (np.ndarray): How well joints are known, 0 to 1, (T, 17).

    Returns:
        np.ndarray: Poses with hanging legs, meters, (T, 17, 3).
    """
    hanging = 1 - known[:, _LEGS].max(1)[:, None]
    if not hanging.any():
        return poses
    new = poses.copy()
    for parent, joint, _ in _HANGING:
        if joint not in _LEGS:
            continue
        bone = poses[:, joint] - poses[:, parent]
        length = np.linalg.norm(bone, axis=-1, keepdims=True)
        bone = (1 - hanging) * bone + hanging * length * _DOWN
        bone *= length / np.linalg.norm(bone, axis=-1, keepdims=True).clip(1e-6)
        new[:, joint] = new[:, parent] + bone
    return new


def _place_standing(known: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Fit a standing person to known joints by translation and scale.

    Args:
        known (np.ndarray): Known joints, pixels, (T, K', 2).
        is_known (np.ndarray): Which of the 17 joints these are, (17,) bool.

    Returns:
        np.ndarray: The other joints, pixels, (T, 17 - K', 2).
    """
    model = _TEMPLATE[is_known]
    center = known.mean(1, keepdims=True)
    model_center = model.mean(0)
    spread = np.sqrt(((known - center) ** 2).sum((1, 2)).mean())
    model_spread = np.sqrt(((model - model_center) ** 2).sum())
    scale = spread / model_spread if spread > 1 else _DEFAULT_TORSO
    return center + scale * (_TEMPLATE[~is_known] - model_center)
