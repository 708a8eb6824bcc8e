"""Removal of uncertain keypoints: low scores, image borders, momentary jumps."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mmhot.chain.step import KeypointStep
from mmhot.errors import ArgumentError
from mmhot.geometry.outliers import Excursion, find_outliers, list_frames, list_spans
from mmhot.options import Option
from mmhot.skeletons.joints import Skeleton, get_skeleton, part_of
from mmhot.structures.clips_2d import Clip2D, Track2D
from mmhot.structures.people import NUM_BODY, torso_of

_LOGGER = logging.getLogger(__name__)
# Joints that move relative to the trunk, unlike shoulders and hips.
_LIMBS = ('elbow', 'wrist', 'knee', 'ankle', 'foot')
_MOST_LISTED = 5  # people that one message lists
_TORSO = 0.5  # meters; assumed distance from hips to shoulders


def find_jumps(
    keypoints: np.ndarray, skeleton: Skeleton, seconds: np.ndarray, limits: Excursion
) -> np.ndarray:
    """Find keypoints that jump away and come back.

    If most keypoints of a frame jump, all of them are marked.

    Args:
        keypoints (np.ndarray): Pixels, NaN where missing, (T, K, 2).
        skeleton (Skeleton): Skeleton of the keypoints.
        seconds (np.ndarray): Time of each frame, (T,).
        limits (Excursion): Limits in meters; pixels are converted by the median length
            of the torso in the image, assumed to be 0.5 m.

    Returns:
        np.ndarray: Keypoints that jump, (T, K) bool.
    """
    length = np.linalg.norm(torso_of(keypoints, skeleton), axis=-1)
    length = length[length > 0]  # known ones, of keypoints that do not coincide
    if not length.size:
        return np.zeros(keypoints.shape[:-1], bool)
    found = find_outliers(keypoints * (_TORSO / np.median(length)), seconds, limits)
    found[2 * found.sum(1) > np.isfinite(keypoints).all(-1).sum(1)] = True
    return found


def find_cut(
    keypoints: np.ndarray, skeleton: Skeleton, size: tuple[int, int], margin: float
) -> np.ndarray:
    """Find joints of limbs at the border of the image.

    Most of them are really outside. 2D models place them at the border with high
    confidence, which would bend the knees of lifted poses.

    Args:
        keypoints (np.ndarray): Pixels, (..., K, 2).
        skeleton (Skeleton): Skeleton of the keypoints.
        size (tuple[int, int]): Width and height of the image.
        margin (float): Width of the border, in lengths of the torso.

    Returns:
        np.ndarray: Joints at the border, (..., K) bool.
    """
    is_limb = [part_of(joint) in _LIMBS for joint in skeleton.joints]
    distances = np.minimum(keypoints, size - keypoints).min(-1)
    lengths = np.linalg.norm(torso_of(keypoints, skeleton), axis=-1)
    return is_limb & (distances < margin * lengths[..., None])


@dataclass(frozen=True)
class DoubtLimits:
    """Limits of frames in which a 2D model may not know the body, as it is inverted.

    docs/output-formats.md says how often a doubt is right.
    """

    # Torso lengths; mean distance of the limbs from the middle of the frames before and
    # after. With more, they jump. CMU's motions at 25 frames/s stay below 0.19. Higher
    # values doubt fewer frames.
    max_jump: float = 0.3
    rate: float = 25.0  # frames/s to which max_jump applies; it grows at lower rates
    # Mean body score; people who lie or are inverted are in doubt below it. Higher
    # values doubt more frames.
    min_score: float = 0.8
    span: int = 2  # frames before and after a jump that are in doubt, too
    factor: float = 0.5  # scores in doubtful frames are multiplied by this


_DOUBT = DoubtLimits()


def find_doubtful(
    track: Track2D, skeleton: Skeleton, seconds: np.ndarray
) -> np.ndarray:
    """Find frames in which a 2D model may not know the body.

    In these, the person lies or is inverted with a low score, or the limbs jump.

    Args:
        track (Track2D): Keypoints of a 2D model, none missing.
        skeleton (Skeleton): Skeleton of the keypoints.
        seconds (np.ndarray): Time of each frame, (T,).

    Returns:
        np.ndarray: Doubtful frames, (T,) bool.
    """
    points = track.keypoints
    torso = torso_of(points, skeleton)
    score = track.scores[:, :NUM_BODY].mean(1)
    # Comparisons with NaN are False: people without a torso are not in doubt.
    doubtful = (abs(torso[:, 0]) > -torso[:, 1]) & (score < _DOUBT.min_score)
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
    """Step ``confidence``: drop keypoints of low confidence.

    Joints of limbs at the image's border are dropped, too, and keypoints that jump away
    for a moment and come back.
    """

    name = 'confidence'
    live = True

    kpt_thr: Annotated[
        float | None,
        'minimum confidence of keypoints; lower ones count as missing (default: none)',
        Option(low=0, high=1),
    ] = None
    # Torso lengths; joints of limbs closer to the image's border are dropped. An ankle
    # is farther from the sole. Higher values drop more joints.
    border: float = 0.08
    # Errors of motion capture itself reach 0.1 m, and a crop that was turned by mistake
    # stays turned for 0.28 s.
    jumps: Excursion = Excursion(min_distance=0.15, max_duration=0.3)

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Drop keypoints; if none is left in the clip, drop all people and warn."""
        clip = self.drop(clip)
        is_empty = not any(np.isfinite(x.keypoints).any() for x in clip.tracks)
        if self.kpt_thr is not None and is_empty and clip.tracks:
            _LOGGER.warning(
                ArgumentError(
                    '%s: no score exceeds {kpt_thr=%r}: lower it, or change the 2D '
                    'model',
                    clip.source or clip.name,
                    self.kpt_thr,
                )
            )
            clip = replace(clip, tracks=[])
        return clip

    def start(self, fps: float) -> Callable[[Clip2D], Clip2D]:
        """Return a function for single frames, which may have no keypoints left."""
        return self.drop

    def drop(self, clip: Clip2D) -> Clip2D:
        """Mark keypoints with low scores, and keypoints that jump, as missing.

        Without ``kpt_thr`` and without jumps, the clip itself is returned.
        """
        skeleton = get_skeleton(clip.skeleton)
        tracks = []
        jumps = np.zeros(skeleton.num_keypoints, int)
        for track in clip.tracks:
            low = self._low(track, skeleton, (clip.width, clip.height))
            known = np.where(low[..., None], np.nan, track.keypoints)
            seconds = clip.times_of(track.frames)
            found = find_jumps(known, skeleton, seconds, self.jumps)
            jumps += (found & np.isfinite(known).all(-1)).sum(0)
            points = np.where(found[..., None], np.nan, known)
            scores = np.where(low | found, 0, track.scores)
            tracks.append(replace(track, keypoints=points, scores=scores))
        if jumps.any():
            _LOGGER.warning(
                ArgumentError(
                    '%s: keypoints jump away for a moment and come back; they count as '
                    'missing (frames: %s); {without=%r} keeps them',
                    clip.source or clip.name,
                    list_frames(skeleton.joints, jumps),
                    self.name,
                )
            )
        is_same = self.kpt_thr is None and not jumps.any()
        return clip if is_same else replace(clip, tracks=tracks)

    def _low(
        self, track: Track2D, skeleton: Skeleton, size: tuple[int, int]
    ) -> np.ndarray:
        """Mark keypoints with low scores or at the border of the image, (T, K)."""
        if self.kpt_thr is None:
            return np.zeros(track.scores.shape, bool)
        is_cut = find_cut(track.keypoints, skeleton, size, self.border)
        return ~(track.scores >= self.kpt_thr) | is_cut


@dataclass(frozen=True, kw_only=True)
class DropUncertainDetections(DropUncertain):
    """Step ``confidence`` for keypoints of 2D models, which have comparable scores."""

    kpt_thr: Annotated[
        float,
        'minimum confidence of keypoints; lower ones count as missing',
        Option(low=0, high=1),
    ] = 0.35  # docs/motion.md compares; higher drops more

    def __call__(self, clip: Clip2D) -> Clip2D:
        """Drop keypoints, and halve the scores in doubtful frames."""
        doubtful = self._doubt(clip)
        clip = super().__call__(clip)
        for track in clip.tracks:
            if track.track in doubtful:
                track.scores[doubtful[track.track]] *= _DOUBT.factor
        return clip

    def _doubt(self, clip: Clip2D) -> dict[int, np.ndarray]:
        """Find the doubtful frames (T,) of each track, by track ID, and log them."""
        skeleton = get_skeleton(clip.skeleton)
        found = {}
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
            _LOGGER.warning(
                '%s: bodies that the 2D model may not know, as they lie, are inverted '
                'or jump: person %s; scores of these frames are halved',
                clip.source or clip.name,
                ', person '.join(listed[:_MOST_LISTED]),
            )
        return found
