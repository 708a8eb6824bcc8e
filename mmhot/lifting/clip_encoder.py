"""Keypoints of clips as inputs of lifters: converted, filled, resampled, normalized.

Filled joints are interpolated, and have a score of 0.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.codecs.pose_lifting import CameraPoseLifting
from mmhot.geometry.windows import average_neighbors, moving_mean, resample
from mmhot.skeletons.joints import Skeleton, convert_keypoints, get_skeleton
from mmhot.structures.clips import Clip2D

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')

MAX_POSES = 5_000_000
"""Poses of one clip: a day of one person at 50 per second, and 5 to 10 GB of memory."""
_TORSO = _H36M.indices(['left_hip', 'right_hip', 'left_shoulder', 'right_shoulder'])


class NotLiftableError(ValueError):
    """Keypoints, kept as ``clip``, lack what a 3D pose needs."""

    def __init__(self, clip: Clip2D) -> None:
        super().__init__(
            f'{clip.name}: the keypoints of {clip.skeleton} cannot be lifted to 3D: '
            'neither both shoulders nor both hips can be found by name, see '
            'mmhot.convert_keypoints'
        )
        self.clip = clip


def check_liftable(clip: Clip2D, skeleton: Skeleton = _H36M) -> None:
    """Raise NotLiftableError unless people have shoulders or hips, others a joint."""
    points = np.zeros((get_skeleton(clip.skeleton).num_keypoints, 2))
    found, *_ = convert_keypoints(points, None, clip.skeleton, skeleton.name)
    found = np.isfinite(found).all(-1)
    if not (found[_TORSO].reshape(2, 2).all(-1) if skeleton is _H36M else found).any():
        raise NotLiftableError(clip)


# Default positions of joints that are not known: a standing person who faces the
# camera, x right and y down, in units of the torso height (pelvis to thorax).
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
_TEMPLATE = np.array(
    [
        _STANDING[name.removeprefix('left_').removeprefix('right_')]
        for name in _H36M.joints
    ],
    np.float32,
)
_TEMPLATE[_H36M.right, 0] *= -1
_ROOT, _THORAX = _H36M.indices(['root', 'thorax'])
# Joints of limbs hang from their parents, which come first; their mirror images.
_HANGING = [
    (_H36M.parents[joint], joint, _H36M.flip_indices[joint])
    for joint in _H36M.indices(
        [
            f'{side}_{part}'
            for part in ('knee', 'foot', 'elbow', 'wrist')
            for side in ('left', 'right')
        ]
    )
]
# Both joints of limbs, and their mirror images.
_LIMBS = [
    _H36M.indices([f'{side}_{part}' for side in sides for part in parts])
    for parts in (('knee', 'foot'), ('elbow', 'wrist'))
    for sides in (('left', 'right'), ('right', 'left'))
]
_LEGS = _H36M.indices(['left_knee', 'right_knee', 'left_foot', 'right_foot'])
# Torso height in pixels where a single joint gives no scale; codecs normalize it.
_DEFAULT_TORSO = 100.0


@dataclass(frozen=True)
class KnownJoints:
    """When a joint is known, so that its gaps are interpolated.

    Chosen on standing and seated people of motion capture, cut at the waist, with up to
    5 % false knees, and on real ones, whose hands were taken for a knee in 14 %.
    """

    seconds: float = 0.2  # half a window, in half of whose frames a joint is seen
    share: float = 0.1  # of a person's frames in which it is, to be known in all
    alone: float = 0.3  # the same without the limb's other joint and its mirror image
    near: float = 0.5  # seconds from such frames, for which others are known
    torso: float = 4.0  # seconds over which the height of the torso is measured


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
    seconds_of: Callable[[np.ndarray], np.ndarray] = np.zeros_like,
    longest: float = 3.0,
    is_person: bool = True,
    limits: KnownJoints = KnownJoints(),
) -> list[Segment]:
    """Split a track at long gaps, and fill short gaps and missing joints.

    All frames of the track are kept. Up to ``max_gap`` consecutive missing frames are
    added. Where no joint is detected for longer, frames repeat the nearest detected
    pose, and the track is split in the middle of the gap.

    Frames that are more than ``longest`` seconds apart, as those of time lapses, are no
    motion; ``seconds_of`` returns the timestamps of frames (T,). Keypoints (T, K, C)
    are pixels or places, NaN where missing, with scores (T, K); ``is_person`` says that
    they are pixels of Human3.6M's joints.

    Returns:
        list[Segment]: In temporal order; empty if no joint is ever detected.
    """
    lengths = _rows_per_frame(frames, max_gap, seconds_of(frames), longest)
    frames, keypoints, scores = _add_frames(frames, keypoints, scores, lengths)
    known = np.flatnonzero(np.isfinite(keypoints).all(-1).any(-1))
    if len(known) == 0:
        return []
    times = seconds_of(frames)
    detected = frames[known]
    is_long = np.diff(seconds_of(detected)) > longest
    is_long |= np.diff(detected) > max_gap + 1
    part_of_detected = np.r_[0, np.cumsum(is_long)]
    middles = (detected[:-1] + detected[1:]) / 2
    part = part_of_detected[np.searchsorted(middles, frames)]

    filled = np.empty(keypoints.shape, np.float32)
    for number in range(part[-1] + 1):
        rows = slice(*np.searchsorted(part, [number, number + 1]))
        filled[rows] = fill_joints(keypoints[rows], is_person, times[rows], limits)
    scores[(filled != keypoints).any(-1)] = 0
    is_cut = (np.diff(part) > 0) | (np.diff(frames) > 1)
    cuts = np.flatnonzero(is_cut | (np.diff(times) > longest)) + 1
    bounds = zip([0, *cuts], [*cuts, len(frames)], strict=True)
    return [
        Segment(track, frames[rows], filled[rows], scores[rows])
        for rows in (slice(*bound) for bound in bounds)
    ]


def _rows_per_frame(
    frames: np.ndarray, max_gap: int, seconds: np.ndarray, longest: float
) -> np.ndarray:
    """Return 1 for each frame, and the number of missing ones that are added to it."""
    steps = np.diff(frames, append=frames[-1] + 1)
    is_short = np.diff(seconds, append=seconds[-1]) <= longest
    return np.where((steps <= max_gap + 1) & is_short, steps, 1)


def _add_frames(
    frames: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add empty rows for missing frames, up to the lengths (T,) in rows."""
    rows = np.cumsum(lengths) - lengths
    count = lengths.sum()
    every = np.repeat(frames - rows, lengths) + np.arange(count)
    full = np.full((count, *keypoints.shape[1:]), np.nan, np.float32)
    full[rows] = keypoints
    confidence = np.zeros(full.shape[:2], np.float32)
    confidence[rows] = np.where(np.isfinite(keypoints).all(-1), scores, 0)
    return every, full, confidence


