"""Refinement of lifted poses: bones of nearly constant lengths."""

from dataclasses import dataclass

import numpy as np

from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
_CHILDREN = np.flatnonzero(np.array(_H36M.parents) >= 0)
_PARENTS = np.array(_H36M.parents)[_CHILDREN]
_JOINTS = np.eye(len(_H36M.parents))
# This matrix times the joints gives the vectors of the bones, (16, 17).
_BONES = _JOINTS[_CHILDREN] - _JOINTS[_PARENTS]
# Projections (17, 17) onto poses whose root is halfway between the hips: all three
# move, or only the hips of root-relative poses
_HIPS = _JOINTS[_H36M.indices(['left_hip', 'right_hip'])].sum(0)
_APART = _JOINTS[0] - _HIPS / 2
_HALFWAY = _JOINTS - np.outer(_APART, _APART) / (_APART @ _APART)
_ROOTED = _JOINTS - np.outer(_JOINTS[0], _JOINTS[0]) - np.outer(_HIPS, _HIPS) / 2
_MIRRORED = np.searchsorted(_CHILDREN, np.array(_H36M.flip_indices)[_CHILDREN])


@dataclass(frozen=True)
class BoneErrors:
    """Standard deviations, relative to a joint's error along the line of sight.

    Ranges are those of two motions with a detector's noise, and of 3D errors in them
    (``tools/analysis/audit_numbers.py``).
    """

    # Error of a joint across the line of sight. 0.5 to 2 of it change errors by .6 %.
    across: float = 0.25
    length: float = 0.7  # deviation of bone lengths; 0.5 to 2 of it change .6 %, too
    rounds: int = 2  # Gauss-Newton steps; 1 to 20 change .3 %
    halfway: bool = False  # whether the root is kept halfway between the hips
    # Whether the root itself stays, too, so that errors of limbs do not move the body
    rooted: bool = True
    chunk: int = 4000  # number of frames computed at once, which limits the memory


def keep_bone_lengths(
    poses: np.ndarray,
    directions: np.ndarray,
    errors: BoneErrors = BoneErrors(),
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Give each bone of a person about the same length in all frames.

    The length is the median over frames. It is the mean of both sides of the body
    unless joints have weights. Joints move as little as possible, and mainly along the
    line of sight, where a lifter errs most (Gauss-Newton least squares in each frame).

    Args:
        poses (np.ndarray): Root-relative joints of Human3.6M, meters, (T, 17, 3).
        directions (np.ndarray): Directions from the camera to the person, (T, 3).
        errors (BoneErrors): Standard deviations.
        weights (np.ndarray, optional): Relative variances of joints, (T, 17); a joint
            with 0 stays. By default all joints move alike.

    Returns:
        np.ndarray: Root-relative joints, meters, (T, 17, 3) float32.
    """
    lengths = np.median(np.linalg.norm(_BONES @ poses, axis=-1), axis=0)
    if weights is None:
        lengths = (lengths + lengths[_MIRRORED]) / 2
    new = []
    for start in range(0, len(poses), errors.chunk):
        part = slice(start, start + errors.chunk)
        variances = None if weights is None else weights[part]
        new.append(
            _fit_lengths(poses[part], directions[part], lengths, errors, variances)
        )
    return np.concatenate(new)


def _fit_lengths(
    poses: np.ndarray,
    directions: np.ndarray,
    lengths: np.ndarray,
    errors: BoneErrors,
    weights: np.ndarray | None,
) -> np.ndarray:
    """Move joints by minimum-norm Gauss-Newton, so that bones have these lengths.

    The displacements are ``d = C J' (J C J' + N)^-1 r``, linearized again each round: C
    is the covariance of the joints (long along the line of sight), J the unit vectors
    of the bones times the matrix from joints to bones, N the tolerance of the lengths,
    and r the missing lengths.

    Args:
        poses (np.ndarray): Joints, meters, (T, 17, 3).
        directions (np.ndarray): Lines of sight, (T, 3).
        lengths (np.ndarray): Lengths of the bones, meters, (16,).
        errors (BoneErrors): Standard deviations.
        weights (np.ndarray | None): Relative variances of joints, (T, 17).

    Returns:
        np.ndarray: Root-relative joints, meters, (T, 17, 3) float32.
    """
    sights = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    along = sights[:, :, None] * sights[:, None]
    covariance = np.eye(3) * errors.across**2 + (1 - errors.across**2) * along
    to_bones = _BONES
    if errors.halfway:
        halfway = _ROOTED if errors.rooted else _HALFWAY
        to_bones = _BONES @ halfway
        poses = halfway @ poses
    to_joints = to_bones.T if weights is None else weights[..., None] * to_bones.T
    shared_joints = to_bones @ to_joints
    tolerance = np.eye(len(lengths)) * errors.length**2
    lifted = _BONES @ poses.astype(np.float64)
    moved = np.zeros_like(poses, np.float64)
    for _ in range(errors.rounds):
        bones = lifted + _BONES @ moved
        current = np.linalg.norm(bones, axis=-1)
        units = bones / current.clip(1e-6)[..., None]
        cov_jt = units @ covariance  # (T, 16, 3)
        innovation = np.einsum('tia,tja->tij', cov_jt, units) * shared_joints
        # Missing length of the lifted bones, linearized at the current ones
        missing = lengths - current + (units * (bones - lifted)).sum(-1)
        gain = np.linalg.solve(innovation + tolerance, missing[..., None])
        moved = to_joints @ (cov_jt * gain)
    new = poses + moved
    return (new - new[:, :1]).astype(np.float32)
