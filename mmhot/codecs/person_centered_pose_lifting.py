"""Codec of person-centered lifting: one virtual camera per window.

All functions let any axes lead, so that all windows of a clip are encoded at once.
"""

import numpy as np
from mmpose.registry import KEYPOINT_CODECS

from mmhot.codecs.camera_pose_lifting import CameraPoseLifting
from mmhot.lens import DEFAULT_FOCAL_RATIO, camera_intrinsics


def look_at_rotation(direction: np.ndarray) -> np.ndarray:
    """Compute the rotation of a camera towards a direction, without roll.

    Args:
        direction (np.ndarray): Directions in camera axes (x right, y down, z away),
            (..., 3), of any length.

    Returns:
        np.ndarray: (..., 3, 3); the columns are the rotated camera's axes, so that
        ``p_camera = rotation @ p_rotated``.
    """
    x, y, z = direction[..., 0], direction[..., 1], direction[..., 2]
    level = np.hypot(x, z)
    length = np.hypot(level, y)
    sin_yaw, cos_yaw = x / level, z / level
    sin_pitch, cos_pitch = y / length, level / length
    zero = np.zeros_like(x)
    axes = np.array(
        [
            [cos_yaw, zero, -sin_yaw],
            [-sin_yaw * sin_pitch, cos_pitch, -cos_yaw * sin_pitch],
            [sin_yaw * cos_pitch, sin_pitch, cos_yaw * cos_pitch],
        ]
    )
    return np.moveaxis(axes, (1, 0), (-2, -1))


def frame_person(
    keypoints: np.ndarray,
    focal: np.ndarray,
    center: np.ndarray,
    size: float = 0.5,
    num_center_frames: int = 9,
) -> tuple[np.ndarray, np.ndarray]:
    """Project windows of keypoints by virtual cameras centered on their persons.

    The camera points at the mean joint of the window's middle frames. The mean
    distance of the joints from their frame's mean, over the whole window, becomes
    ``size``; motion within the window, also towards the camera, is kept.

    Args:
        keypoints (np.ndarray): Finite pixel coordinates, (..., T, K, 2).
        focal (np.ndarray): Focal lengths in pixels, (2,).
        center (np.ndarray): Principal point in pixels, (2,).
        size (float): Mean distance of joints from their frame's mean afterwards.
        num_center_frames (int): Frames around the middle that the camera points at;
            more of them are less noisy.

    Returns:
        tuple[np.ndarray, np.ndarray]:
        Keypoints in the virtual image, (..., T, K, 2), without unit, and rotations
        (..., 3, 3), ``p_camera = rotation @ p_virtual``.
    """
    *lead, num_frames, num_keypoints, _ = keypoints.shape
    first = max((num_frames - num_center_frames) // 2, 0)
    middle = slice(first * num_keypoints, (num_frames - first) * num_keypoints)

    # coordinates first: NumPy is slow at last axes of two or three numbers
    rays = np.ones((*lead, 3, num_frames * num_keypoints), np.float32)
    for axis in range(2):
        along = (keypoints[..., axis] - center[axis]) / focal[axis]
        rays[..., axis, :] = along.reshape(*lead, -1)
    rotation = look_at_rotation(rays[..., middle].mean(-1))

    turned = np.swapaxes(rotation, -1, -2) @ rays
    # no real image has joints more than 84 degrees off the axis
    framed = turned[..., :2, :] / np.maximum(turned[..., 2:, :], 0.1)
    framed = framed.reshape(*lead, 2, num_frames, num_keypoints)

    offsets = framed - framed.mean(-1, keepdims=True)
    away = np.hypot(offsets[..., 0, :, :], offsets[..., 1, :, :]).mean((-2, -1))
    zoom = size / np.maximum(away, 1e-6)
    framed = np.moveaxis(framed * zoom[..., None, None, None], -3, -1)
    return np.ascontiguousarray(framed, np.float32), rotation.astype(np.float32)


@KEYPOINT_CODECS.register_module()
class PersonCenteredPoseLifting(CameraPoseLifting):
    """Encode keypoints by a virtual camera centered on the person, one per window.

    Position in the image, size and focal length carry no information about the pose.
    The virtual camera removes them: its optical axis points at the person (yaw, then
    pitch, no roll, so that vertical directions stay vertical), and its zoom normalizes
    the person's size. The network reads and predicts in its axes; ``decode`` rotates
    poses back to the real camera's.

    Args:
        num_keypoints (int): Keypoints ``K``.
        root_index (int): Index of the root joint.
        size (float): Mean distance of joints from their frame's mean, after zooming.
        num_center_frames (int): Frames that the camera points at.
        focal_ratio (float): Focal length over the longer image side, assumed if
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
        """Encode pixels as ``keypoint_labels``; the rotation (3, 3) is ``framing``."""
        focal, center = camera_intrinsics(camera_param, self.focal_ratio)
        labels, rotation = frame_person(
            keypoints[..., :2], focal, center, self.size, self.num_center_frames
        )
        return dict(keypoint_labels=labels, framing=rotation)

    def encode_targets(self, relative: np.ndarray, encoded: dict) -> np.ndarray:
        """Rotate root-relative meters (..., T', K, 3) to the virtual camera's axes."""
        return (relative @ encoded['framing'][..., None, :, :]).astype(np.float32)

    def decode(
        self,
        encoded: np.ndarray,
        framing: np.ndarray | None = None,
        target_root: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode network output to meters in the real camera's axes.

        Args:
            encoded (np.ndarray): Network output, (..., T', K, 3).
            framing (np.ndarray): Rotation from ``encode``, (..., 3, 3).
            target_root (np.ndarray, optional): As in the parent class.

        Returns:
            tuple[np.ndarray, np.ndarray]: Keypoints (..., T', K, 3) and scores.

        Raises:
            ValueError: If ``framing`` is missing.
        """
        if framing is None:
            raise ValueError(
                'PersonCenteredPoseLifting.decode needs the rotation from encode: '
                "add 'framing' to PackPoseInputs' meta_keys"
            )
        rotation = np.asarray(framing)[..., None, :, :]
        return super().decode(encoded @ np.swapaxes(rotation, -1, -2), target_root)