def fill_joints(
    keypoints: np.ndarray,
    is_person: bool = True,
    seconds: np.ndarray | None = None,
    limits: KnownJoints = KnownJoints(),
) -> np.ndarray:
    """Interpolate missing joints linearly in time, relative to the torso.

    People's limbs that are not known (see :func:`find_known`) hang from their parents
    as those of a standing person, with the size of the torso; what was detected of them
    is replaced. Joints of others are in the middle of those that are seen.

    Args:
        keypoints (np.ndarray): Pixels, (T, K, 2), at least one joint of one frame is
            finite.
        is_person (bool): Whether joints are Human3.6M's.
        seconds (np.ndarray, optional): Times of the frames, (T,). By default frames are
            a second apart.
        limits (KnownJoints): Thresholds.
    """
    keypoints = keypoints.astype(np.float32)
    if np.isfinite(keypoints).all():
        return keypoints
    if seconds is None or not np.ptp(seconds):
        seconds = np.arange(len(keypoints))
    share = np.ones(keypoints.shape[:2], np.float32)
    if is_person:
        known = find_known(keypoints, seconds, limits)
        if (known[np.isfinite(keypoints).all(-1)] > 0).any():
            share = known
            keypoints[share == 0] = np.nan
    never = ~np.isfinite(keypoints).all(-1).any(0)
    known = interpolate_missing(keypoints[:, ~never])
    filled = np.empty(keypoints.shape, np.float32)
    filled[:, ~never] = known
    if never.any():
        center = known.mean(1, keepdims=True)
        filled[:, never] = _place_standing(known, ~never) if is_person else center
    # occluded joints move with the body: interpolate again relative to the torso
    torso = filled[:, _TORSO if is_person else slice(None)].mean(1, keepdims=True)
    filled[:, ~never] = interpolate_missing(keypoints[:, ~never] - torso) + torso
    seen = np.isfinite(keypoints).all(-1, keepdims=True)
    filled = np.where(seen, keypoints, filled)
    if is_person:
        _hang_limbs(filled, share, _torso_height(filled, seconds, limits))
    return filled


