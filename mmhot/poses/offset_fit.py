"""Positions of points near known joints: from their rays, lengths, priors, smoothly.

Toes, heels, hands and faces hang on joints that a lifter has placed. Their offsets from
these joints are a banded nonlinear least-squares problem over all frames of a person.
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

    Larger ones follow the image more closely, smaller ones make toes and hands calmer.
    """

    acceleration: float = 15.0  # of offsets, m/s^2
    flat: float = 0.02  # difference in height of points flat on the floor, m
    slide: float = 0.05  # velocity of a resting point, m/s
    robust: float = 0.15  # speed from which a point rather does not rest, m/s
    rounds: int = 6


@dataclass(frozen=True)
class Offsets:
    """What is known of the offsets of P points from their joints in T frames."""

    mean: np.ndarray  # expected offsets in camera axes, meters, (T, P, 3)
    precision: np.ndarray  # inverse covariances of the expectation, (T, P, 3, 3)
    joints: np.ndarray  # joints that the offsets start at, (T, P, 3)
    rays: np.ndarray  # points in the image over the focal length, (T, P, 2)
    weights: np.ndarray  # confidence of the rays, 0 where unknown, (T, P)
    # constant distances, from points (1) to others (-1) or to the joint, (L, P)
    links: np.ndarray
    lengths: np.ndarray  # these distances, meters, (L,)
    seconds: np.ndarray  # timestamps, (T,)
    flat: np.ndarray  # confidence that the first two points have the same height, (T,)
    up: np.ndarray  # upward direction, (3,)
    rests: np.ndarray  # probability that each point rests, (T, P)
    ray_error: float = 0.01  # standard deviation of points from their rays, meters
    length_error: float = 0.05  # standard deviation of the lengths, meters


def fit_offsets(facts: Offsets, errors: OffsetErrors = OffsetErrors()) -> np.ndarray:
    """Return the most probable offsets in camera axes, meters, (T, P, 3)."""
    joints, seconds, links = facts.joints, facts.seconds, facts.links
    matrix = np.einsum('pq,tpij->tpiqj', np.eye(joints.shape[1]), facts.precision)
    right = np.einsum('tpij,tpj->tpi', facts.precision, facts.mean)
    if facts.flat.any():
        rows, tilt = np.zeros_like(facts.mean), facts.up / errors.flat
        rows[:, 0], rows[:, 1] = tilt, -tilt
        matrix += np.einsum('t,tpi,tqj->tpiqj', facts.flat, rows, rows)
    # joint + offset lies on the ray: x - ray * z = 0, and the same in y
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
        # weights of a heavy-tailed (Cauchy) error
        robust = weights / (1 + (apart**2).sum(-1) / (3 * facts.ray_error) ** 2)
        seen = np.einsum('tp,tpai,tpaj->tpij', robust, lines, lines)
        total[:, index, :, index] += seen.swapaxes(0, 1)
        sums += np.einsum('tp,tpai,tpa->tpi', robust, lines, targets)
        # distances, linear around the offsets so far
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
    """Return the share of lines (T, L, 3) that lies across the sight of joints."""
    along = (unit_vectors(lines) * unit_vectors(joints)).sum(-1)
    return np.sqrt((1 - along**2).clip(0))
