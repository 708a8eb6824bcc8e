"""Biovision hierarchies (``.bvh``): joint rotations, for animation programs."""

from itertools import permutations
from pathlib import Path

import numpy as np

from mmhot.geometry.rotations import euler_angles, smooth_angles
from mmhot.geometry.windows import resample
from mmhot.io.atomic import replacing_text
from mmhot.io.writers.rigid_skeleton import (
    Y_UP,
    RigidMotion,
    describe_errors,
    end_errors,
    fit_rig,
)
from mmhot.io.writers.rigs import BVH_PROFILES, DEFAULT_WITH_TOES, Rig
from mmhot.io.writers.trc import sample_evenly
from mmhot.structures.clips import Clip3D

_CENTIMETERS = 100.0
# Length of the end site of a limb without an own end, in parts of its bone: feet end
# above the floor.
_END = 0.15
# Degrees between frames: joints with larger steps of an angle, and of more than they
# turn, get another order of axes.
_STEP = 30.0


def write_person(
    clip: Clip3D,
    path: str | Path,
    bvh_profile: str = 'default',
    origin: np.ndarray | None = None,
) -> str:
    """Write the motion of one person as ``.bvh``.

    The format has neither frame numbers nor gaps: it begins with the video, and frames
    without a pose repeat the nearest one, see
    :func:`mmhot.io.writers.trc.sample_evenly`.

    The clip is one track in ``'world'`` axes with joints of ``h36m-17`` or ``h36m-24``;
    the profile is one of ``BVH_PROFILES``.

    Returns:
        str: How far wrists and ankles are from those of the clip, as bones have
        constant lengths, and where the origin is, for which the format has no place.
    """
    rig = BVH_PROFILES[bvh_profile]
    if not rig.has_toes and len(clip.joint_names) > rig.places.shape[1]:
        rig = DEFAULT_WITH_TOES
    positions, _ = sample_evenly(clip, first=0)
    fps = rig.fps or clip.fps
    count = round((len(positions) - 1) / clip.fps * fps) + 1
    positions = resample(positions, np.arange(count) * clip.fps / fps)
    motion = fit_rig(positions, rig)
    write_bvh(motion, fps, path, rig)
    note = describe_errors(end_errors(motion, rig, positions))
    if origin is None or not np.any(origin):
        return note
    x, y, _ = origin
    return f'{note}; origin at x {x:.2f}, y {y:.2f} m of the world'


def write_bvh(
    motion: RigidMotion,
    fps: float,
    path: str | Path,
    rig: Rig = BVH_PROFILES['default'],
) -> None:
    """Write a motion of ``rig.joints``, in meters, z up, as ``.bvh``.

    The file has centimeters, y up, and degrees.
    """
    motion = _in_axes(motion, rig)
    channels, orders = _channels(motion, rig)
    lines, order = _hierarchy(motion, rig, 0, orders)
    lines = ['HIERARCHY', *lines, 'MOTION', f'Frames: {len(motion.root)}']
    lines.append(f'Frame Time: {1 / fps:.8f}')
    angles = [np.degrees(channels[joint]) for joint in order]
    rows = np.concatenate([motion.root * _CENTIMETERS, *angles], axis=1)
    with replacing_text(path) as file:
        file.write('\n'.join(lines) + '\n')
        np.savetxt(file, rows, fmt='%.5f')


def _channels(motion: RigidMotion, rig: Rig) -> tuple[np.ndarray, list[str]]:
    """Return the angles of each joint, radians, (K, T, 3), and the order of its axes.

    Near the poles of an order, where the second angle is a right angle, the others turn
    much for little. Programs interpolate between frames: a joint whose angles step far
    gets the order whose poles are far. All joints share one where a program expects it.
    """
    rotations = np.swapaxes(motion.rotations, 0, 1)
    same = (rotations[:, :-1] * rotations[:, 1:]).sum((-1, -2))  # 1 + 2 cos of turns
    turns = np.arccos(((same - 1) / 2).clip(-1, 1))
    orders = [rig.order, *map(''.join, permutations('XYZ'))]
    angles = np.stack([smooth_angles(euler_angles(rotations, x)) for x in orders])
    steps = np.abs(np.diff(angles, axis=2)).max(-1)
    excess = (steps - np.maximum(turns, np.radians(_STEP))).max(-1, initial=0)
    if rig.has_one_order:
        excess[:] = excess.max(1, keepdims=True)
    best = excess.argmin(0)
    return angles[best, range(len(best))], [orders[number] for number in best]


def _in_axes(motion: RigidMotion, rig: Rig) -> RigidMotion:
    """Turn the axes of each joint to those of the rig, and the world's to y up."""
    axes = np.stack([rig.axes.get(joint, np.eye(3)) for joint in rig.joints])
    above = np.stack([np.eye(3), *axes[list(motion.parents[1:])]])
    back = np.swapaxes(above, -1, -2)
    rotations = back @ motion.rotations @ axes
    rotations[:, 0] = Y_UP @ rotations[:, 0]
    offsets = (back @ motion.offsets[..., None])[..., 0]
    return RigidMotion(motion.parents, offsets, motion.root @ Y_UP.T, rotations)


def _hierarchy(
    motion: RigidMotion, rig: Rig, joint: int, orders: list[str]
) -> tuple[list[str], list[int]]:
    """Return the lines and indices of a joint and its descendants, depth first."""
    places = 'Xposition Yposition Zposition ' if joint == 0 else ''
    rotations = ' '.join(f'{axis}rotation' for axis in orders[joint])
    lines = [
        f'{"JOINT" if joint else "ROOT"} {rig.names[rig.joints[joint]]}',
        '{',
        f'  OFFSET {_vector(motion.offsets[joint])}',
        f'  CHANNELS {3 if joint else 6} {places}{rotations}',
    ]
    order = [joint]
    children = [child for child, parent in enumerate(motion.parents) if parent == joint]
    named = [child for child in children if rig.joints[child] in rig.names]
    for child in named:
        below, indices = _hierarchy(motion, rig, child, orders)
        lines += [f'  {line}' for line in below]
        order += indices
    if not named:
        tip = motion.offsets[children[0]] if children else motion.offsets[joint] * _END
        lines += ['  End Site', '  {', f'    OFFSET {_vector(tip)}', '  }']
    return [*lines, '}'], order


def _vector(offset: np.ndarray) -> str:
    return ' '.join(f'{value * _CENTIMETERS:.5f}' for value in offset)
