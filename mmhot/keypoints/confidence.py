"""Keypoints of low confidence, at borders, or elsewhere for a moment."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.geometry.outliers import Excursion, find_outliers, list_frames, list_spans
from mmhot.options import Option
from mmhot.skeletons.joints import Skeleton, get_skeleton, part_of
from mmhot.step import KeypointStep
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.people import NUM_BODY, torso_of

_LOGGER = logging.getLogger(__name__)
# Parts that move: not shoulders and hips.
_LIMBS = ('elbow', 'wrist', 'knee', 'ankle', 'foot')
_MOST_LISTED = 5  # people in a line
_TORSO = 0.5  # from hips to shoulders, meters


def find_jumps(
    keypoints: np.ndarray, skeleton: Skeleton, seconds: np.ndarray, limits: Excursion
) -> np.ndarray:
    """Find keypoints that jump away and come back, (T, K), or most of a body at once.

    Keypoints (T, K, 2), NaN where missing, at seconds (T,) are in pixels, the limits in
    meters of a person whose torso is usually seen from the front.
    """
    length = np.linalg.norm(torso_of(keypoints, skeleton), axis=-1)
    if not np.isfinite(length).any():
        return np.zeros(keypoints.shape[:-1], bool)
    found = find_outliers(keypoints * (_TORSO / np.nanmedian(length)), seconds, limits)
    found[2 * found.sum(1) > np.isfinite(keypoints).all(-1).sum(1)] = True
    return found


def find_cut(
    keypoints: np.ndarray, skeleton: Skeleton, size: tuple[int, int], margin: float
) -> np.ndarray:
    """Find joints of limbs at the border of the image, (..., K): most are beyond it.

    2D models place them there with a high confidence, and knees would bend. The margin
    of keypoints (..., K, 2) in an image (w, h) is in lengths of the torso.
    """
    limbs = [i for i, x in enumerate(skeleton.joints) if part_of(x) in _LIMBS]
    cut = np.zeros(keypoints.shape[:-1], bool)
    points = keypoints[..., limbs, :]
    inside = np.minimum(points, size - points).min(-1)
    lengths = np.linalg.norm(torso_of(keypoints, skeleton), axis=-1)
    cut[..., limbs] = inside < margin * lengths[..., None]
    return cut


@dataclass(frozen=True)
class DoubtLimits:
    """Bodies that 2D models may not know; docs/output-formats.md says how often.

    Keypoints that jump from frame to frame are compared with the middle of the frames
    before and after: motion of CMU's people at 25 frames a second stays below 0.19.
    """

    max_jump: float = 0.3  # mean of limbs, torso lengths; higher doubts less
    rate: float = 25.0  # frames a second; motion grows in slower videos
    # Mean score below which people who lie or are inverted are in doubt. Higher values
    # doubt more.
    certain: float = 0.8
    span: int = 2  # frames around a jump that are in doubt, too
    factor: float = 0.5  # of the scores in these frames


_DOUBT = DoubtLimits()


def find_doubtful(
    track: Track2D, skeleton: Skeleton, seconds: np.ndarray
) -> np.ndarray:
    """Find frames in which a 2D model may not know the body, (T,) bool.

    There the person lies or is inverted, and found with a low confidence, or most limbs
    jump.

    Args:
        track (Track2D): Of a 2D model, with all keypoints.
        skeleton (Skeleton): Its skeleton.
        seconds (np.ndarray): Time of each frame, (T,).
    """
    torso, points = torso_of(track.keypoints, skeleton), track.keypoints
    body = track.scores[:, :NUM_BODY].mean(1)
    doubtful = (abs(torso[:, 0]) > -torso[:, 1]) & (body < _DOUBT.certain)
    if len(points) < 3 or not np.isfinite(torso).any():
        return doubtful
    limbs = [i for i, x in enumerate(skeleton.joints) if part_of(x) in _LIMBS]
    steps = np.diff(seconds) * _DOUBT.rate
    longest = np.maximum(steps[1:], steps[:-1])
    middle = (points[2:] + points[:-2]) / 2
    jumps = np.linalg.norm(points[1:-1] - middle, axis=-1)[:, limbs].mean(1)
    limit = _DOUBT.max_jump * np.nanmedian(np.linalg.norm(torso, axis=-1))
    span = _DOUBT.span
    jumping = np.pad(jumps > limit * np.maximum(longest, 1) ** 2, 1 + span)
    return doubtful | (np.convolve(jumping, np.ones(2 * span + 1), 'valid') > 0)


@dataclass(frozen=True, kw_only=True)
class DropUncertain(KeypointStep):
    """Step ``confidence``: keypoints of low confidence count as missing.

    So do joints of limbs at the image's border, and keypoints that jump away for a
    moment and come back.
    """

    name, live = 'confidence', True

    kpt_thr: Annotated[
        float | None,
        'minimum confidence of keypoints; lower ones count as missing (default: none)',
        Option(low=0, high=1),
    ] = None
    # margin of limbs, torso lengths: less than ankles from soles; more drops more
    border: float = 0.08
    # errors of motion capture itself reach 0.1 m; a crop that was turned by mistake
    # stays turned for 0.28 s
    jumps: Excursion = Excursion(least=0.15, lasts=0.3)

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Drop keypoints; people are dropped if no keypoint of anyone stays."""
        clip, limit = self.drop(clip), self.kpt_thr
        is_empty = not any(np.isfinite(x.keypoints).any() for x in clip.tracks)
        if limit is not None and is_empty and clip.tracks:
            text = '%s: no score exceeds {kpt_thr=%r}: lower it, or change the 2D model'
            _LOGGER.warning(ArgumentError(text, clip.source or clip.name, limit))
            clip = replace(clip, tracks=[])
        return clip

    def start(self, fps: float) -> Callable[[Clip2D], Clip2D]:
        """Return what drops keypoints of a frame; a stream may be empty for a while."""
        return self.drop

    def drop(self, clip: Clip2D) -> Clip2D:
        """Set keypoints to NaN whose scores are below the limit, and those that jump.

        Without a limit and keypoints that jump it is the same clip.
        """
        skeleton, tracks, limit = get_skeleton(clip.skeleton), [], self.kpt_thr
        jumps = np.zeros(skeleton.num_keypoints, int)
        for track in clip.tracks:
            points, scores = track.keypoints, track.scores
            low = np.zeros(scores.shape, bool)
            if limit is not None:
                size = clip.width, clip.height
                low = ~(scores >= limit) | find_cut(points, skeleton, size, self.border)
            known = np.where(low[..., None], np.nan, points)
            seconds = clip.times_of(track.frames)
            found = find_jumps(known, skeleton, seconds, self.jumps)
            jumps += (found & np.isfinite(known).all(-1)).sum(0)
            low |= found
            points = np.where(low[..., None], np.nan, points)
            scores = np.where(low, 0, scores)
            tracks.append(replace(track, keypoints=points, scores=scores))
        if jumps.any():
            text = '%s: keypoints jump away for a moment and come back; they count as '
            text += 'missing (frames: %s); {without=%r} keeps them'
            listed = list_frames(skeleton.joints, jumps)
            values = clip.source or clip.name, listed, self.name
            _LOGGER.warning(ArgumentError(text, *values))
        is_same = limit is None and not jumps.any()
        return clip if is_same else replace(clip, tracks=tracks)


