"""Keypoints of low confidence or at borders, and bodies upside down for a moment."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.geometry.windows import moving_rank
from mmhot.options import option
from mmhot.pose2d.footage import Footage
from mmhot.skeletons.joints import Skeleton, get_skeleton, part_of
from mmhot.step import KeypointStep
from mmhot.structures.clips import Clip2D

_LOGGER = logging.getLogger(__name__)
_LIMBS = ('elbow', 'wrist', 'knee', 'ankle', 'foot')


@dataclass(frozen=True)
class FlipLimits:
    """Torsos that no person turns as fast; three somersaults take a second.

    A larger turn drops fewer frames; longer times drop more, also of acrobats.
    """

    turn: float = 120.0  # from one frame to the next one in which it is known, degrees
    step: float = 0.1  # between these, seconds
    longest: float = 0.4  # until it turns back, seconds


def find_flips(
    keypoints: np.ndarray,
    skeleton: Skeleton,
    seconds: np.ndarray,
    limits: FlipLimits = FlipLimits(),
) -> np.ndarray:
    """Find frames (T,) between two sudden half turns of the torso.

    Of two poses the one is wrong that lasts for less long, also at the ends of a track.
    Keypoints are (T, K, 2), NaN where missing, at seconds (T,).
    """
    flipped = np.zeros(len(seconds), bool)
    x, y = _torsos(keypoints, skeleton).T
    frames = np.flatnonzero(np.isfinite(x + y))
    turns = np.diff(np.degrees(np.arctan2(x, -y))[frames])
    sudden = abs((turns + 180) % 360 - 180) > limits.turn
    sudden &= np.diff(seconds[frames]) <= limits.step
    bounds = np.r_[0, np.flatnonzero(sudden) + 1, len(frames)]
    lengths = np.pad(np.diff(bounds), 1)
    for row, (start, stop) in enumerate(pairwise(bounds), 1):
        rows = frames[start:stop]
        is_short = 0 < lengths[row] < max(lengths[row - 1], lengths[row + 1])
        if is_short and seconds[rows[-1]] - seconds[rows[0]] < limits.longest:
            flipped[rows] = True
    return flipped


@dataclass(frozen=True)
class JumpLimits:
    """Joints of limbs that are elsewhere for a moment, faster than anyone moves.

    A longer window and slower frames drop more joints, a larger distance fewer.
    """

    window: float = 0.2  # of the median of a joint's places, seconds
    slowest: float = 0.05  # between frames, seconds: people move as far at lower rates
    distance: float = 0.5  # from that median, lengths of the torso


def find_jumps(
    keypoints: np.ndarray,
    skeleton: Skeleton,
    seconds: np.ndarray,
    limits: JumpLimits = JumpLimits(),
) -> np.ndarray:
    """Find joints of limbs that jump away and back, (T, K), at seconds (T,).

    Those that are exchanged with the other side are left to ``sides``.
    """
    lengths = np.linalg.norm(_torsos(keypoints, skeleton), axis=-1)
    if not np.isfinite(lengths).any():
        return np.zeros(keypoints.shape[:-1], bool)
    usual = np.full_like(keypoints, np.nan)
    for joint in _limbs_of(skeleton):
        frames = np.flatnonzero(np.isfinite(keypoints[:, joint]).all(-1))
        step = np.median(np.diff(seconds[frames])) if len(frames) > 2 else np.inf
        if step <= limits.slowest:
            half = round(limits.window / step / 2)
            places = keypoints[frames, joint]
            usual[frames, joint] = moving_rank(places, 2 * half + 1, half)
    limit, mirror = limits.distance * np.nanmedian(lengths), skeleton.flip_indices
    away = np.linalg.norm(keypoints - usual, axis=-1) > limit
    at_other = np.linalg.norm(keypoints - usual[:, mirror], axis=-1) <= limit
    return away & ~(at_other & at_other[:, mirror])


def _limbs_of(skeleton: Skeleton) -> list[int]:
    """Return the joints of limbs that move: not shoulders and hips."""
    return [skeleton.index(x) for x in skeleton.joints if part_of(x) in _LIMBS]


def _torsos(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return vectors (..., 2) from hips to shoulders; NaN if they are not known."""
    joints = [f'{y}_{x}' for x in ('shoulder', 'hip') for y in ('left', 'right')]
    if not {*joints} <= {*skeleton.joints}:
        return np.full_like(keypoints[..., 0, :], np.nan)
    shoulders, hips = joints[:2], joints[2:]
    upper, lower = (
        keypoints[..., skeleton.indices(x), :].mean(-2) for x in (shoulders, hips)
    )
    return upper - lower


