"""Keypoints of clips as inputs of lifters: converted, filled, resampled, normalized."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmhot.codecs.pose_lifting import CameraPoseLifting
from mmhot.geometry.keypoint_arrays import is_number
from mmhot.geometry.windows import average_neighbors, resample
from mmhot.lifting.gaps import TORSO, GapFiller, KnownJoints, Segment
from mmhot.skeletons.joints import Skeleton, convert_keypoints, get_skeleton
from mmhot.skeletons.mappings import MAPPINGS
from mmhot.structures.clips import Clip2D

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')

MAX_POSES = 5_000_000
"""Poses of one clip: a day of one person at 50 per second, and 5 to 10 GB of memory."""


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
    if not (found[TORSO].reshape(2, 2).all(-1) if skeleton is _H36M else found).any():
        raise NotLiftableError(clip)


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
        filled_step (float): Seconds of a step that are filled; longer ones count as it.
        max_fps (int): Highest rate of a model.
    """

    longest_step = GapFiller.longest
    # a lifter's window sees no further: longer steps are filled as those of a second
    filled_step = 1.0
    max_fps = 1000

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
        # of files of models, so any values
        if not (is_number(self.fps) and 1 <= self.fps <= self.max_fps):
            text = f"the model's fps must be from 1 to {self.max_fps}, got"
            raise ValueError(f'{text} {self.fps!r:.50}')
        if self.mapping not in [*MAPPINGS]:
            raise ValueError(f"the model's mapping is unknown: {self.mapping!r:.50}")

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
        filler = GapFiller(
            clip.fps,
            clip.times_of,
            max_gap,
            self.longest_step,
            self.is_person,
            self.known,
        )
        frames = sum(filler.lengths(track.frames).sum() for track in clip.tracks)
        # slow clips are resampled to the model's rate
        poses = frames * max(1, self.fps * min(1 / clip.fps, self.filled_step))
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
            parts = filler.split(track.track, track.frames, keypoints, scores)
            if not parts:
                message = '%s: track %s has no joint of %s; left out'
                _LOGGER.warning(message, clip.name, track.track, self.skeleton.name)
            segments += parts
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
        """Return fractional frame numbers of the model's inputs, first to last.

        Inputs are even in time, at the model's rate or, to end with the last frame, a
        little faster. Steps of more than ``filled_step`` seconds have the inputs of
        that time.
        """
        seconds = self.elapsed(times)
        count = math.ceil(round(seconds[-1] * self.fps, 6)) + 1
        wanted = np.linspace(0, seconds[-1], count)
        # rounding errors would mix neighboring frames
        return np.interp(wanted, seconds, np.arange(len(times))).round(6)

    def elapsed(self, times: np.ndarray) -> np.ndarray:
        """Return seconds since the first frame, without what long steps have more."""
        return np.r_[0, np.cumsum(np.diff(times).clip(max=self.filled_step))]

    def encode(self, windows: np.ndarray, camera: dict) -> tuple[np.ndarray, dict]:
        """Return model inputs (B, T, 17, C) and the keyword arguments of decoding."""
        scores = windows[..., 2] if self.reads_scores else None
        encoded = self.codec.encode(windows[..., :2], scores, camera_param=camera)
        keys = set(self.codec.auxiliary_decode_keys) & set(encoded)
        return encoded['keypoint_labels'], {key: encoded[key] for key in keys}
