"""Canonical framing: a virtual camera turned and zoomed onto one person.

Where a person stands in the picture, how large they are and how wide the lens is
say nothing about their pose, but a lifter that is fed picture coordinates has to
learn all of it. One virtual camera per window removes the three: its optical axis
goes through the person (yaw, then pitch, no roll, so what is upright stays upright),
and its zoom gives every person the same size. The rotation is undone afterwards.

NumPy only; every function lets any axes lead, so that all windows of a clip are
framed at once.
"""

import numpy as np


def look_at_rotation(direction: np.ndarray) -> np.ndarray:
    """Rotation of a camera that is turned towards a direction without rolling.

    Args:
        direction (np.ndarray): Directions in camera axes (x right, y down, z away),
            (..., 3), of any length.

    Returns:
        np.ndarray: (..., 3, 3); the columns are the turned camera's axes, so that
        ``p_camera = rotation @ p_turned``.
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
    """See windows of keypoints through virtual cameras on their persons.

    The camera points at the mean joint of the window's middle frames. The mean
    distance of the joints from their frame's mean, over the whole window, becomes
    ``size``; what a person does within the window, also walking and coming nearer,
    is kept.

    Args:
        keypoints (np.ndarray): Finite pixel coordinates, (..., T, K, 2).
        focal (np.ndarray): Focal lengths in pixels, (2,).
        center (np.ndarray): Principal point in pixels, (2,).
        size (float): Mean distance of joints from their frame's mean afterwards.
        num_center_frames (int): Frames around the middle that decide where the
            camera points; more of them are less noisy.

    Returns:
        tuple[np.ndarray, np.ndarray]:
        - keypoints in the virtual image, (..., T, K, 2), without unit
        - rotations (..., 3, 3), ``p_camera = rotation @ p_virtual``
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
    # a joint more than 84 degrees off the axis is not in any real picture
    framed = turned[..., :2, :] / np.maximum(turned[..., 2:, :], 0.1)
    framed = framed.reshape(*lead, 2, num_frames, num_keypoints)

    offsets = framed - framed.mean(-1, keepdims=True)
    away = np.hypot(offsets[..., 0, :, :], offsets[..., 1, :, :]).mean((-2, -1))
    zoom = size / np.maximum(away, 1e-6)
    framed = np.moveaxis(framed * zoom[..., None, None, None], -3, -1)
    return np.ascontiguousarray(framed, np.float32), rotation.astype(np.float32)