def find_cut(
    keypoints: np.ndarray, skeleton: Skeleton, size: tuple[int, int], margin: float
) -> np.ndarray:
    """Find joints of limbs at the border of the image, (..., K): most are beyond it.

    2D models place them there with a high confidence, and knees would bend. The margin
    of keypoints (..., K, 2) in an image (w, h) is in lengths of the torso.
    """
    cut, limbs = np.zeros(keypoints.shape[:-1], bool), _limbs_of(skeleton)
    points = keypoints[..., limbs, :]
    inside = np.minimum(points, size - points).min(-1)
    lengths = np.linalg.norm(_torsos(keypoints, skeleton), axis=-1)
    cut[..., limbs] = inside < margin * lengths[..., None]
    return cut


@dataclass(frozen=True, kw_only=True)
class DropUncertain(KeypointStep[Footage | None]):
    """Step ``confidence``: keypoints of low confidence count as missing.

    So do joints of limbs at the image's border or elsewhere for a moment, and all of
    people in frames in which they are upside down for a moment.
    """

    name, live = 'confidence', True

    kpt_thr: float | None = option(
        'minimum confidence of keypoints; lower ones count as missing (default: 0.35; '
        'keypoint files: none)',
        low=0,
        high=1,
    )
    # its default for 2D models, more drops more; docs/motion.md compares
    detected: float = 0.35
    # margin of limbs, torso lengths: less than ankles from soles; more drops more
    border: float = 0.08
    flips: FlipLimits = FlipLimits()
    jumps: JumpLimits = JumpLimits()

    def __call__(self, clip: Clip2D, footage: Footage | None) -> Clip2D:
        """Drop keypoints; people are dropped if no keypoint of anyone stays."""
        limit = self._limit(footage)
        clip = self.drop(clip, limit)
        is_empty = not any(np.isfinite(x.keypoints).any() for x in clip.tracks)
        if limit is not None and is_empty and clip.tracks:
            text = '%s: no score exceeds {kpt_thr=%r}: lower it, or change the 2D model'
            _LOGGER.warning(ArgumentError(text, clip.source or clip.name, limit))
            clip = replace(clip, tracks=[])
        return clip

    def start(self, fps: float) -> Callable[[Clip2D, Footage | None], Clip2D]:
        """Return what drops keypoints of a frame; a stream may be empty for a while."""
        return lambda clip, footage: self.drop(clip, self._limit(footage))

    def _limit(self, footage: Footage | None) -> float | None:
        """Return the least confidence of keypoints of a 2D model, or of a file."""
        return self.detected if footage and self.kpt_thr is None else self.kpt_thr

    def drop(self, clip: Clip2D, limit: float | None = None) -> Clip2D:
        """Set keypoints to NaN whose scores are below a limit, and those that jump.

        Without a limit and such keypoints it is the same clip.
        """
        skeleton, tracks, is_changed = get_skeleton(clip.skeleton), [], False
        for track in clip.tracks:
            seconds = clip.times_of(track.frames)
            points, scores = track.keypoints, track.scores
            low = find_jumps(points, skeleton, seconds, self.jumps)
            low |= find_flips(points, skeleton, seconds, self.flips)[:, None]
            certain = low & (scores >= 1)
            if certain.any():
                text = '%s: %s keypoints jump away and back; {without=%r} keeps them'
                values = clip.source or clip.name, certain.sum(), 'confidence'
                _LOGGER.warning(ArgumentError(text, *values))
            if limit is not None:
                size = clip.width, clip.height
                low |= ~(scores >= limit)
                low |= find_cut(points, skeleton, size, self.border)
            is_changed |= bool(low.any())
            points = np.where(low[..., None], np.nan, points)
            scores = np.where(low, 0, scores)
            tracks.append(replace(track, keypoints=points, scores=scores))
        if limit is None and not is_changed:
            return clip
        return replace(clip, tracks=tracks)
