"""How plausible movement is where nobody knows the truth."""

from collections.abc import Sequence

import numpy as np

from mmhot.evaluation.pose_errors import frame_changes


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


def jitter(poses: np.ndarray, frames: np.ndarray, fps: float) -> float:
    """Mean acceleration of the joints, in units of the poses per second squared.

    Args:
        poses (np.ndarray): One person's poses over time, (T, K, 3).
        frames (np.ndarray): Their frame numbers, rising, (T,). Where some are left
            out, nothing is counted across the gap.
        fps (float): Frames per second.

    Raises:
        ValueError: If no three frames follow each other.
    """
    change = frame_changes(poses, 2, frames)
    if not len(change):
        raise ValueError('jitter needs at least 3 consecutive frames')
    return float(np.linalg.norm(change, axis=-1).mean()) * fps**2
