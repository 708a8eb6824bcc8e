"""Errors of 3D poses: plain functions of arrays, batched."""

import numpy as np


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
    if root is not None:
        pred = pred - pred[..., root : root + 1, :]
        target = target - target[..., root : root + 1, :]
    return np.linalg.norm(pred - target, axis=-1).mean(-1)


def p_mpjpe(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean distance of joints after Procrustes alignment (protocol 2).

    Args:
        pred (np.ndarray): (..., K, 3).
        target (np.ndarray): (..., K, 3), the same unit.

    Returns:
        np.ndarray: Each pose's error in the same unit, (...).
    """
    return mpjpe(procrustes_align(pred, target), target, root=None)


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

    u, strength, vt = np.linalg.svd(np.swapaxes(pred, -1, -2) @ target)
    # the best proper rotation gives up the weakest axis of an improper one
    sign = np.sign(np.linalg.det(u @ vt))[..., None]
    u = np.concatenate([u[..., :-1], u[..., -1:] * sign[..., None]], -1)
    strength = np.concatenate([strength[..., :-1], strength[..., -1:] * sign], -1)

    size = (pred**2).sum((-2, -1))
    scale = strength.sum(-1) / np.maximum(size, 1e-12)
    return scale[..., None, None] * (pred @ (u @ vt)) + target_mean