@dataclass(frozen=True, kw_only=True)
class DropUncertainDetections(DropUncertain):
    """Step ``confidence`` of 2D models, whose scores are comparable."""

    kpt_thr: Annotated[
        float,
        'minimum confidence of keypoints; lower ones count as missing',
        Option(low=0, high=1),
    ] = 0.35  # docs/motion.md compares; higher drops more

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Drop keypoints, and halve scores of bodies that the model may not know."""
        doubtful = self._doubt(clip)
        clip = super().__call__(clip)
        for track in clip.tracks:
            if track.track in doubtful:
                track.scores[doubtful[track.track]] *= _DOUBT.factor
        return clip

    def _doubt(self, clip: Clip2D) -> dict[int, np.ndarray]:
        """Find the frames (T,) of each track with doubt, and say which they are."""
        skeleton, found = get_skeleton(clip.skeleton), {}
        for track in clip.tracks:
            rows = find_doubtful(track, skeleton, clip.times_of(track.frames))
            if rows.any():
                found[track.track] = rows
        if found:
            frames = {x.track: x.frames for x in clip.tracks}
            listed = [
                f'{track} in {rows.sum()} frames ({list_spans(frames[track][rows])})'
                for track, rows in found.items()
            ]
            text = (
                '%s: bodies that the 2D model may not know, as they lie, are inverted '
                'or jump: person %s; scores of these frames are halved'
            )
            values = clip.source or clip.name, ', person '.join(listed[:_MOST_LISTED])
            _LOGGER.warning(text, *values)
        return found
