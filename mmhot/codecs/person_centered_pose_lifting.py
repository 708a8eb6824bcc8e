"""Lifting in a canonical framing, whatever the camera saw."""

import numpy as np
from mmpose.registry import KEYPOINT_CODECS

from mmhot.codecs.camera_pose_lifting import CameraPoseLifting
from mmhot.codecs.framing import frame_person
from mmhot.lens import DEFAULT_FOCAL_RATIO, camera_intrinsics


@KEYPOINT_CODECS.register_module()
class PersonCenteredPoseLifting(CameraPoseLifting):
    """Keypoints through a virtual camera on the person, one per window.

    The network reads and predicts in the virtual camera's axes; ``decode`` turns
    its poses back into the real camera's. See :mod:`mmhot.codecs.framing`.

    Args:
        num_keypoints (int): Keypoints ``K``.
        root_index (int): The joint that others are relative to.
        size (float): Mean distance of joints from their frame's mean, after zooming.
        num_center_frames (int): Frames that decide where the camera points.
        focal_ratio (float): Focal length over the longer picture side, assumed where
            ``camera_param`` has no ``f``.
    """

    auxiliary_decode_keys = ('framing', 'target_root')

    def __init__(
        self,
        num_keypoints: int = 17,
        root_index: int = 0,
        size: float = 0.5,
        num_center_frames: int = 9,
        focal_ratio: float = DEFAULT_FOCAL_RATIO,
    ) -> None:
        super().__init__(num_keypoints, root_index)
        self.size = size
        self.num_center_frames = num_center_frames
        self.focal_ratio = focal_ratio

    def encode_inputs(self, keypoints: np.ndarray, camera_param: dict) -> dict:
        """Framed input under ``keypoint_labels``, rotation (3, 3) under ``framing``."""
        focal, center = camera_intrinsics(camera_param, self.focal_ratio)
        labels, rotation = frame_person(
            keypoints[..., :2], focal, center, self.size, self.num_center_frames
        )
        return dict(keypoint_labels=labels, framing=rotation)

    def encode_targets(self, relative: np.ndarray, encoded: dict) -> np.ndarray:
        """Root-relative meters in the virtual camera's axes (..., T', K, 3)."""
        return (relative @ encoded['framing'][..., None, :, :]).astype(np.float32)

    def decode(
        self,
        encoded: np.ndarray,
        framing: np.ndarray | None = None,
        target_root: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode network output, turned back into the real camera's axes.

        Args:
            encoded (np.ndarray): Network output, (..., T', K, 3).
            framing (np.ndarray): The rotation that ``encode`` gave, (..., 3, 3).
            target_root (np.ndarray, optional): As in the parent class.

        Returns:
            tuple[np.ndarray, np.ndarray]: Keypoints (..., T', K, 3) and scores.

        Raises:
            ValueError: If ``framing`` is missing.
        """
        if framing is None:
            raise ValueError(
                'PersonCenteredPoseLifting.decode needs the rotation that encode '
                "gave: add 'framing' to PackPoseInputs' meta_keys"
            )
        rotation = np.asarray(framing)[..., None, :, :]
        return super().decode(encoded @ np.swapaxes(rotation, -1, -2), target_root)
