"""Rotation vectors, matrices, quaternions and Euler angles.

SciPy's ``Rotation`` does the same; importing it takes 0.2 s of each start.
"""

import numpy as np


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """Convert rotation vectors (..., 3), radians, to matrices (..., 3, 3)."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    sine, half = np.sinc(angle / np.pi), np.sinc(angle / (2 * np.pi))
    outer = vectors[..., :, None] * vectors[..., None, :]
    matrices = np.cos(angle) * np.eye(3) + 0.5 * half**2 * outer
    turned = sine[..., 0] * vectors
    for row, column, axis in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        matrices[..., row, column] -= turned[..., axis]
        matrices[..., column, row] += turned[..., axis]
    return matrices


def rotation_vectors(quaternions: np.ndarray) -> np.ndarray:
    """Convert quaternions x, y, z, w (..., 4) to rotation vectors (..., 3), radians."""
    axis, w = quaternions[..., :3], quaternions[..., 3:]
    size = np.linalg.norm(axis, axis=-1, keepdims=True)
    scale = 2 * np.arctan2(size, np.abs(w)) / np.where(size > 0, size, 1)
    scale = np.where(size > 0, scale, 2)
    return axis * np.where(w < 0, -scale, scale)


def quaternions_of(matrices: np.ndarray) -> np.ndarray:
    """Convert rotation matrices (..., 3, 3) to quaternions x, y, z, w, (..., 4)."""
    m = np.asarray(matrices, np.float64)
    trace = np.trace(m, axis1=-2, axis2=-1)
    # four times the products of the quaternion's components
    products = np.empty((*m.shape[:-2], 4, 4))
    products[..., :3, :3] = m + np.swapaxes(m, -1, -2)
    for axis, row, column in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        products[..., axis, axis] += 1 - trace
        twist = m[..., row, column] - m[..., column, row]
        products[..., axis, 3] = products[..., 3, axis] = twist
    products[..., 3, 3] = 1 + trace
    largest = np.diagonal(products, axis1=-2, axis2=-1).argmax(-1)
    chosen = np.take_along_axis(products, largest[..., None, None], -2)[..., 0, :]
    return chosen / np.linalg.norm(chosen, axis=-1, keepdims=True)


def euler_angles(matrices: np.ndarray, order: str) -> np.ndarray:
    """Convert rotation matrices (..., 3, 3) to angles (..., 3) about three axes.

    Each turn, in radians, is about the axes that the one before has turned. If the
    second is a right angle, the third is zero.

    Args:
        matrices (np.ndarray): Rotation matrices, (..., 3, 3).
        order (str): The axes, each once, such as 'ZXY'.
    """
    m = matrices
    first, second, third = ('XYZ'.index(axis) for axis in order)
    sign = _sign(order)
    cosine = np.hypot(m[..., first, second], m[..., first, first])
    is_free = cosine > 1e-7
    turn = np.where(
        is_free,
        np.arctan2(-sign * m[..., second, third], m[..., third, third]),
        np.arctan2(sign * m[..., third, second], m[..., second, second]),
    )
    last = np.arctan2(-sign * m[..., first, second], m[..., first, first])
    middle = np.arctan2(sign * m[..., first, third], cosine)
    return np.stack([turn, middle, np.where(is_free, last, 0.0)], -1)


def _sign(order: str) -> int:
    """Return 1 if each axis follows the one before as y follows x, else -1."""
    return 1 if order in 'XYZXY' else -1


def smooth_angles(angles: np.ndarray, order: str) -> np.ndarray:
    """Choose the angles of :func:`euler_angles`, (..., T, 3), with the smallest steps.

    Two triples, and whole turns of each angle, are the same rotation. Where the second
    is a right angle, the third keeps its value, and the first makes up for it.
    """
    angles = angles.copy()
    sines = np.sin(angles[..., 1]).round(12)
    is_locked = np.abs(sines) == 1
    for frame in np.flatnonzero(is_locked.reshape(-1, sines.shape[-1]).any(0)).tolist():
        before = angles[..., max(frame - 1, 0), 2]
        kept = np.where(is_locked[..., frame], before - angles[..., frame, 2], 0)
        angles[..., frame, 0] -= _sign(order) * sines[..., frame] * kept
        angles[..., frame, 2] += kept
    other = angles * [1, -1, 1] + np.pi

    def largest(steps: np.ndarray) -> np.ndarray:
        return np.abs((steps + np.pi) % (2 * np.pi) - np.pi).max(-1)

    before = angles[..., :-1, :]
    changes = np.zeros(angles.shape[:-1], bool)
    changes[..., 1:] = largest(other[..., 1:, :] - before) < largest(
        angles[..., 1:, :] - before
    )
    is_other = np.cumsum(changes, axis=-1)[..., None] % 2 == 1
    return np.unwrap(np.where(is_other, other, angles), axis=-2)
