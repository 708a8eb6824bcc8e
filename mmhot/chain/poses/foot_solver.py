"""Corrections of root and legs that bring standing ankles to rest, by least squares.

The normal equations of all frames of a person are banded and solved at once. Two-bone
inverse kinematics then places the knees. The problem is known as footskate cleanup
(`Kovar et al., SCA 2002 <https://doi.org/10.1145/545261.545277>`_).
"""

from dataclasses import dataclass

import numpy as np

from mmhot.chain.poses.contacts import ANKLES
from mmhot.geometry.smooth_fits import (
    normal_bands,
    rest_equations,
    rest_weights,
    second_differences,
    sight_precision,
    solve_blocks,
)
from mmhot.skeletons.joint_angles import unit_vectors
from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
LEGS = [
    _H36M.indices([f'{side}_hip', f'{side}_knee', f'{side}_foot'])
    for side in ('right', 'left')
]
_RIGHT_HIP, _LEFT_HIP = _HIPS = [leg[0] for leg in LEGS]
# From corrections of root, right and left ankle to the root's correction, and to the
# ankles' corrections relative to the root
_LINKS = np.array([[1, 0, 0], [-1, 1, 0], [-1, 0, 1]])


@dataclass(frozen=True)
class FootErrors:
    """Standard deviations and limits of the corrections.

    Pairs are across and along the line of sight. A higher standard deviation lets the
    fit move that quantity farther.
    """

    # m; corrections of the lifted root, and of an ankle relative to it. Chosen on 12
    # motions of CMU with the errors of gtpt-t, and with white noise: 0.7 of them change
    # places by .3 mm; with 1.4 of the root's, 2 of 12 people get worse by 6 mm.
    root: tuple[float, float] = (0.014, 0.03)
    ankle: tuple[float, float] = (0.014, 0.03)
    slide: float = 0.025  # m/s; velocity of a standing ankle; higher holds feet less
    # m/s^2; acceleration of the root's corrections; 0.5 to 10 of it change 1 %.
    root_acceleration: float = 2.0
    # m/s^2; acceleration of an ankle's corrections; 0.5 to 2 of it change 4 %.
    ankle_acceleration: float = 4.0
    # m/s; speed at which an ankle's contact has half its weight. With 0.5 of it ankles
    # are 7 % worse, with 2 to 10 of it 3 to 4 % better.
    half_weight_speed: float = 0.1
    # Iterations of the fit, which is linearized and reweighted; 2 to 8 change 3 %.
    rounds: int = 4
    # Length of a leg, as a share of its bones; lifted legs that are straighter may stay
    # so, others may not become straighter. Without it errors change by .6 %.
    max_stretch: float = 0.99
    # m; excess of a leg over its largest length, and length of a leg that stays
    # straight; 0.5 to 10 of them change errors by .6 %.
    reach_error: float = 0.003
    straight_error: float = 0.01
    # Sine of the angle between a leg and the line of the hips; below it, as in splits,
    # the forward direction of the knee counts less. 0 to 2 of it change no error.
    min_hinge: float = 0.2


