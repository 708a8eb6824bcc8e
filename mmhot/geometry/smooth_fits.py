"""Least squares over frames: equations of neighboring frames, rest, lines of sight.

Normal equations couple few neighboring frames, so their matrix has few diagonals, which
``scipy.linalg.solveh_banded`` solves.
"""

import numpy as np
import scipy  # its modules are loaded at first use


def time_steps(seconds: np.ndarray) -> np.ndarray:
    """Return the steps (T - 1,) of timestamps (T,), none of them near zero.

    >>> time_steps(np.array([0.0, 0.1, 0.2, 0.2])).round(3).tolist()  # one repeats
    [0.1, 0.1, 0.02]
    """
    steps = np.diff(seconds)
    return np.maximum(steps, 0.2 * np.median(steps))


def second_differences(seconds: np.ndarray, unit: float) -> np.ndarray:
    """Return the weights of positions in three frames for their acceleration.

    Time steps may vary (Fornberg 1988).

    Args:
        seconds (np.ndarray): Timestamps, (T,).
        unit (float): Unit of the accelerations, m/s^2.

    Returns:
        np.ndarray: Weights, (3, T - 2).
    """
    if len(seconds) < 3:
        return np.zeros((3, 0))
    steps = time_steps(seconds)
    before, after = steps[:-1], steps[1:]
    outer = 2 / (np.stack([before, after]) * (before + after) * unit)
    return np.stack([outer[0], -outer.sum(0), outer[1]])


def normal_bands(rows: np.ndarray, num_frames: int) -> np.ndarray:
    """Compute the diagonals of normal equations: the main one and N - 1 lower ones.

    Args:
        rows (np.ndarray): Coefficients of R equations, each of N consecutive frames,
            (N, R).
        num_frames (int): Number of frames T.

    Returns:
        np.ndarray: Diagonals, (N, T), as ``scipy.linalg.solveh_banded(lower=True)``
        expects them.
    """
    count, width = rows.shape
    bands = np.zeros((count, num_frames))
    for step in range(count):
        for first in range(count - step):
            bands[step, first : first + width] += rows[first] * rows[first + step]
    return bands


def rest_weights(
    rests: np.ndarray, places: np.ndarray, seconds: np.ndarray, robust: float
) -> np.ndarray:
    """Return the weight of each point's rest between frames.

    Args:
        rests (np.ndarray): Probability that a point rests, (T, P).
        places (np.ndarray): Positions so far, meters, (T, P, 3).
        seconds (np.ndarray): Timestamps, (T,).
        robust (float): Speed at which the weight is halved, m/s.

    Returns:
        np.ndarray: Weights, (T - 1, P).
    """
    speeds = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    speeds /= time_steps(seconds)[:, None]
    return rests[1:] * rests[:-1] / (1 + (speeds / robust) ** 2)


def rest_equations(
    places: np.ndarray, weights: np.ndarray, seconds: np.ndarray, error: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return normal equations of movements that bring a point to rest.

    Args:
        places (np.ndarray): Positions without these movements, meters, (T, 3).
        weights (np.ndarray): Weight of the rest between frames, (T - 1,).
        seconds (np.ndarray): Timestamps, (T,).
        error (float): Standard deviation of a resting point's velocity, m/s.

    Returns:
        tuple[np.ndarray, np.ndarray]: Bands (2, T) and right side (T, 3).
    """
    stiff = weights / (time_steps(seconds) * error) ** 2
    force = stiff[:, None] * np.diff(places, axis=0)
    right = np.zeros(places.shape)
    right[:-1] += force
    right[1:] -= force
    return normal_bands(np.sqrt(stiff) * [[-1], [1]], len(places)), right


def sight_precision(places: np.ndarray, errors: tuple[float, float]) -> np.ndarray:
    """Return inverse covariances of errors across and along lines of sight.

    Args:
        places (np.ndarray): Positions in camera axes, meters, (T, 3).
        errors (tuple[float, float]): Standard deviations across and along, meters.

    Returns:
        np.ndarray: Inverse covariances, (T, 3, 3).
    """
    # People of other tools may be at the origin.
    sight = places / np.linalg.norm(places, axis=-1, keepdims=True).clip(1e-6)
    along = sight[:, :, None] * sight[:, None]
    return (np.eye(3) - along) / errors[0] ** 2 + along / errors[1] ** 2


def solve_blocks(
    blocks: np.ndarray, bands: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Solve normal equations of several variables in each frame.

    Args:
        blocks (np.ndarray): Coefficients within each frame, (T, P, P).
        bands (np.ndarray): Coefficients that are added between each variable and itself
            in the same, the next and the second next frame, (3, T * P).
        right (np.ndarray): Right side, (T, ...) with P numbers in each frame.

    Returns:
        np.ndarray: The variables, of the shape of ``right``.
    """
    size = blocks.shape[-1]
    lower = np.zeros((2 * size + 1, len(blocks), size))
    for offset in range(size):
        lower[offset, :, : size - offset] = np.diagonal(blocks, -offset, 1, 2)
    lower = lower.reshape(len(lower), -1)
    lower[::size] += bands
    return scipy.linalg.solveh_banded(lower, right.ravel(), lower=True).reshape(
        right.shape
    )
