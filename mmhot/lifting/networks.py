"""Interface of the networks of lifters, which each back end implements."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmhot.codecs.pose_lifting import CameraEncoding
from mmhot.skeletons.joints import Skeleton

Keep = int | Sequence[int]
"""Frames that each pruner keeps."""
# Windows per batch of networks whose activations fit into caches, or are unknown.
USUAL_BATCH_SIZE = 64


class LiftingNetwork(Protocol):
    """A model that maps encoded windows to encoded poses."""

    name: str  # in results
    weights: Path  # file of the weights as trained
    identity: str  # text that changes with the weights and settings
    codec: CameraEncoding  # of the windows and poses
    skeleton: Skeleton  # the K joints
    settings: Mapping[str, Any]  # the config's ``lifting``
    num_frames: int  # of a window
    num_targets: int  # frames that are predicted, in its middle or at its end
    usual_batch_size: int  # windows per batch, the fastest number

    def __call__(
        self, inputs: np.ndarray, flip_indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Lift encoded windows (B, T, K, C) to encoded poses (B, T', K, 3).

        Given each keypoint's partner on the other side, these are averaged with the
        poses of the mirror image.
        """
