"""Where people are: the root's place before the camera, from 2D and 3D together.

A lifter says how the joints lie around the root. The pixels that they came from say
where that must be, for a known lens: the place from which the pose projects onto them.
"""

import numpy as np
from scipy.sparse import bsr_array, diags_array, identity, kron
from scipy.sparse.linalg import spsolve

# How far joints miss their pixels' rays, in meters, and how people's hips accelerate,
# in m/s^2: how much to trust the picture and how much the motion.
_MISS = 0.025
_ACCELERATION = 4.0
_ROUNDS = 4
# Frames up to which a full matrix is faster than a sparse one.
_FEW = 40
# Of the usual time from one frame to the next it takes at least so much: cameras do
# not look twice at once, clocks may say so.
_LEAST_STEP = 0.2


def place_roots(
    poses: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    focal: np.ndarray,
    center: np.ndarray,
    seconds: np.ndarray,
) -> np.ndarray:
    """Place a person's root before the camera.

    The path is the one of least squares between the distances from projected joints to
    their pixels, outliers counting less, and its own accelerations.

    Args:
        poses (np.ndarray): Joints relative to the root, camera axes (x right, y down,
            z away), meters, (T, K, 3), of consecutive frames.
        keypoints (np.ndarray): Their pixels, (T, K, 2); NaN where there is none.
        scores (np.ndarray): Their confidences, weights of the joints, (T, K).
        focal (np.ndarray): Focal lengths in pixels, (2,).
        center (np.ndarray): Principal point in pixels, (2,).
        seconds (np.ndarray): When the frames were taken, (T,).

    Returns:
        np.ndarray: The root's positions in camera axes, meters, (T, 3). NaN if no
        frame has two joints to go by.
    """
    rays = (np.asarray(keypoints, np.float64) - center) / focal
    poses = np.asarray(poses, np.float64)
    known = np.isfinite(rays).all(-1) & np.isfinite(poses).all(-1)
    weights = np.where(known, np.clip(scores, 0, 1), 0.0)
    weights[(weights > 0).sum(1) < 2] = 0
    if not weights.any():
        return np.full((len(poses), 3), np.nan)
    rays, poses = (np.where(known[..., None], x, 0.0) for x in (rays, poses))
    trust, bends = weights, _bends(np.asarray(seconds, np.float64))
    for _ in range(_ROUNDS):
        root = _solve(rays, poses, trust / _MISS**2, bends)
        # joints that miss by far count as those of a heavy-tailed error
        trust = weights / (1 + (_misses(root, rays, poses) / (3 * _MISS)) ** 2)
    return root


def _bends(seconds: np.ndarray) -> np.ndarray:
    """Factors (3, T - 2) of three frames' places in their acceleration.

    Second differences, divided for steps of any length (Fornberg 1988), over how people
    accelerate.
    """
    steps = np.diff(seconds)
    if len(steps) < 2:
        return np.zeros((3, 0))
    steps = np.maximum(steps, _LEAST_STEP * np.median(steps))
    before, after = steps[:-1], steps[1:]
    outer = 2 / (np.stack([before, after]) * (before + after) * _ACCELERATION)
    return np.stack([outer[0], -outer.sum(0), outer[1]])


def _misses(root: np.ndarray, rays: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Metres by which each joint misses its ray, (T, K)."""
    joints = poses + root[:, None]
    return np.linalg.norm(joints[..., :2] - rays * joints[..., 2:], axis=-1)


def _solve(
    rays: np.ndarray, poses: np.ndarray, trust: np.ndarray, bends: np.ndarray
) -> np.ndarray:
    """Path (T, 3) of least squares: x - ray * z = ray * pose_z - pose_x, and so on."""
    num_frames = len(poses)
    targets = rays * poses[..., 2:] - poses[..., :2]
    rows = np.zeros((*rays.shape, 3))  # (T, K, 2, 3)
    rows[..., 0, 0] = rows[..., 1, 1] = 1
    rows[..., 2] = -rays
    normal = np.einsum('tkai,tk,tkaj->tij', rows, trust, rows)
    right = np.einsum('tkai,tk,tka->ti', rows, trust, targets)
    if num_frames <= _FEW:
        return _solve_few(normal, right, bends)
    frames = np.arange(num_frames + 1)
    system = bsr_array((normal, frames[:-1], frames))
    bend = diags_array(
        list(bends), offsets=[0, 1, 2], shape=(num_frames - 2, num_frames)
    )
    system = system + kron(bend.T @ bend, identity(3))
    system = system + 1e-9 * identity(3 * num_frames)
    return spsolve(system.tocsc(), right.ravel()).reshape(num_frames, 3)


def _solve_few(normal: np.ndarray, right: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """Solve the same system with a full matrix."""
    num_frames = len(normal)
    bend = np.zeros((bends.shape[1], num_frames))
    for offset, factors in enumerate(bends):
        np.fill_diagonal(bend[:, offset:], factors)
    system = np.kron(bend.T @ bend, np.eye(3)) + 1e-9 * np.eye(3 * num_frames)
    frames = np.arange(num_frames)
    system.reshape(num_frames, 3, num_frames, 3)[frames, :, frames] += normal
    return np.linalg.solve(system, right.ravel()).reshape(num_frames, 3)
