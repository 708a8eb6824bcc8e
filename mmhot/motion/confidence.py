"""Keypoints of low confidence."""

import logging
from dataclasses import replace

import numpy as np

from mmhot.frames.sources import FrameSource
from mmhot.structures.clips import Clip2D

_LOGGER = logging.getLogger(__name__)


class DropUncertain:
    """Step ``confidence``: keypoints of low confidence count as missing.

    Args:
        kpt_thr (float, optional): Least confidence of a keypoint that stays. By default
            ``detected`` in videos, and none in files of keypoints.
        detected (float): Least confidence of keypoints that a 2D model found.
            Defaults to 0.35; ``docs/motion.md`` compares.
    """

    name, live = 'confidence', True

    def __init__(self, kpt_thr: float | None = None, detected: float = 0.35) -> None:
        self.kpt_thr, self.detected = kpt_thr, detected

    def __call__(self, clip: Clip2D, frames: FrameSource | None) -> Clip2D:
        """Return a clip whose other keypoints are NaN; without people if none stays."""
        limit = self.limit_of(frames is not None)
        if limit is None:
            return clip
        tracks = []
        for track in clip.tracks:
            low = ~(track.scores >= limit)
            keypoints = np.where(low[..., None], np.nan, track.keypoints)
            scores = np.where(low, 0, track.scores)
            tracks.append(replace(track, keypoints=keypoints, scores=scores))
        if any(np.isfinite(track.keypoints).any() for track in tracks):
            return replace(clip, tracks=tracks)
        _LOGGER.warning(
            '%s: no detection exceeds the confidence threshold kpt_thr=%g: lower it, '
            'or use another 2D model',
            clip.source or clip.name,
            limit,
        )
        return replace(clip, tracks=[])

    def limit_of(self, detected: bool) -> float | None:
        """Return the least confidence of keypoints of a 2D model, or of a file."""
        return self.detected if detected and self.kpt_thr is None else self.kpt_thr
