"""Positions of points near known joints: from their rays, lengths, priors, smoothly.

Toes, heels, hands and faces hang on joints that a lifter has placed. Their offsets from
these joints are a banded nonlinear least-squares problem over all frames of a person.
"""

from dataclasses import dataclass, replace

import numpy as np

from mmhot.geometry.smooth_fits import (
    normal_bands,
    rest_equations,
    rest_weights,
    second_differences,
    solve_blocks,
)
from mmhot.geometry.windows import solve_in_parts


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
    # distance by pair of points; the second is -1 for the joint
    lengths: dict[tuple[int, int], float]
    seconds: np.ndarray  # timestamps, (T,)
    flat: np.ndarray  # confidence that the first two points have the same height, (T,)
    up: np.ndarray  # upward direction, (3,)
    ray_error: float = 0.01  # standard deviation of points from their rays, meters
    length_error: float = 0.05  # standard deviation of the lengths, meters
    rests: np.ndarray | None = None  # probability that each point rests, (T, P)

    def part(self, rows: slice) -> 'Offsets':
        """Select frames."""
        names = ['mean', 'precision', 'joints', 'rays', 'weights', 'seconds', 'flat']
        names += ['rests'] if self.rests is not None else []
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def fit_offsets(facts: Offsets, errors: OffsetErrors = OffsetErrors()) -> np.ndarray:
    """Return the most probable offsets in camera axes, meters, (T, P, 3)."""
    return solve_in_parts(lambda rows: _fit(facts.part(rows), errors), len(facts.mean))


def side_view(offsets: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Return the share of offsets (T, P, 3) that lies across the lines of sight."""
    sight = joints / np.linalg.norm(joints, axis=-1, keepdims=True)
    along = (offsets * sight).sum(-1) / np.linalg.norm(offsets, axis=-1).clip(1e-9)
    return np.sqrt((1 - along**2).clip(0))


def point_line(offsets: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Return the vectors (T, 3) to a pair's first point from its second, or joint."""
    first, second = pair
    return offsets[:, first] - (offsets[:, second] if second >= 0 else 0)


def _fit(facts: Offsets, scales: OffsetErrors) -> np.ndarray:
    matrix = np.einsum('pq,tpij->tpiqj', np.eye(facts.mean.shape[1]), facts.precision)
    right = np.einsum('tpij,tpj->tpi', facts.precision, facts.mean)
    tilt = facts.up / scales.flat
    if facts.flat.any():
        rows = np.zeros_like(facts.mean)
        rows[:, 0], rows[:, 1] = tilt, -tilt
        matrix += np.einsum('t,tpi,tqj->tpiqj', facts.flat, rows, rows)
    # joint + offset lies on the ray: x - ray * z = 0, and the same in y
    lines = np.zeros((*facts.rays.shape, 3))
    lines[..., 0, 0] = lines[..., 1, 1] = 1
    lines[..., 2] = -facts.rays
    targets = -np.einsum('tpai,tpi->tpa', lines, facts.joints)
    index = np.arange(facts.mean.shape[1])
    offsets, weights = facts.mean, facts.weights / facts.ray_error**2
    size = right[0].size
    differences = second_differences(facts.seconds, scales.acceleration)
    smooth = np.repeat(normal_bands(differences, len(right)), size, axis=1)
    for _ in range(scales.rounds):
        total, sums, bands = matrix.copy(), right.copy(), smooth
        if facts.rests is not None:
            bands = _rest(facts, offsets, bands, sums, scales)
        errors = np.einsum('tpai,tpi->tpa', lines, offsets) - targets
        # weights of a heavy-tailed (Cauchy) error
        robust = weights / (1 + (errors**2).sum(-1) / (3 * facts.ray_error) ** 2)
        seen = np.einsum('tp,tpai,tpaj->tpij', robust, lines, lines)
        total[:, index, :, index] += seen.swapaxes(0, 1)
        sums += np.einsum('tp,tpai,tpa->tpi', robust, lines, targets)
        for pair, length in facts.lengths.items():
            _add_length(total, sums, offsets, pair, length, facts.length_error**-2)
        offsets = solve_blocks(total.reshape(-1, size, size), bands, sums)
    return offsets


def _rest(
    facts: Offsets,
    offsets: np.ndarray,
    bands: np.ndarray,
    right: np.ndarray,
    scales: OffsetErrors,
) -> np.ndarray:
    """Return bands with the rest of points added; adds to the right side in place."""
    assert facts.rests is not None
    joints, seconds = facts.joints, facts.seconds
    weights = rest_weights(facts.rests, joints + offsets, seconds, scales.robust)
    bands = bands.reshape(3, *right.shape).copy()
    for point, rests in enumerate(weights.T):
        stiff, force = rest_equations(joints[:, point], rests, seconds, scales.slide)
        bands[:2, :, point] += stiff[..., None]
        right[:, point] += force
    return bands.reshape(3, -1)


def _add_length(
    matrix: np.ndarray,
    right: np.ndarray,
    offsets: np.ndarray,
    pair: tuple[int, int],
    length: float,
    weight: float,
) -> None:
    """Add equations of a distance, linear around the offsets so far, in place."""
    first, second = pair
    line = point_line(offsets, pair)
    unit = line / np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-6)
    ends = [(first, 1.0), (second, -1.0)] if second >= 0 else [(first, 1.0)]
    for point, sign in ends:
        right[:, point] += sign * unit * (length * weight)
        for other, turn in ends:
            outer = unit[:, :, None] * unit[:, None]
            matrix[:, point, :, other] += sign * turn * weight * outer
