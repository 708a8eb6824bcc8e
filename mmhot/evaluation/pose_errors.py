"""Errors of 3D poses: plain functions of arrays, batched.

Results are in the unit of what they are given (PCK and AUC: percent). Functions called
``*_errors`` tell joints apart; the others are their mean over the joints.
``docs/metrics.md`` says what papers mean by each.
"""

from collections.abc import Sequence

import numpy as np

PCK_THRESHOLD = 0.15
"""150 mm, MPI-INF-3DHP's convention, in meters."""

AUC_THRESHOLDS = np.arange(31) * 0.005
"""0, 5, ..., 150 mm, MPI-INF-3DHP's convention, in meters."""


def mpjpe(pred: np.ndarray, target: np.ndarray, root: int | None = 0) -> np.ndarray:
    """Mean distance of a pose's joints (protocol 1).

    Args:
        pred (np.ndarray): (..., K, 3).
        target (np.ndarray): (..., K, 3), the same unit.
        root (int, optional): The joint that both are made relative to; its zero error
            counts, as in the papers. None compares them as they are.

    Returns:
        np.ndarray: Each pose's error in the same unit, (...).
    """
    return joint_errors(pred, target, root).mean(-1)


def p_mpjpe(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean distance of joints after Procrustes alignment (protocol 2).

    Args:
        pred (np.ndarray): (..., K, 3).
        target (np.ndarray): (..., K, 3), the same unit.

    Returns:
        np.ndarray: Each pose's error in the same unit, (...).
    """
    return aligned_errors(pred, target).mean(-1)


def n_mpjpe(pred: np.ndarray, target: np.ndarray, root: int | None = 0) -> np.ndarray:
    """Mean distance of joints after each pose is scaled; see :func:`mpjpe`."""
    return scaled_errors(pred, target, root).mean(-1)


def mpjve(
    pred: np.ndarray,
    target: np.ndarray,
    frames: np.ndarray | None = None,
    root: int | None = 0,
) -> np.ndarray:
    """Mean error of the joints' velocities, per frame.

    Args:
        pred (np.ndarray): One person's poses over time, (..., T, K, 3).
        target (np.ndarray): (..., T, K, 3), the same unit.
        frames (np.ndarray, optional): Frame numbers, rising, (T,). Where some are left
            out, nothing is counted across the gap. By default there is none.
        root (int, optional): As in :func:`mpjpe`.

    Returns:
        np.ndarray: Each step's error, (..., T - 1) or less, in units per frame; times
        the frame rate it is per second.
    """
    return velocity_errors(pred, target, frames, root).mean(-1)


def mpjae(
    pred: np.ndarray,
    target: np.ndarray,
    frames: np.ndarray | None = None,
    root: int | None = 0,
) -> np.ndarray:
    """Mean error of the joints' accelerations, (..., T - 2); see :func:`mpjve`.

    In units per squared frame; times the frame rate squared it is per second squared.
    """
    return acceleration_errors(pred, target, frames, root).mean(-1)


def pck(
    pred: np.ndarray,
    target: np.ndarray,
    threshold: float = PCK_THRESHOLD,
    joints: Sequence[int] | None = None,
    root: int | None = 0,
) -> np.ndarray:
    """Percentage of joints that are nearer to their target than a threshold.

    Args:
        pred (np.ndarray): (..., K, 3).
        target (np.ndarray): (..., K, 3), the same unit.
        threshold (float): In that unit; by default 150 mm of poses in meters.
        joints (Sequence[int], optional): The joints that count, by default all. MPI-
            INF-3DHP's 14 are :func:`mmhot.evaluation.pck_joints`.
        root (int, optional): As in :func:`mpjpe`.

    Returns:
        np.ndarray: Each pose's percentage, (...).
    """
    return auc(pred, target, [threshold], joints, root)


def auc(
    pred: np.ndarray,
    target: np.ndarray,
    thresholds: Sequence[float] = AUC_THRESHOLDS,
    joints: Sequence[int] | None = None,
    root: int | None = 0,
) -> np.ndarray:
    """Mean of :func:`pck` over thresholds, by default 0, 5, ..., 150 mm, in percent."""
    errors = joint_errors(pred, target, root)
    errors = errors if joints is None else errors[..., list(joints)]
    return hit_rates(errors, thresholds).mean(-1)


def joint_errors(
    pred: np.ndarray, target: np.ndarray, root: int | None = 0
) -> np.ndarray:
    """Distance of each joint, (..., K); see :func:`mpjpe`."""
    return np.linalg.norm(relative(pred, root) - relative(target, root), axis=-1)


def aligned_errors(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Distance of each joint after Procrustes alignment, (..., K)."""
    return joint_errors(procrustes_align(pred, target), target, root=None)


def scaled_errors(
    pred: np.ndarray, target: np.ndarray, root: int | None = 0
) -> np.ndarray:
    """Distance of each joint after scaling each pose around the root, (..., K)."""
    pred, target = relative(pred, root), relative(target, root)
    size = (pred**2).sum((-2, -1), keepdims=True)
    scale = (pred * target).sum((-2, -1), keepdims=True) / np.maximum(size, 1e-12)
    return joint_errors(scale * pred, target, root=None)


def velocity_errors(
    pred: np.ndarray,
    target: np.ndarray,
    frames: np.ndarray | None = None,
    root: int | None = 0,
) -> np.ndarray:
    """Error of each joint's velocity, (..., T - 1, K); see :func:`mpjve`."""
    return _change_errors(pred, target, 1, frames, root)


def acceleration_errors(
    pred: np.ndarray,
    target: np.ndarray,
    frames: np.ndarray | None = None,
    root: int | None = 0,
) -> np.ndarray:
    """Error of each joint's acceleration, (..., T - 2, K); see :func:`mpjae`."""
    return _change_errors(pred, target, 2, frames, root)


def _change_errors(
    pred: np.ndarray,
    target: np.ndarray,
    order: int,
    frames: np.ndarray | None,
    root: int | None,
) -> np.ndarray:
    """Error of each joint's change of an order in time, (..., T - order, K)."""
    error = relative(pred, root) - relative(target, root)
    return np.linalg.norm(frame_changes(error, order, frames), axis=-1)


def hit_rates(errors: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Percentage of thresholds that each of the errors (...) is below."""
    below = sum((errors < threshold).astype(np.float64) for threshold in thresholds)
    return 100 * below / len(thresholds)


def relative(poses: np.ndarray, root: int | None) -> np.ndarray:
    """Poses (..., K, 3) around a joint; as they are if it is None."""
    return poses if root is None else poses - poses[..., root : root + 1, :]


def frame_changes(
    poses: np.ndarray, order: int, frames: np.ndarray | None = None
) -> np.ndarray:
    """Differences of consecutive frames, or differences of those.

    Args:
        poses (np.ndarray): (..., T, K, 3).
        order (int): 1 for velocity, 2 for acceleration.
        frames (np.ndarray, optional): Frame numbers, rising, (T,); nothing is taken
            across a gap.

    Returns:
        np.ndarray: (..., T - order, K, 3), or fewer where there are gaps.
    """
    change = np.diff(poses, n=order, axis=-3)
    if frames is None:
        return change
    frames = np.asarray(frames)
    return change[..., frames[order:] - frames[:-order] == order, :, :]


def procrustes_align(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Move, turn and scale poses onto their targets; no reflection.

    Args:
        pred (np.ndarray): (..., K, 3).
        target (np.ndarray): (..., K, 3).

    Returns:
        np.ndarray: Aligned poses, (..., K, 3).
    """
    pred_mean = pred.mean(-2, keepdims=True)
    target_mean = target.mean(-2, keepdims=True)
    pred = pred - pred_mean
    target = target - target_mean

    covariance = np.swapaxes(pred, -1, -2) @ target
    # one broken pose must not stop the others: it stays NaN by the last line
    u, strength, vt = np.linalg.svd(np.nan_to_num(covariance, posinf=0, neginf=0))
    # the best proper rotation gives up the weakest axis of an improper one
    sign = np.sign(np.linalg.det(u @ vt))[..., None]
    u = np.concatenate([u[..., :-1], u[..., -1:] * sign[..., None]], -1)
    strength = np.concatenate([strength[..., :-1], strength[..., -1:] * sign], -1)

    size = (pred**2).sum((-2, -1))
    scale = strength.sum(-1) / np.maximum(size, 1e-12)
    return scale[..., None, None] * (pred @ (u @ vt)) + target_mean
