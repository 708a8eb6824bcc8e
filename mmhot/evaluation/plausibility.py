"""How plausible movement is where nobody knows the truth."""

from collections.abc import Sequence

import numpy as np


def bone_length_variation(poses: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """How much each bone changes its length: standard deviation over mean.

    Args:
        poses (np.ndarray): One person's poses over time, (T, K, 3).
        parents (Sequence[int]): Parent of each joint, -1 for the root.

    Returns:
        np.ndarray: One number a bone, in the order of the joints that end them.
    """
    children = [joint for joint, parent in enumerate(parents) if parent >= 0]
    starts = [parents[joint] for joint in children]
    lengths = np.linalg.norm(poses[:, children] - poses[:, starts], axis=-1)
    return lengths.std(0) / lengths.mean(0)


def jitter(poses: np.ndarray, fps: float) -> float:
    """Mean acceleration of the joints, in units of the poses per second squared.

    Args:
        poses (np.ndarray): One person's poses in consecutive frames, (T, K, 3).
        fps (float): Frames per second.

    Raises:
        ValueError: If there are fewer than three frames.
    """
    if len(poses) < 3:
        raise ValueError(f'jitter needs at least 3 frames, got {len(poses)}')
    change = np.diff(poses, n=2, axis=0)
    return float(np.linalg.norm(change, axis=-1).mean()) * fps**2
