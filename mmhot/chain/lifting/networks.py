"""Interface of the networks of lifters, which each back end implements."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmhot.codecs.pose_lifting import CameraEncoding
from mmhot.skeletons.joints import Skeleton

Keep = int | Sequence[int]
"""Number of frames that each pruner keeps."""
# Windows per batch for networks with activations that fit into caches or are unknown
USUAL_BATCH_SIZE = 64


class LiftingNetwork(Protocol):
    """A model that maps windows of encoded keypoints to encoded poses."""

    name: str  # name in results
    weights: Path  # file of the weights as trained
    identity: str  # text that changes with the weights and settings
    codec: CameraEncoding  # encodes windows and decodes poses
    skeleton: Skeleton  # skeleton of the K joints
    settings: Mapping[str, Any]  # the config's ``lifting``
    num_frames: int  # frames of a window, T
    # Frames of a window that are predicted, T': all, the middle one, or the last ones
    num_targets: int
    usual_batch_size: int  # fastest number of windows per batch

    def __call__(
        self, inputs: np.ndarray, flip_indices: Sequence[int] | None = None
    ) -> np.ndarray:
        """Lift encoded windows to encoded poses.

        Args:
            inputs (np.ndarray): Encoded windows, (B, T, K, C).
            flip_indices (Sequence[int], optional): Counterpart of each joint on the
                other side. If given, predictions are averaged with the mirrored ones of
                the mirror image.

        Returns:
            np.ndarray: Encoded poses, (B, T', K, 3).
        """
