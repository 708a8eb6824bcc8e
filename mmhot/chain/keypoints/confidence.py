"""Removal of uncertain keypoints: low scores, momentary jumps."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mmhot.chain.step import KeypointStep
from mmhot.errors import ArgumentError
from mmhot.geometry.outliers import Excursion, find_outliers, list_frames
from mmhot.options import Option
from mmhot.skeletons.joints import Skeleton, get_skeleton
from mmhot.structures.clips_2d import Clip2D
from mmhot.structures.people import torso_of

_LOGGER = logging.getLogger(__name__)
# Meters; assumed distance from hips to shoulders. It scales the distance of jumps: with
# half of it 22 of 2,500 poses of 17 videos change, with double 5.
_TORSO = 0.5


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


@dataclass(frozen=True, kw_only=True)
class DropUncertain(KeypointStep):
    """Step ``confidence``: drop keypoints of low confidence.

    Keypoints that jump away for a moment and come back are dropped, too.
    """

    name = 'confidence'
    live = True

    kpt_thr: Annotated[
        float | None,
        'minimum confidence of keypoints; lower ones count as missing (default: none)',
        Option(low=0, high=1),
    ] = None
    # Errors of motion capture itself reach 0.1 m, and a crop that was turned by mistake
    # stays turned for 0.28 s. From 0.5 to 1 of the distance and 0.75 to 2 of the
    # duration, 7 of 2,500 poses of 17 videos change; 10 of the duration loses .012 of
    # the real legs.
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
            low = np.zeros(track.scores.shape, bool)
            if self.kpt_thr is not None:
                low = ~(track.scores >= self.kpt_thr)
            known = np.where(low[..., None], np.nan, track.keypoints)
            seconds = clip.times_of(track.frames)
            found = find_jumps(known, skeleton, seconds, self.jumps)
            jumps += (found & np.isfinite(known).all(-1)).sum(0)
            points = np.where(found[..., None], np.nan, known)
            scores = np.where(low | found, 0, track.scores)
            tracks.append(replace(track, keypoints=points, scores=scores))
        if jumps.any():
            _LOGGER.info(
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


@dataclass(frozen=True, kw_only=True)
class DropUncertainDetections(DropUncertain):
    """Step ``confidence`` for keypoints of 2D models, which have comparable scores."""

    # Of 410 rendered people at tables, .3, .35 and .4 drop 2.7, 3.6 and 4.7 % of the
    # visible joints, and keep 6.2, 4.8 and 3.3 % of the legs outside the image. Legs of
    # real videos stay from 0 to 1 of it; 2 loses .028.
    kpt_thr: Annotated[
        float,
        'minimum confidence of keypoints; lower ones count as missing',
        Option(low=0, high=1),
    ] = 0.35