def find_known(
    keypoints: np.ndarray, seconds: np.ndarray, limits: KnownJoints = KnownJoints()
) -> np.ndarray:
    """Return how far joints of (T, K, 2) are known in each frame, 0 to 1, (T, K).

    A single false knee would bend the legs of a whole clip: a joint is known near
    frames around which it is seen often, and in all frames if these are many. Joints of
    limbs that are seen alone must be seen in more frames.
    """
    seen = np.isfinite(keypoints).all(-1)
    present = seen.any(1)
    times = seconds[present]
    begin = np.searchsorted(times, times - limits.seconds - 1e-6)
    end = np.searchsorted(times, times + limits.seconds + 1e-6)
    counts = np.pad(seen[present].cumsum(0), ((1, 0), (0, 0)))
    often = counts[end] - counts[begin] >= (end - begin)[:, None] / 2
    often &= seen[present]
    for upper, lower, *mirrored in _LIMBS:
        pair = seen[present][:, [upper, lower]]
        supported = pair[:, ::-1] | seen[present][:, mirrored]
        few = often[:, [upper, lower]].mean(0) < limits.alone
        often[:, [upper, lower]] &= supported | ~few
    known = np.ones(seen.shape, np.float32)
    for joint in np.flatnonzero(often.mean(0) < limits.share):
        sightings = times[often[:, joint]]
        if len(sightings):
            after = np.searchsorted(sightings, seconds)
            around = sightings[np.clip([after - 1, after], 0, len(sightings) - 1)]
            distance = np.abs(around - seconds).min(0)
            known[:, joint] = np.clip(1 - distance / limits.near, 0, 1)
        else:
            known[:, joint] = 0
    return known


