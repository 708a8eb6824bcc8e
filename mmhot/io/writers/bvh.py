"""Biovision hierarchies (``.bvh``): joint rotations, for animation programs."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.io.atomic import replacing
from mmhot.io.writers.rigid_skeleton import RigidMotion

# BVH is y up; x stays.
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_CENTIMETERS = 100.0
_ORDER = 'ZXY'
# What animation programs call the bone that starts at a joint.
BONES = {
    'root': 'Hips',
    'spine': 'Spine',
    'thorax': 'Chest',
    'neck_base': 'Neck',
    'head': 'Head',
    **{
        f'{side}_{joint}': f'{side.capitalize()}{bone}'
        for side in ('left', 'right')
        for joint, bone in (
            ('hip', 'UpLeg'),
            ('knee', 'Leg'),
            ('foot', 'Foot'),
            ('shoulder', 'Arm'),
            ('elbow', 'ForeArm'),
            ('wrist', 'Hand'),
        )
    },
}
# A bone that ends a limb needs an end; it is as long as this part of its parent bone:
# that of a foot, below the ankle, is to end above the floor.
_END = 0.15


def write_bvh(
    motion: RigidMotion, joint_names: tuple[str, ...], fps: float, path: str | Path
) -> None:
    """Write a person's motion as ``.bvh``: centimeters, y up, degrees, order ZXY.

    Args:
        motion (RigidMotion): In a world that is z up, meters.
        joint_names (tuple[str]): Names of its joints; those of Human3.6M get the names
            that animation programs use (Hips, LeftUpLeg, ...).
        fps (float): Frames per second.
        path (str | Path): The file to create or replace.
    """
    lines = ['HIERARCHY']
    order: list[int] = []
    root = motion.parents.index(-1)
    _describe(motion, joint_names, root, 0, lines, order)
    lines += ['MOTION', f'Frames: {len(motion.root)}', f'Frame Time: {1 / fps:.8f}']
    channels = [motion.root @ _Y_UP.T * _CENTIMETERS]
    for joint in order:
        turned = motion.rotations[:, joint]
        # only the root's axes are given in the world
        turned = _Y_UP @ turned if joint == root else turned
        angles = Rotation.from_matrix(turned).as_euler(_ORDER)
        # programs interpolate between frames: no jumps from 180 to -180
        channels.append(np.degrees(np.unwrap(angles, axis=0)))
    rows = np.concatenate(channels, axis=1)
    with replacing(path) as temporary, temporary.open('w', encoding='ascii') as file:
        file.write('\n'.join(lines) + '\n')
        np.savetxt(file, rows, fmt='%.5f')


def _describe(
    motion: RigidMotion,
    names: tuple[str, ...],
    joint: int,
    depth: int,
    lines: list[str],
    order: list[int],
) -> None:
    """Append a joint and all below it, depth first."""
    indent = '  ' * depth
    kind = 'JOINT' if depth else 'ROOT'
    places = '' if depth else 'Xposition Yposition Zposition '
    rotations = ' '.join(f'{axis}rotation' for axis in _ORDER)
    lines += [
        f'{indent}{kind} {BONES.get(names[joint], names[joint])}',
        f'{indent}{{',
        f'{indent}  OFFSET {_vector(motion.offsets[joint])}',
        f'{indent}  CHANNELS {3 if depth else 6} {places}{rotations}',
    ]
    order.append(joint)
    children = [child for child, parent in enumerate(motion.parents) if parent == joint]
    for child in children:
        _describe(motion, names, child, depth + 1, lines, order)
    if not children:
        end = f'{indent}    OFFSET {_vector(motion.offsets[joint] * _END)}'
        lines += [f'{indent}  End Site', f'{indent}  {{', end, f'{indent}  }}']
    lines.append(f'{indent}}}')


def _vector(offset: np.ndarray) -> str:
    return ' '.join(f'{value * _CENTIMETERS:.5f}' for value in offset)
