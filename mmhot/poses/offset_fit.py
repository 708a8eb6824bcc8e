"""Positions of points near known joints, from rays, lengths and expected shapes.

Toes, heels, hands and faces hang on joints that a lifter has placed. Their offsets from
these joints are found by banded nonlinear least squares over all frames of a person.
"""

from dataclasses import dataclass

import numpy as np

from mmhot.geometry.smooth_fits import (
    normal_bands,
    rest_equations,
    rest_weights,
    second_differences,
    solve_blocks,
)
from mmhot.skeletons.joint_angles import unit_vectors


@dataclass(frozen=True)
class OffsetErrors:
    """Standard deviations of a fit of offsets, and its rounds.

    Higher values follow the image more closely; lower ones make toes and hands calmer.
    """

    acceleration: float = 15.0  # m/s^2; acceleration of offsets
    flat: float = 0.02  # m; difference in height of two points flat on the floor
    slide: float = 0.05  # m/s; velocity of a resting point
    # m/s; a contact has half its weight at this speed. Higher values hold more points.
    robust: float = 0.15
    rounds: int = 6  # iterations of the fit, which is linearized and reweighted


@dataclass(frozen=True)
class Offsets:
    """Evidence for the offsets of P points from their joints in T frames."""

    mean: np.ndarray  # expected offsets in camera axes, meters, (T, P, 3)
    precision: np.ndarray  # inverse covariances of the expectation, (T, P, 3, 3)
    joints: np.ndarray  # joints that the offsets start at, (T, P, 3)
    rays: np.ndarray  # points in the image over the focal length, (T, P, 2)
    weights: np.ndarray  # confidence of the rays, 0 where unknown, (T, P)
    # Pairs of points at constant distances: 1 for the first, -1 for the second, which
    # is left out if it is the joint, (L, P)
    links: np.ndarray
    lengths: np.ndarray  # these distances, meters, (L,)
    seconds: np.ndarray  # timestamps, (T,)
    flat: np.ndarray  # confidence that the first two points have the same height, (T,)
    up: np.ndarray  # upward direction, (3,)
    rests: np.ndarray  # probability that each point rests, (T, P)
    ray_error: float = 0.01  # standard deviation of points from their rays, meters
    length_error: float = 0.05  # standard deviation of the lengths, meters


def fit_offsets(facts: Offsets, errors: OffsetErrors = OffsetErrors()) -> np.ndarray:
    """Find the most probable offsets (Gauss-Newton with robust weights).

    Args:
        facts (Offsets): Evidence for the offsets.
        errors (OffsetErrors): Standard deviations.

    Returns:
        np.ndarray: Offsets in camera axes, meters, (T, P, 3).
    """
    joints, seconds, links = facts.joints, facts.seconds, facts.links
    matrix = np.einsum('pq,tpij->tpiqj', np.eye(joints.shape[1]), facts.precision)
    right = np.einsum('tpij,tpj->tpi', facts.precision, facts.mean)
    if facts.flat.any():
        rows, tilt = np.zeros_like(facts.mean), facts.up / errors.flat
        rows[:, 0], rows[:, 1] = tilt, -tilt
        matrix += np.einsum('t,tpi,tqj->tpiqj', facts.flat, rows, rows)
    # The point, joint + offset, lies on its ray: x - ray_x * z = 0, and the same in y.
    lines = np.zeros((*facts.rays.shape, 3))
    lines[..., 0, 0] = lines[..., 1, 1] = 1
    lines[..., 2] = -facts.rays
    targets = -np.einsum('tpai,tpi->tpa', lines, joints)
    index = np.arange(joints.shape[1])
    offsets, weights = facts.mean, facts.weights / facts.ray_error**2
    differences = second_differences(seconds, errors.acceleration)
    differences = normal_bands(differences, len(seconds))
    smooth = np.tile(differences[..., None, None], right.shape[1:])
    pairs = np.einsum('lp,lq->lpq', links, links) / facts.length_error**2
    for _ in range(errors.rounds):
        total, sums, bands = matrix.copy(), right.copy(), smooth.copy()
        rests = rest_weights(facts.rests, joints + offsets, seconds, errors.robust)
        for point, rest in enumerate(rests.T):
            places = joints[:, point]
            stiff, force = rest_equations(places, rest, seconds, errors.slide)
            bands[:2, :, point] += stiff[..., None]
            sums[:, point] += force
        apart = np.einsum('tpai,tpi->tpa', lines, offsets) - targets
        # Weights of a heavy-tailed (Cauchy) error
        robust = weights / (1 + (apart**2).sum(-1) / (3 * facts.ray_error) ** 2)
        seen = np.einsum('tp,tpai,tpaj->tpij', robust, lines, lines)
        total[:, index, :, index] += seen.swapaxes(0, 1)
        sums += np.einsum('tp,tpai,tpa->tpi', robust, lines, targets)
        # Distances are linearized around the offsets so far.
        units = unit_vectors(links @ offsets)
        outer = units[..., None] * units[..., None, :]
        total += np.einsum('lpq,tlij->tpiqj', pairs, outer)
        forces = units * facts.lengths[:, None] / facts.length_error**2
        sums += links.T @ forces
        size = sums[0].size
        blocks = total.reshape(-1, size, size)
        offsets = solve_blocks(blocks, bands.reshape(3, -1), sums)
    return offsets


def side_view(lines: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Return the share of each line that is across the line of sight.

    Args:
        lines (np.ndarray): Vectors in camera axes, (T, L, 3).
        joints (np.ndarray): Where they are, camera axes, (T, L or 1, 3).

    Returns:
        np.ndarray: Sine of the angle between line and line of sight, (T, L).
    """
    along = (unit_vectors(lines) * unit_vectors(joints)).sum(-1)
    return np.sqrt((1 - along**2).clip(0))
