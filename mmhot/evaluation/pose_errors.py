"""Errors of 3D poses: MPJPE and its relatives, PCK, AUC, and groups of joints.

All functions are batched. Results are in the unit of the input, PCK and AUC in percent.
Functions with names ``*_errors`` return one error for each joint, others the mean over
the joints. A joint is missing if its target is NaN: it is not aligned, does not count,
and has the error NaN. ``docs/training.md`` defines each measure.
"""

import numpy as np

from mmhot.skeletons.joints import Skeleton

_LIMBS = ('right_leg', 'left_leg', 'right_arm', 'left_arm')


def mpjpe(pred: np.ndarray, target: np.ndarray, root: int | None = 0) -> np.ndarray:
    """Compute the mean distance of a pose's joints (protocol 1).

    Args:
        pred (np.ndarray): Predicted poses, (..., K, 3).
        target (np.ndarray): True poses, (..., K, 3), in the same unit.
        root (int, optional): Index of the joint that both are made relative to; its
            zero error counts, as in the papers. None compares absolute poses.

    Returns:
        np.ndarray: Mean distance of each pose, (...).

    The second joint of a pose of two is 5 away from the true one:

    >>> target = np.zeros((1, 2, 3))
    >>> mpjpe(target + [[0, 0, 0], [3, 0, 4]], target)
    array([2.5])
    """
    return _mean(joint_position_errors(pred, target, root), target)


