"""Biovision hierarchies (``.bvh``): joint rotations, for animation programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from mmhot.geometry.rotations import euler_angles, smooth_angles
from mmhot.io.atomic import replacing_text
from mmhot.io.writers.export import Export, OutputRate, WriterOptions
from mmhot.io.writers.rates import at_constant_rate, fill_frames
from mmhot.io.writers.rigid_skeleton import (
    Y_UP,
    RigidMotion,
    describe_errors,
    fit_rig,
    joint_errors,
)
from mmhot.io.writers.rigs import BVH_PROFILES, Rig
from mmhot.options import Option
from mmhot.structures.clips_3d import Clip3D

_CENTIMETERS = 100.0  # centimeters per meter
# Length of the end site of a limb without an end joint, as a share of its last bone.
# It is short, so that feet end above the floor.
_END = 0.15
# Degrees per frame. An Euler angle that changes by more than this, and by more than its
# joint turns, is near a pole (gimbal lock). 0.5 to 10 of it choose the same axes for 30
# motions of CMU; without it 3 in lafan1's profile have others, with equal steps.
_MAX_STEP = 30.0


@dataclass(frozen=True, kw_only=True)
class BvhOptions(WriterOptions):
    """Option of ``.bvh``."""

    bvh_profile: Annotated[
        str,
        'joints, rest pose and rate of .bvh: lafan1 is for robots (GMR)',
        Option(choices=tuple(BVH_PROFILES)),
    ] = 'default'


def write_person(clip: Clip3D, path: str | Path, export: Export = Export()) -> str:
    """Write the motion of one person as ``.bvh``, with the rig of a profile.

    The format has neither frame numbers nor gaps: a file begins with the video, has a
    constant rate, and repeats the nearest pose in frames without one.

    Args:
        clip (Clip3D): One track of ``h36m-17`` or ``h36m-24``, perhaps with fingers, in
            ``'world'`` axes.
        path (str | Path): The file.
        export (Export): Profile, rate and origin.

    Returns:
        str: Note for the user: how far constant bone lengths move the joints, and where
        the origin is, as the format has no field for it.
    """
    rig = BVH_PROFILES[export.of(BvhOptions).bvh_profile].with_fingers(clip.joint_names)
    clip = at_constant_rate(clip, export.of(OutputRate).out_fps or rig.fps)
    _, positions = fill_frames(clip, first=0)
    motion = fit_rig(positions, rig, clip.joint_names)
    write_bvh(motion, clip.fps, path, rig)
    note = describe_errors(joint_errors(motion, rig, positions))
    if not np.any(export.origin):
        return note
    x, y, _ = export.origin
    return f'{note}; origin at x {x:.2f}, y {y:.2f} m of the world'


def write_bvh(motion: RigidMotion, fps: float, path: str | Path, rig: Rig) -> None:
    """Write a motion as ``.bvh``: centimeters, y up, and degrees.

    Args:
        motion (RigidMotion): Motion of ``rig.joints`` in meters, z up.
        fps (float): Frames per second.
        path (str | Path): The file.
        rig (Rig): Names of the joints, their axes, and orders of Euler angles.
    """
    motion = _in_axes(motion, rig)
    channels, axes = _channels(motion, rig)
    lines, order = _hierarchy(motion, rig, 0, axes)
    heads = f'Frames: {len(motion.root)}', f'Frame Time: {1 / fps:.8f}'
    angles = [np.degrees(channels[joint]) for joint in order]
    rows = np.concatenate([motion.root * _CENTIMETERS, *angles], axis=1)
    with replacing_text(path) as file:
        file.write('\n'.join(['HIERARCHY', *lines, 'MOTION', *heads, '']))
        np.savetxt(file, rows, fmt='%.5f')


def _channels(motion: RigidMotion, rig: Rig) -> tuple[np.ndarray, str]:
    """Return the angles of each joint, radians, (K, T, 3), and the order of their axes.

    If the second angle is close to a right angle (gimbal lock), the other two change
    fast while the joint turns slowly. The rig's order in which this is least is chosen.
    """
    rotations = np.swapaxes(motion.rotations, 0, 1)
    same = (rotations[:, :-1] * rotations[:, 1:]).sum((-1, -2))  # 1 + 2 cos of turns
    turns = np.arccos(((same - 1) / 2).clip(-1, 1))
    angles = [smooth_angles(euler_angles(rotations, x), x) for x in rig.orders]
    steps = np.stack([np.abs(np.diff(x, axis=1)).max(-1) for x in angles])
    excess = (steps - np.maximum(turns, np.radians(_MAX_STEP))).max((-2, -1), initial=0)
    best = int(excess.argmin())
    return angles[best], rig.orders[best]


def _in_axes(motion: RigidMotion, rig: Rig) -> RigidMotion:
    """Convert a motion to the rig's axes of each joint, and to y up in the world."""
    axes = rig.rest_axes
    above = np.stack([np.eye(3), *axes[list(motion.parents[1:])]])
    back = np.swapaxes(above, -1, -2)
    rotations = back @ motion.rotations @ axes
    rotations[:, 0] = Y_UP @ rotations[:, 0]
    offsets = (back @ motion.offsets[..., None])[..., 0]
    return RigidMotion(motion.parents, offsets, motion.root @ Y_UP.T, rotations)


def _hierarchy(
    motion: RigidMotion, rig: Rig, joint: int, axes: str
) -> tuple[list[str], list[int]]:
    """Return the lines and indices of a joint and its descendants, depth first."""
    places = 'Xposition Yposition Zposition ' if joint == 0 else ''
    rotations = ' '.join(f'{axis}rotation' for axis in axes)
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
        below, indices = _hierarchy(motion, rig, child, axes)
        lines += [f'  {line}' for line in below]
        order += indices
    if not named:
        tip = motion.offsets[children[0]] if children else motion.offsets[joint] * _END
        lines += ['  End Site', '  {', f'    OFFSET {_vector(tip)}', '  }']
    return [*lines, '}'], order


def _vector(offset: np.ndarray) -> str:
    """Format an offset (3,) in meters as centimeters."""
    return ' '.join(f'{value * _CENTIMETERS:.5f}' for value in offset)
