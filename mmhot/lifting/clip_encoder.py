"""Inputs of models from the 2D keypoints of clips."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmhot.clips import Clip2D
from mmhot.codecs.camera_pose_lifting import CameraPoseLifting
from mmhot.lifting.gaps import Segment, split_segments
from mmhot.skeletons.joints import convert_keypoints, get_skeleton
from mmhot.windows import resample

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')


class ClipEncoder:
    """Convert, resample and normalize the keypoints of clips as in training.

    Args:
        codec (CameraPoseLifting): Of the training.
        settings (Mapping): The config's ``lifting``: ``fps`` (50 by default) and
            ``mapping`` ('trained' by default).
        device (str): PyTorch device of the inputs.
    """

    def __init__(
        self, codec: CameraPoseLifting, settings: Mapping[str, Any], device: str
    ) -> None:
        self.codec = codec
        self.reads_scores = getattr(codec, 'with_scores', False)
        self.fps = settings.get('fps', 50.0)
        self.mapping = settings.get('mapping', 'trained')
        self.device = device

    def prepare(
        self, clip: Clip2D, mapping: str | None = None, max_gap: float = 1.0
    ) -> list[Segment]:
        """Convert to Human3.6M-17 and fill gaps.

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
        segments = []
        for track in clip.tracks:
            keypoints, scores, _ = convert_keypoints(
                track.keypoints,
                track.scores,
                clip.skeleton,
                _H36M.name,
                mapping or self.mapping,
            )
            own = split_segments(
                track.track, track.frames, keypoints, scores, int(max_gap * clip.fps)
            )
            if not own:
                message = '%s: track %s has no joint of Human3.6M; left out'
                _LOGGER.warning(message, clip.name, track.track)
            segments += own
        if not segments:
            raise ValueError(
                f'{clip.source}: no keypoint can be converted from {clip.skeleton} to '
                'Human3.6M'
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

    def encode(self, windows: np.ndarray, camera: dict) -> tuple[Tensor, dict]:
        """Return model inputs (B, T, 17, C) and the keyword arguments of decoding."""
        scores = windows[..., 2] if self.reads_scores else None
        encoded = self.codec.encode(windows[..., :2], scores, camera_param=camera)
        keys = set(self.codec.auxiliary_decode_keys) & set(encoded)
        inputs = torch.from_numpy(encoded['keypoint_labels']).to(self.device)
        return inputs, {key: encoded[key] for key in keys}