class FootSolver:
    """Legs of one person, and the fit that brings standing ankles to rest.

    Unknown are the displacements of root, right ankle and left ankle in each frame.
    Their normal equations collect four terms: displacements are small, they are smooth,
    legs are no longer than their bones, and standing ankles do not move. The last two
    are linearized around the displacements of the round before.

    Args:
        poses (np.ndarray): Root-relative joints in camera axes, the first 17 of them
            Human3.6M's, meters, (T, K, 3).
        root (np.ndarray): Root positions in camera axes, meters, (T, 3).
        seconds (np.ndarray): Timestamps, at least 3, (T,).
        errors (FootErrors): Standard deviations and limits.
        keep_bones (bool): Whether bones keep their length in each frame; otherwise
            they get their median length.

    Attributes:
        ankles (np.ndarray): Right and left ankle in camera axes, meters, (T, 2, 3).
        bones (np.ndarray): Lengths of thigh and shin of both legs, meters, (T, 2, 2)
            or (1, 2, 2).

    Example:
        A person stands for a second, four meters away. The right ankle was lifted with
        an error that grows to 20 mm; the correction leaves 3 mm, and shares the rest
        between root and ankle:

        >>> poses = np.zeros((50, 17, 3))
        >>> poses[:, LEGS[0]] = [[-0.1, 0, 0], [-0.1, 0.4, -0.1], [-0.1, 0.8, 0]]
        >>> poses[:, LEGS[1]] = [[0.1, 0, 0], [0.1, 0.4, -0.1], [0.1, 0.8, 0]]
        >>> poses[:, ANKLES[0], 0] += np.linspace(0, 0.02, 50)
        >>> root = np.tile([0.0, 0.0, 4.0], (50, 1))
        >>> solver = FootSolver(poses, root, np.arange(50) / 50)
        >>> poses, root = solver.solve(stands=np.ones((50, 2)))
        >>> ankles = poses[:, ANKLES] + root[:, None]
        >>> (1000 * np.ptp(ankles[..., 0], axis=0)).round(1).tolist()  # mm
        [2.9, 1.2]
    """

    def __init__(
        self,
        poses: np.ndarray,
        root: np.ndarray,
        seconds: np.ndarray,
        errors: FootErrors = FootErrors(),
        keep_bones: bool = False,
    ) -> None:
        self.poses = poses
        self.root = root
        self.seconds = seconds
        self.errors = errors
        self.ankles = poses[:, ANKLES] + root[:, None]
        bones = np.diff(poses[:, np.array(LEGS)], axis=2)
        lengths = np.linalg.norm(bones, axis=-1)
        self.bones = lengths if keep_bones else np.median(lengths, 0, keepdims=True)

    def solve(self, stands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bring standing ankles to rest, and place the knees.

        Args:
            stands (np.ndarray): Probability that the right and left ankle stand,
                (T, 2).

        Returns:
            tuple[np.ndarray, np.ndarray]: New poses, meters, (T, K, 3), in which knees
            and ankles differ, and the new root, meters, (T, 3).
        """
        moved = self.displacements(stands)
        ankles = self.poses[:, ANKLES] + (moved[:, 1:] - moved[:, :1])
        hinge = unit_vectors(self.poses[:, _RIGHT_HIP] - self.poses[:, _LEFT_HIP])
        poses = self.poses.copy()
        for side, leg in enumerate(LEGS):
            poses[:, leg[1:]] = bend_knee(
                self.poses[:, leg],
                ankles[:, side],
                hinge,
                self.bones[:, side],
                self.errors,
            )
        return poses, self.root + moved[:, 0]

    def displacements(self, stands: np.ndarray) -> np.ndarray:
        """Find the displacements of root, right and left ankle by least squares.

        Args:
            stands (np.ndarray): Probability that the right and left ankle stand,
                (T, 2).

        Returns:
            np.ndarray: Displacements in camera axes, meters, (T, 3, 3).
        """
        small = self._small()
        smooth = self._smooth()
        weights = stands[1:] * stands[:-1]
        moved = np.zeros((len(self.root), 3, 3))
        for _ in range(self.errors.rounds):
            reach, right = self._reach(moved)
            bands = smooth.copy()
            for side in range(2):
                rest, force = rest_equations(
                    self.ankles[:, side],
                    weights[:, side],
                    self.seconds,
                    self.errors.slide,
                )
                bands[:2, :, side + 1] += rest[..., None]
                right[:, side + 1] += force
            blocks = (small + reach).reshape(-1, 9, 9)
            moved = solve_blocks(blocks, bands.reshape(3, -1), right)
            places = self.ankles + moved[:, 1:]
            weights = rest_weights(
                stands, places, self.seconds, self.errors.half_weight_speed
            )
        return moved

    def _small(self) -> np.ndarray:
        """Return the normal equations of small displacements, (T, 3, 3, 3, 3).

        They are indexed by frame, displaced point and axis, displaced point and axis.
        """
        errors = self.errors
        precision = [
            sight_precision(self.root, errors.root),
            *(sight_precision(x, errors.ankle) for x in self.ankles.swapaxes(0, 1)),
        ]
        pairs = _LINKS[:, :, None] * _LINKS[:, None]
        return np.einsum('lpq,ltij->tpiqj', pairs, precision)

    def _smooth(self) -> np.ndarray:
        """Return the bands of the normal equations of smooth displacements.

        They are (3, T, 3, 3): band, frame, displaced point, axis.
        """
        root = self.errors.root_acceleration
        ankle = self.errors.ankle_acceleration
        precision = np.repeat(np.array([root, ankle, ankle])[:, None] ** -2.0, 3, 1)
        differences = second_differences(self.seconds, 1.0)
        bands = normal_bands(differences, len(self.seconds))
        return bands[..., None, None] * precision

    def _reach(self, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the equations of legs that are no longer than their bones.

        Legs that were lifted straight stay straight. The equations are linearized
        around displacements ``moved`` (T, 3, 3).

        Returns:
            tuple[np.ndarray, np.ndarray]: Normal equations (T, 3, 3, 3, 3), indexed as
            in :meth:`_small`, and their right side, (T, 3, 3).
        """
        errors = self.errors
        legs = self.poses[:, ANKLES] - self.poses[:, _HIPS]
        longest = _longest(legs, self.bones, errors)
        is_straight = longest > errors.max_stretch * self.bones.sum(-1)
        lines = legs + _LINKS[1:] @ moved
        sizes = np.linalg.norm(lines, axis=-1)
        pull = np.where(is_straight, 1 / errors.straight_error, 0)
        pull = np.where(sizes > longest, 1 / errors.reach_error, pull)
        along = lines * (pull / sizes.clip(1e-6))[..., None]
        targets = longest * pull - (along * legs).sum(-1)
        pairs = _LINKS[1:, :, None] * _LINKS[1:, None]
        reach = np.einsum('lpq,tli,tlj->tpiqj', pairs, along, along)
        return reach, np.einsum('lp,tl,tli->tpi', _LINKS[1:], targets, along)


def bend_knee(
    lifted: np.ndarray,
    ankle: np.ndarray,
    hinge: np.ndarray,
    bones: np.ndarray,
    errors: FootErrors = FootErrors(),
) -> np.ndarray:
    """Place a knee by two-bone inverse kinematics.

    The knee bends in the direction of the lifted knee, but never backwards. A leg that
    would be too long becomes straighter, the more the longer it would be.

    Args:
        lifted (np.ndarray): Hip, knee and ankle before the correction, camera axes,
            meters, (T, 3, 3).
        ankle (np.ndarray): Corrected ankle, (T, 3).
        hinge (np.ndarray): Unit vector from the left to the right hip, about which
            knees bend, (T, 3).
        bones (np.ndarray): Lengths of thigh and shin, meters, (T, 2) or (2,).
        errors (FootErrors): Limits of legs.

    Returns:
        np.ndarray: Knee and ankle, (T, 2, 3).

    Example:
        Thigh, shin and the line from hip to ankle are 30, 40 and 50 cm long. The knee
        is 24 cm in front of the line (y is down, the person faces the camera):

        >>> leg = np.array([[[0, 0, 0], [0, 0.2, -0.1], [0, 0.45, 0]]])
        >>> ankle, hinge = np.array([[[0, 0.5, 0]], [[-1.0, 0, 0]]])
        >>> bend_knee(leg, ankle, hinge, np.array([0.3, 0.4]))[0].round(6).tolist()
        [[0.0, 0.18, -0.24], [0.0, 0.5, 0.0]]
    """
    hip, knee, lifted_ankle = np.moveaxis(lifted, 1, 0)
    thigh, shin = bones[..., :1], bones[..., 1:]
    line = ankle - hip
    length = np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-6)
    axis = line / length
    longest = _longest(lifted_ankle - hip, bones, errors)[:, None]
    # A clipped length would leave knees at one angle for several frames.
    room = (thigh + shin - longest).clip(1e-6)
    over = (length - longest).clip(0)
    length = np.minimum(length, longest) + room * np.tanh(over / room)
    length = length.clip(abs(thigh - shin) + 1e-4)
    forward = unit_vectors(np.cross(hinge, axis), errors.min_hinge)
    pole = knee - hip
    pole = pole - (pole * axis).sum(-1, keepdims=True) * axis
    ahead = (pole * forward).sum(-1, keepdims=True)
    pole += (0.01 - ahead).clip(0) * forward
    pole = unit_vectors(pole)
    along = (thigh**2 - shin**2 + length**2) / (2 * length)
    side = np.sqrt((thigh**2 - along**2).clip(0))
    return np.stack([hip + axis * along + pole * side, hip + axis * length], axis=1)


def _longest(legs: np.ndarray, bones: np.ndarray, errors: FootErrors) -> np.ndarray:
    """Return the largest distance from hip to ankle, meters, (...).

    Legs (..., 3) are the lifted lines from hip to ankle; bones (..., 2) are the lengths
    of thigh and shin.
    """
    longest = bones.sum(-1)
    sizes = np.linalg.norm(legs, axis=-1)
    return sizes.clip(errors.max_stretch * longest, longest)
