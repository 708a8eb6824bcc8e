"""Rotation vectors, matrices, quaternions and Euler angles."""

import numpy as np
import scipy  # its modules are loaded at first use


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """Convert rotation vectors (..., 3), radians, to matrices (..., 3, 3)."""
    vectors = np.asarray(vectors)
    turns = scipy.spatial.transform.Rotation.from_rotvec(vectors.reshape(-1, 3))
    return np.reshape(turns.as_matrix(), (*vectors.shape, 3))


def rotation_vectors(quaternions: np.ndarray) -> np.ndarray:
    """Convert quaternions x, y, z, w (..., 4) to rotation vectors (..., 3), radians."""
    turns = scipy.spatial.transform.Rotation.from_quat(quaternions.reshape(-1, 4))
    return np.reshape(turns.as_rotvec(), (*quaternions.shape[:-1], 3))


def quaternions_of(matrices: np.ndarray) -> np.ndarray:
    """Convert rotation matrices (..., 3, 3) to quaternions x, y, z, w, (..., 4)."""
    turns = scipy.spatial.transform.Rotation.from_matrix(matrices.reshape(-1, 3, 3))
    return np.reshape(turns.as_quat(), (*matrices.shape[:-2], 4))


def euler_angles(matrices: np.ndarray, order: str) -> np.ndarray:
    """Convert rotation matrices to Euler angles about three different axes.

    Each rotation is about an axis that the previous ones have turned. If the second
    angle is 90 or -90 degrees (gimbal lock), the third is 0. Matrices that are not
    rotations, as limbs without a length have them, raise no error, unlike in SciPy.

    Args:
        matrices (np.ndarray): Rotation matrices, (..., 3, 3).
        order (str): The three axes, each once, such as 'ZXY'.

    Returns:
        np.ndarray: Angles in radians, (..., 3).

    >>> quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # about z
    >>> euler_angles(quarter, 'ZXY').round(3)
    array([ 1.571,  0.   , -0.   ])
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
    """Choose the Euler angles of a motion that change least from frame to frame.

    Two triples of angles, and whole turns of each angle, are the same rotation. Where
    the second angle is 90 or -90 degrees (gimbal lock), the third keeps the value of
    the frame before, and the first compensates.

    Args:
        angles (np.ndarray): Angles of :func:`euler_angles`, radians, (..., T, 3).
        order (str): Their order, such as 'ZXY'.

    Returns:
        np.ndarray: Angles of the same rotations, (..., T, 3), continuous beyond whole
        turns.
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
        """Return the largest of three steps (..., 3), half a turn at most, (...)."""
        return np.abs((steps + np.pi) % (2 * np.pi) - np.pi).max(-1)

    before = angles[..., :-1, :]
    own_steps = largest(angles[..., 1:, :] - before)
    other_steps = largest(other[..., 1:, :] - before)
    changes = np.zeros(angles.shape[:-1], bool)
    changes[..., 1:] = other_steps < own_steps
    is_other = np.cumsum(changes, axis=-1)[..., None] % 2 == 1
    return np.unwrap(np.where(is_other, other, angles), axis=-2)
