"""Keypoints of clips as inputs of lifters: converted, resampled, normalized."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmhot.clips import Clip2D
from mmhot.codecs.pose_lifting import CameraPoseLifting
from mmhot.lifting.gaps import Segment, count_rows, split_segments
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.windows import resample

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')

MAX_POSES = 5_000_000
"""Poses of one clip: a day of one person at 50 per second, and 5 to 10 GB of memory."""


class ClipEncoder:
    """Convert, resample and normalize the keypoints of clips as in training.

    Args:
        codec (CameraPoseLifting): Of the training.
        settings (Mapping): The config's ``lifting``: ``fps`` (50 by default) and
            ``mapping`` ('trained' by default).
    """

    def __init__(self, codec: CameraPoseLifting, settings: Mapping[str, Any]) -> None:
        self.codec = codec
        self.reads_scores = getattr(codec, 'with_scores', False)
        self.fps = settings.get('fps', 50.0)
        self.mapping = settings.get('mapping', 'trained')

    def prepare(
        self, clip: Clip2D, mapping: str | None = None, max_gap: float = 1.0
    ) -> list[Segment]:
        """Convert to Human3.6M-17 and fill gaps.

        The clip is not checked: readers and pose estimators made it.

        Args:
            clip (Clip2D): 2D keypoints.
            mapping (str, optional): How missing joints are approximated, see
                :func:`mmhot.convert_keypoints`. By default as in training.
            max_gap (float): Longest gap in a track that is filled, in seconds.
                Defaults to 1.0.

        Returns:
            list[Segment]: The people, their tracks split at long gaps.

        Raises:
            ValueError: If no keypoint can be converted, or ``max_gap`` is negative.
        """
        if not max_gap >= 0:
            raise ValueError(f'max_gap must be at least 0 seconds, got {max_gap}')
        gap = int(max_gap * clip.fps)
        frames = sum(count_rows(track.frames, gap) for track in clip.tracks)
        # slow clips are resampled to the model's rate
        poses = frames * max(1, self.fps / clip.fps)
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
                _H36M.name,
                mapping or self.mapping,
            )
            own = split_segments(track.track, track.frames, keypoints, scores, gap)
            if not own:
                message = '%s: track %s has no joint of Human3.6M; left out'
                _LOGGER.warning(message, clip.name, track.track)
            segments += own
        if not segments:
            raise ValueError(
                f'{clip.source or clip.name}: no keypoint can be converted from '
                f'{clip.skeleton} to Human3.6M'
            )
        return segments

    def keypoints_of(self, segment: Segment) -> np.ndarray:
        """Return keypoints (T, 17, 2), or (T, 17, 3) if the codec reads scores."""
        if not self.reads_scores:
            return segment.keypoints
        return np.concatenate([segment.keypoints, segment.scores[..., None]], -1)

    def to_model_rate(self, keypoints: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Resample keypoints (T, ...) at times (T,) to the model's frame rate."""
        return resample(keypoints, self.sample_positions(times))

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
