"""Positions of points near known joints, from rays, lengths and expected shapes.

Toes, heels, hands and faces hang on joints that a lifter has placed. Banded nonlinear
least squares over all frames of a person find their offsets from these joints.
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

# Normal equations and their right side, (T, P, 3). Equations within a frame are
# (T, P, 3, P, 3): frame, point and axis, point and axis.
_Terms = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class OffsetErrors:
    """Standard deviations of a fit of offsets, and its rounds.

    0.5 to 2 of each change errors of toes, hands and heads by 3 %, on the people of
    :class:`mmhot.chain.poses.extremities.PartShapes`.
    """

    acceleration: float = 15.0  # m/s^2; acceleration of offsets
    flat: float = 0.02  # m; difference in height of two points flat on the floor
    slide: float = 0.05  # m/s; velocity of a resting point
    half_weight_speed: float = 0.15  # m/s; a contact has half its weight at this speed
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
    ray_error: float = 0.005  # standard deviation of points from their rays, meters
    length_error: float = 0.05  # standard deviation of the lengths, meters


def fit_offsets(facts: Offsets, errors: OffsetErrors = OffsetErrors()) -> np.ndarray:
    """Find the most probable offsets (Gauss-Newton with robust weights).

    Returns:
        np.ndarray: Offsets in camera axes, meters, (T, P, 3).

    Example:
        A toe is expected 10 cm beside its ankle, plus or minus 5 cm. The image shows it
        20 cm beside the ankle, plus or minus 1 cm:

        >>> ones = np.ones((5, 1))
        >>> facts = Offsets(
        ...     mean=ones[..., None] * [0.1, 0, 0],
        ...     precision=ones[..., None, None] * np.eye(3) / 0.05**2,
        ...     joints=ones[..., None] * [0, 0, 4.0],
        ...     rays=ones[..., None] * [0.2 / 4, 0],
        ...     weights=ones,
        ...     links=np.zeros((0, 1)),
        ...     lengths=np.zeros(0),
        ...     seconds=np.arange(5) / 25,
        ...     flat=np.zeros(5),
        ...     up=np.array([0, -1.0, 0]),
        ...     rests=0 * ones,
        ... )
        >>> fit_offsets(facts)[0].round(3).tolist()
        [[0.199, 0.0, -0.005]]
    """
    expected, expected_sums = _expectation(facts, errors)
    differences = second_differences(facts.seconds, errors.acceleration)
    smooth = normal_bands(differences, len(facts.seconds))
    offsets = facts.mean
    for _ in range(errors.rounds):
        bands, rest_sums = _rests(facts, offsets, errors)
        rays, ray_sums = _rays(facts, offsets)
        lengths, length_sums = _lengths(facts, offsets)
        sums = expected_sums + rest_sums + ray_sums + length_sums
        size = sums[0].size
        offsets = solve_blocks(
            (expected + rays + lengths).reshape(-1, size, size),
            (smooth[..., None, None] + bands).reshape(3, -1),
            sums,
        )
    return offsets


def _expectation(facts: Offsets, errors: OffsetErrors) -> _Terms:
    """Offsets are as expected; on a flat foot toe and heel have the same height."""
    equations = _within_points(facts.precision)
    if facts.flat.any():
        rows = np.zeros_like(facts.mean)
        rows[:, 0] = facts.up / errors.flat
        rows[:, 1] = -facts.up / errors.flat
        equations += np.einsum('t,tpi,tqj->tpiqj', facts.flat, rows, rows)
    return equations, np.einsum('tpij,tpj->tpi', facts.precision, facts.mean)


def _rays(facts: Offsets, offsets: np.ndarray) -> _Terms:
    """Points are on their rays, x - ray_x * z = 0, and the same in y.

    Outliers by the offsets so far, (T, P, 3), count less.
    """
    lines = np.zeros((*facts.rays.shape, 3))
    lines[..., 0, 0] = lines[..., 1, 1] = 1
    lines[..., 2] = -facts.rays
    targets = -np.einsum('tpai,tpi->tpa', lines, facts.joints)
    apart = np.einsum('tpai,tpi->tpa', lines, offsets) - targets
    # Weights of a heavy-tailed (Cauchy) error
    weights = facts.weights / facts.ray_error**2
    weights = weights / (1 + (apart**2).sum(-1) / (3 * facts.ray_error) ** 2)
    equations = np.einsum('tp,tpai,tpaj->tpij', weights, lines, lines)
    sums = np.einsum('tp,tpai,tpa->tpi', weights, lines, targets)
    return _within_points(equations), sums


def _lengths(facts: Offsets, offsets: np.ndarray) -> _Terms:
    """Distances are constant, linearized around the offsets so far, (T, P, 3)."""
    links = facts.links
    pairs = np.einsum('lp,lq->lpq', links, links) / facts.length_error**2
    units = unit_vectors(links @ offsets)
    outer = units[..., None] * units[..., None, :]
    forces = units * facts.lengths[:, None] / facts.length_error**2
    return np.einsum('lpq,tlij->tpiqj', pairs, outer), links.T @ forces


def _rests(facts: Offsets, offsets: np.ndarray, errors: OffsetErrors) -> _Terms:
    """Resting points do not move.

    These equations are between frames: bands (3, T, P, 3), see :func:`normal_bands`.
    """
    places = facts.joints + offsets
    rests = rest_weights(facts.rests, places, facts.seconds, errors.half_weight_speed)
    bands = np.zeros((3, *places.shape))
    sums = np.zeros(places.shape)
    for point, rest in enumerate(rests.T):
        joint = facts.joints[:, point]
        stiff, sums[:, point] = rest_equations(joint, rest, facts.seconds, errors.slide)
        bands[:2, :, point] = stiff[..., None]
    return bands, sums


def _within_points(equations: np.ndarray) -> np.ndarray:
    """Expand equations of single points, (T, P, 3, 3), to (T, P, 3, P, 3)."""
    return np.einsum('pq,tpij->tpiqj', np.eye(equations.shape[1]), equations)


def side_view(lines: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Return the share of each line that is across the line of sight.

    Args:
        lines (np.ndarray): Vectors in camera axes, (T, L, 3).
        joints (np.ndarray): Positions of the lines, camera axes, (T, L or 1, 3).

    Returns:
        np.ndarray: Sine of the angle between line and line of sight, (T, L).
    """
    along = (unit_vectors(lines) * unit_vectors(joints)).sum(-1)
    return np.sqrt((1 - along**2).clip(0))