def _torso_height(
    filled: np.ndarray, seconds: np.ndarray, limits: KnownJoints
) -> np.ndarray:
    """Measure torsos of (T, 17, 2) over a time, as people lean forward: pixels (T,)."""
    height = np.linalg.norm(filled[:, _THORAX] - filled[:, _ROOT], axis=-1)
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    window = min(round(limits.torso / step), len(height)) if step else len(height)
    percentile = scipy.ndimage.percentile_filter
    height = percentile(height, 75, max(window, 1), mode='nearest')
    return moving_mean(height, max(window // 4, 1))


def _hang_limbs(filled: np.ndarray, share: np.ndarray, height: np.ndarray) -> None:
    """Blend limbs of (T, 17, 2) with hanging ones by what is known, in place.

    Of a single leg that is not known the other one is the example, as people who sit
    do so with both.
    """
    detected = filled.copy()
    for parent, joint, mirrored in _HANGING:
        offset = (_TEMPLATE[joint] - _TEMPLATE[parent]) * height[:, None]
        if joint in _LEGS:
            other = detected[:, mirrored] - detected[:, _H36M.parents[mirrored]]
            offset += share[:, mirrored, None] * (other - offset)
        hanging = filled[:, parent] + offset
        own = share[:, joint, None]
        filled[:, joint] = own * filled[:, joint] + (1 - own) * hanging


def interpolate_missing(
    keypoints: np.ndarray, seconds: np.ndarray | None = None
) -> np.ndarray:
    """Interpolate keypoints (T, K, C) linearly in time, constant at the ends.

    Those that are never known are zero.
    """
    filled = keypoints.copy()
    times = np.arange(len(keypoints)) if seconds is None else seconds
    missing = ~np.isfinite(keypoints).all(-1)
    filled[:, missing.all(0)] = 0
    for joint in np.flatnonzero(missing.any(0) & ~missing.all(0)):
        gap = missing[:, joint]
        for axis in range(keypoints.shape[-1]):
            column = filled[:, joint, axis]
            column[gap] = np.interp(times[gap], times[~gap], column[~gap])
    return filled


def _place_standing(known: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Fit a standing person to known joints (T, K', 2) by translation and scale."""
    model = _TEMPLATE[is_known]
    center, model_center = known.mean(1, keepdims=True), model.mean(0)
    spread = np.sqrt(((known - center) ** 2).sum((1, 2)).mean())
    model_spread = np.sqrt(((model - model_center) ** 2).sum())
    scale = spread / model_spread if spread > 1 else _DEFAULT_TORSO
    return center + scale * (_TEMPLATE[~is_known] - model_center)


class ClipEncoder:
    """Convert, resample and normalize the keypoints of clips as in training.

    Args:
        codec (CameraPoseLifting): Of the training.
        settings (Mapping): The config's ``lifting``: ``fps`` (50 by default) and
            ``mapping`` ('trained' by default).
        skeleton (Skeleton): Joints of the model, K of them. Defaults to Human3.6M's.
        known (KnownJoints): When gaps of joints are interpolated.

    Attributes:
        is_person (bool): Whether that is Human3.6M's.
        longest_step (float): Seconds between consecutive frames of one motion.
    """

    longest_step = 3.0

    def __init__(
        self,
        codec: CameraPoseLifting,
        settings: Mapping[str, Any],
        skeleton: Skeleton = _H36M,
        known: KnownJoints = KnownJoints(),
    ) -> None:
        self.known = known
        self.codec, self.skeleton, self.is_person = codec, skeleton, skeleton is _H36M
        self.reads_scores = getattr(codec, 'with_scores', False)
        self.fps = settings.get('fps', 50.0)
        self.mapping = settings.get('mapping', 'trained')

    def prepare(
        self, clip: Clip2D, mapping: str | None = None, max_gap: float = 1.0
    ) -> list[Segment]:
        """Convert to the model's joints and fill gaps.

        The clip is not checked: readers and pose estimators made it.

        Args:
            clip (Clip2D): 2D keypoints.
            mapping (str, optional): How missing joints are approximated, see
                :func:`mmhot.convert_keypoints`. By default as in training.
            max_gap (float): Longest gap in a track that is filled, in seconds.
                Defaults to 1.0.

        Raises:
            ValueError: If no keypoint can be converted, or ``max_gap`` is negative.
        """
        if not max_gap >= 0:
            raise ValueError(f'max_gap must be at least 0 seconds, got {max_gap}')
        limits = int(max_gap * clip.fps), clip.times_of, max(max_gap, self.longest_step)
        gap, _, longest = limits
        frames = sum(
            _rows_per_frame(x.frames, gap, clip.times_of(x.frames), longest).sum()
            for x in clip.tracks
        )
        # slow clips are resampled to the model's rate
        poses = frames * max(1, self.fps * min(1 / clip.fps, self.longest_step))
        if poses > MAX_POSES:
            raise ValueError(
                f'{clip.source}: {poses:,.0f} poses, with those between its frames: at '
                f'most {MAX_POSES:,} are lifted together; split the clip'
            )
        segments = []
        for track in clip.tracks:
            keypoints, scores, _ = convert_keypoints(
                track.keypoints,
                track.scores,
                clip.skeleton,
                self.skeleton.name,
                mapping or self.mapping,
            )
            own = split_segments(
                track.track,
                track.frames,
                keypoints,
                scores,
                *limits,
                self.is_person,
                self.known,
            )
            if not own:
                message = '%s: track %s has no joint of %s; left out'
                _LOGGER.warning(message, clip.name, track.track, self.skeleton.name)
            segments += own
        if not segments:
            raise ValueError(
                f'{clip.source or clip.name}: no keypoint can be converted from '
                f'{clip.skeleton} to {self.skeleton.name}'
            )
        return segments

    def sample(
        self, keypoints: np.ndarray, scores: np.ndarray, times: np.ndarray
    ) -> np.ndarray:
        """Return keypoints, and scores if the codec reads them, at the model's rate.

        Shapes are (T, 17, 2), (T, 17), and (T,) of seconds. Of clips at higher rates
        neighboring frames are averaged: there is less noise, and which frame is the
        first matters less.
        """
        if self.reads_scores:
            keypoints = np.concatenate([keypoints, scores[..., None]], -1)
        positions = self.sample_positions(times)
        step = np.median(np.diff(positions)) if len(positions) > 1 else 1.0
        return resample(average_neighbors(keypoints, step), positions)

    def sample_positions(self, times: np.ndarray) -> np.ndarray:
        """Return fractional frame numbers of the model's inputs, up to the last."""
        count = math.ceil(round((times[-1] - times[0]) * self.fps, 6)) + 1
        wanted = times[0] + np.arange(count) / self.fps
        # rounding errors would mix neighboring frames
        return np.interp(wanted, times, np.arange(len(times))).round(6)

    def encode(self, windows: np.ndarray, camera: dict) -> tuple[np.ndarray, dict]:
        """Return model inputs (B, T, 17, C) and the keyword arguments of decoding."""
        scores = windows[..., 2] if self.reads_scores else None
        encoded = self.codec.encode(windows[..., :2], scores, camera_param=camera)
        keys = set(self.codec.auxiliary_decode_keys) & set(encoded)
        return encoded['keypoint_labels'], {key: encoded[key] for key in keys}
