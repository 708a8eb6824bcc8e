"""Left-right mirroring of poses."""

from collections.abc import Sequence

from torch import Tensor


def mirror_poses(poses: Tensor, flip_indices: Sequence[int]) -> Tensor:
    """Mirror poses left to right, about x = 0.

    Args:
        poses (Tensor): 2D or 3D poses, x first; channels after the coordinates are
            kept, (..., K, C).
        flip_indices (Sequence[int]): For each keypoint its partner on the other
            side, or itself.

    Returns:
        Tensor: A new tensor, (..., K, C).
    """
    mirrored = poses[..., list(flip_indices), :]
    mirrored[..., 0] *= -1
    return mirrored
