"""Checks of motion capture: impossible speeds, bones and units."""

import numpy as np

from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
LIMBS = ('right_leg', 'left_leg', 'right_arm', 'left_arm')
# Limits of human joints relative to the root, in m/s and m/s^2, and the frames around
# a frame beyond them that are not trusted either.
_MAX_SPEED = 12.0
_MAX_ACCELERATION = 450.0
_MARGIN = 3
# Relative change of a bone's length that no soft tissue explains.
_MAX_STRETCH = 0.1
# Hip to knee to foot, in meters, of children and of adults.
LEG_LENGTHS = (0.4, 1.3)


def find_glitches(joints: np.ndarray, fps: float) -> np.ndarray:
    """Find frames in which a joint moves faster than people do.

    Args:
        joints (np.ndarray): Joints of Human3.6M in meters, (T, 17, 3).
        fps (float): Frames per second.

    Returns:
        np.ndarray: Whether frames are within three of a joint of more than 12 m/s or
        450 m/s^2 relative to the root, (T,).
    """
    relative = joints.astype(np.float64) - joints[:, :1]
    suspicious = np.zeros(len(joints), bool)
    for order, limit in ((1, _MAX_SPEED), (2, _MAX_ACCELERATION)):
        change = np.diff(relative, n=order, axis=0) * fps**order
        fast = np.linalg.norm(change, axis=-1).max(-1, initial=0) > limit
        for shift in range(order + 1):
            suspicious[shift : shift + len(fast)] |= fast
    around = np.convolve(suspicious, np.ones(2 * _MARGIN + 1), 'same') > 0
    return around if suspicious.any() else suspicious


def good_stretches(good: np.ndarray, min_frames: int) -> list[slice]:
    """Return the runs of at least ``min_frames`` good frames (T,)."""
    edges = np.flatnonzero(np.diff(np.r_[False, good, False].astype(int)))
    starts, ends = edges[::2].tolist(), edges[1::2].tolist()
    runs = [slice(*run) for run in zip(starts, ends, strict=True)]
    return [run for run in runs if run.stop - run.start >= min_frames]


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    """Compute the lengths of Human3.6M's bones, (T, 16), of joints (T, 17, 3)."""
    parents, children = np.transpose(_H36M.bones)
    return np.linalg.norm(joints[:, children] - joints[:, parents], axis=-1)


def leg_length(joints: np.ndarray) -> float:
    """Compute the median length of both legs, hip to knee to foot."""
    legs = [_H36M.indices(f'{side}_leg') for side in ('right', 'left')]
    lengths = bone_lengths(joints)
    # the bone of joint j is at j - 1, as the root has none
    return float(
        np.median([lengths[:, [j - 1 for j in leg[1:]]].sum(-1) for leg in legs])
    )


def find_stretched(joints: np.ndarray) -> np.ndarray:
    """Find frames in which a limb's bone differs by 10 % from its median, (T,)."""
    limbs = [j - 1 for name in LIMBS for j in _H36M.indices(name)[1:]]
    lengths = bone_lengths(joints)[:, limbs]
    usual = np.median(lengths, axis=0)
    return (np.abs(lengths / np.maximum(usual, 1e-9) - 1) > _MAX_STRETCH).any(-1)


def check_leg_length(joints: np.ndarray) -> None:
    """Raise ValueError if legs have no human length in meters."""
    length = leg_length(joints)
    low, high = LEG_LENGTHS
    if not low < length < high:
        raise ValueError(
            f'legs of {length:.3g} m, wanted {low} to {high}: the unit of the file is '
            f'about {0.85 / max(length, 1e-9):.2g} times the assumed one, set meters'
        )