def p_mpjpe(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the mean distance of joints after Procrustes alignment (protocol 2).

    Args:
        pred (np.ndarray): Predicted poses, (..., K, 3).
        target (np.ndarray): True poses, (..., K, 3), in the same unit.

    Returns:
        np.ndarray: Mean distance of each pose, (...).

    A pose of twice the size has no error:

    >>> target = np.array([[[0, 0, 0], [1, 0, 0], [0, 2, 0]]])
    >>> p_mpjpe(2 * target + 5, target).round(6)
    array([0.])
    """
    return _mean(aligned_errors(pred, target), target)


def _mean(errors: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Average errors (..., K) over the joints that are not missing, (...)."""
    return np.mean(errors, axis=-1, where=~np.isnan(target[..., 0]))


def mpjve(
    pred: np.ndarray, target: np.ndarray, frames: np.ndarray | None = None
) -> np.ndarray:
    """Compute the mean error of the joints' velocities, in the unit per frame.

    Args:
        pred (np.ndarray): Predicted poses of a person over time, (..., T, K, 3).
        target (np.ndarray): True poses, (..., T, K, 3), in the same unit.
        frames (np.ndarray, optional): Rising frame numbers, (T,). If given, steps
            across gaps are left out.

    Returns:
        np.ndarray: Error of each step, (..., T - 1) or fewer.
    """
    return change_errors(pred, target, 1, frames).mean(-1)


def joint_position_errors(
    pred: np.ndarray, target: np.ndarray, root: int | None = 0
) -> np.ndarray:
    """Compute the distance of each joint, (..., K); see :func:`mpjpe`."""
    return np.linalg.norm(relative(pred, root) - relative(target, root), axis=-1)


def aligned_errors(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the distance of each joint after Procrustes alignment, (..., K).

    Poses are (..., K, 3), as for :func:`mpjpe`.
    """
    return joint_position_errors(procrustes_align(pred, target), target, root=None)


def scaled_errors(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute each joint's distance after scaling poses about the root, (..., K).

    Poses are (..., K, 3), as for :func:`mpjpe`. The scale fits them best to the target.
    """
    pred = relative(pred, 0)
    target = relative(target, 0)
    # Missing joints are left out of the sums.
    known = np.where(np.isnan(target), 0, target)
    seen = np.where(np.isnan(target), 0, pred)
    size = (seen**2).sum((-2, -1), keepdims=True)
    scale = (seen * known).sum((-2, -1), keepdims=True) / np.maximum(size, 1e-12)
    return joint_position_errors(scale * pred, target, root=None)


def change_errors(
    pred: np.ndarray, target: np.ndarray, order: int, frames: np.ndarray | None = None
) -> np.ndarray:
    """Compute the error of each joint's velocity (order 1) or acceleration (order 2).

    Arguments are the same as for :func:`mpjve`; errors are (..., T - order, K), or
    fewer.
    """
    error = relative(pred, 0) - relative(target, 0)
    return np.linalg.norm(frame_changes(error, order, frames), axis=-1)


def relative(poses: np.ndarray, root: int | None) -> np.ndarray:
    """Make poses (..., K, 3) relative to a joint, unless it is None."""
    return poses if root is None else poses - poses[..., root : root + 1, :]


def frame_changes(
    poses: np.ndarray, order: int, frames: np.ndarray | None = None
) -> np.ndarray:
    """Compute first (order 1) or second (order 2) differences of consecutive frames.

    Args:
        poses (np.ndarray): Poses, (..., T, K, 3).
        order (int): Order of the differences.
        frames (np.ndarray, optional): Rising frame numbers, (T,). If given, differences
            across gaps are left out.

    Returns:
        np.ndarray: Differences, (..., T - order, K, 3), or fewer.
    """
    change = np.diff(poses, n=order, axis=-3)
    if frames is None:
        return change
    frames = np.asarray(frames)
    return change[..., frames[order:] - frames[:-order] == order, :, :]


def procrustes_align(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Align poses (..., K, 3) to their targets by translation, rotation and scale.

    Reflections are excluded.

    Returns:
        np.ndarray: Aligned poses, (..., K, 3).
    """
    known = ~np.isnan(target)
    pred_mean = pred.mean(-2, keepdims=True, where=known)
    target_mean = target.mean(-2, keepdims=True, where=known)
    pred = pred - pred_mean
    target = np.where(known, target - target_mean, 0)
    seen = np.where(known, pred, 0)

    products = np.swapaxes(seen, -1, -2) @ target
    # Poses that are not finite become NaN, and the others are still aligned.
    left, strength, right = np.linalg.svd(np.nan_to_num(products, posinf=0, neginf=0))
    # Where the best fit is a reflection, flip the axis of the smallest singular value.
    sign = np.sign(np.linalg.det(left @ right))
    left[..., -1] *= sign[..., None]
    strength[..., -1] *= sign
    scale = strength.sum(-1) / np.maximum((seen**2).sum((-2, -1)), 1e-12)
    return pred @ (scale[..., None, None] * (left @ right)) + target_mean


def _has_body(skeleton: Skeleton) -> bool:
    """Return whether a skeleton has four limbs, a torso and a head."""
    return {*_LIMBS, 'torso', 'head'} <= skeleton.groups.keys()


def error_groups(skeleton: Skeleton) -> dict[str, list[int]]:
    """Group joints by body part, by side and by distance from the trunk.

    ``ends`` are wrists, feet (or ankles) and the top of the head, where HTNet's paper
    claims its gain.

    Args:
        skeleton (Skeleton): Skeleton; its limbs have three joints.

    Returns:
        dict[str, list[int]]: Indices of the joints of each group; empty if the skeleton
        lacks limbs, torso or head.
    """
    if not _has_body(skeleton):
        return {}
    limbs = {name: skeleton.indices(name) for name in _LIMBS}
    limb_ends = [joints[-1] for joints in limbs.values()]
    head = skeleton.indices('head')
    return {
        'torso': skeleton.indices('torso'),
        'head': head,
        'arms': limbs['right_arm'] + limbs['left_arm'],
        'legs': limbs['right_leg'] + limbs['left_leg'],
        'left': skeleton.left,
        'right': skeleton.right,
        'hips, shoulders': [joints[0] for joints in limbs.values()],
        'knees, elbows': [joints[1] for joints in limbs.values()],
        'limb ends': limb_ends,
        'ends': [*limb_ends, head[-1]],
    }


def pck_joints(skeleton: Skeleton) -> list[int]:
    """Select the joints of PCK and AUC on MPI-INF-3DHP: limbs, neck, top of the head.

    Args:
        skeleton (Skeleton): Skeleton; its torso ends with the neck, its head with the
            top.

    Returns:
        list[int]: Rising indices of these 14 joints; all joints if the skeleton lacks
        limbs, torso or head.
    """
    if not _has_body(skeleton):
        return list(range(skeleton.num_keypoints))
    limbs = [joint for name in _LIMBS for joint in skeleton.indices(name)]
    ends = [skeleton.indices(name)[-1] for name in ('torso', 'head')]
    return sorted({*limbs, *ends})
