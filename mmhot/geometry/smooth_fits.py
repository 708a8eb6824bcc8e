"""Least squares over frames: equations of neighboring frames, rest, lines of sight."""

import numpy as np
import scipy  # its modules are loaded at first use


def time_steps(seconds: np.ndarray) -> np.ndarray:
    """Return steps (T - 1,), none near zero, of times (T,), which may repeat."""
    steps = np.diff(seconds)
    return np.maximum(steps, 0.2 * np.median(steps))


def second_differences(seconds: np.ndarray, unit: float) -> np.ndarray:
    """Return weights (3, T - 2) of accelerations in a unit of m/s^2.

    Time steps of the timestamps (T,) may vary (Fornberg 1988).
    """
    if len(seconds) < 3:
        return np.zeros((3, 0))
    steps = time_steps(seconds)
    before, after = steps[:-1], steps[1:]
    outer = 2 / (np.stack([before, after]) * (before + after) * unit)
    return np.stack([outer[0], -outer.sum(0), outer[1]])


def normal_bands(rows: np.ndarray, num_frames: int) -> np.ndarray:
    """Compute the diagonals of normal equations: the main one and N - 1 lower ones.

    ``rows`` (N, R) are R equations, each with coefficients of N consecutive frames. The
    diagonals are (N, T), as ``scipy.linalg.solveh_banded(lower=True)`` expects them.
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
    """Return weights (T - 1, P) of the rest between frames.

    ``rests`` (T, P) is the probability that each point rests. From the speed
    ``robust``, m/s, it rather does not, by its places so far, (T, P, 3).
    """
    speeds = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    speeds /= time_steps(seconds)[:, None]
    return rests[1:] * rests[:-1] / (1 + (speeds / robust) ** 2)


def rest_equations(
    places: np.ndarray, weights: np.ndarray, seconds: np.ndarray, error: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return normal equations of movements that bring a point to rest.

    Args:
        places (np.ndarray): Its positions without these movements, (T, 3).
        weights (np.ndarray): Of its rest between frames, (T - 1,).
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
    """Return inverse covariances (T, 3, 3) of errors across and along lines of sight.

    Places (T, 3) are in camera axes; errors are the standard deviations.
    """
    sight = places / np.linalg.norm(places, axis=-1, keepdims=True)
    along = sight[:, :, None] * sight[:, None]
    return (np.eye(3) - along) / errors[0] ** 2 + along / errors[1] ** 2


def solve_blocks(
    blocks: np.ndarray, bands: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Solve normal equations of several variables in each frame.

    Args:
        blocks (np.ndarray): Coefficients within each frame, (T, P, P).
        bands (np.ndarray): More of each variable with itself in the same, the next and
            the second next frame, (3, T * P).
        right (np.ndarray): Right side, (T, ...), of P numbers in each frame.

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
