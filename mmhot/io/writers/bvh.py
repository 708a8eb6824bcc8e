"""Biovision hierarchies (``.bvh``): joint rotations, for animation programs."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.clips import Clip3D
from mmhot.io.atomic import replacing
from mmhot.io.writers.rigid_skeleton import RigidMotion, fit_rigid_skeleton
from mmhot.io.writers.trc import MAX_FILLED, fill_frames
from mmhot.skeletons.joints import get_skeleton

# BVH is y up; x stays.
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_CENTIMETERS = 100.0
_ORDER = 'ZXY'
# Bone that starts at a joint, in the names of animation programs.
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
# Length of the end site of a limb, in parts of its bone: feet end above the floor.
_END = 0.15


def write_person(clip: Clip3D, path: str | Path) -> str:
    """Write the motion of one person as ``.bvh``.

    The format has neither frame numbers nor gaps: it begins with the video, and frames
    without a pose repeat the nearest one, see :func:`mmhot.io.writers.trc.fill_frames`.
    A varying frame rate is resampled.

    Args:
        clip (Clip3D): One track in ``'world'`` axes, joints of Human3.6M.
        path (str | Path): File to create or replace.

    Returns:
        str: Mean distance between the joints of the clip and those of the file, whose
        bones have constant lengths.
    """
    frames, positions = fill_frames(clip, first=0)
    if clip.time is not None:
        steps = np.diff(clip.seconds(frames))
        steps[np.diff(frames) > 1] = 1 / clip.fps  # frames that were left out
        if steps.sum() * clip.fps > len(frames) + MAX_FILLED:
            steps = steps.clip(max=(1 + MAX_FILLED / len(frames)) / clip.fps)
        seconds = np.r_[0, np.cumsum(steps)]
        positions = _resample_evenly(positions, seconds, clip.fps)
    motion = fit_rigid_skeleton(positions, get_skeleton('h36m-17'))
    write_bvh(motion, clip.joint_names, clip.fps, path)
    error = np.linalg.norm(motion.positions() - positions, axis=-1).mean()
    return f'bones of constant length: {1000 * error:.0f} mm off'


def _resample_evenly(
    positions: np.ndarray, seconds: np.ndarray, fps: float
) -> np.ndarray:
    """Interpolate positions (T, K, 3) of times (T,) at a constant frame rate."""
    count = round((seconds[-1] - seconds[0]) * fps) + 1
    wanted = np.minimum(seconds[0] + np.arange(count) / fps, seconds[-1])
    after = np.searchsorted(seconds[1:-1], wanted) + 1
    after = after.clip(max=len(seconds) - 1)
    before = np.maximum(after - 1, 0)
    span = np.maximum(seconds[after] - seconds[before], 1e-9)
    weight = ((wanted - seconds[before]) / span)[:, None, None]
    return positions[before] * (1 - weight) + positions[after] * weight


def write_bvh(
    motion: RigidMotion, joint_names: tuple[str, ...], fps: float, path: str | Path
) -> None:
    """Write joint rotations as ``.bvh``: centimeters, y up, degrees, order ZXY.

    Args:
        motion (RigidMotion): Motion in meters, z up.
        joint_names (tuple[str]): Names of its joints; those of Human3.6M are renamed
            as in animation programs (Hips, LeftUpLeg, ...).
        fps (float): Frames per second.
        path (str | Path): File to create or replace.
    """
    lines = ['HIERARCHY']
    order: list[int] = []
    root = motion.parents.index(-1)
    _append_joint(motion, joint_names, root, 0, lines, order)
    lines += ['MOTION', f'Frames: {len(motion.root)}', f'Frame Time: {1 / fps:.8f}']
    channels = [motion.root @ _Y_UP.T * _CENTIMETERS]
    for joint in order:
        turned = motion.rotations[:, joint]
        # only the root's rotation is in world axes
        turned = _Y_UP @ turned if joint == root else turned
        angles = Rotation.from_matrix(turned).as_euler(_ORDER)
        # programs interpolate between frames: no jumps from 180 to -180
        channels.append(np.degrees(np.unwrap(angles, axis=0)))
    rows = np.concatenate(channels, axis=1)
    with replacing(path) as temporary, temporary.open('w', encoding='ascii') as file:
        file.write('\n'.join(lines) + '\n')
        np.savetxt(file, rows, fmt='%.5f')


def _append_joint(
    motion: RigidMotion,
    names: tuple[str, ...],
    joint: int,
    depth: int,
    lines: list[str],
    order: list[int],
) -> None:
    """Append a joint and its descendants, depth first."""
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
        _append_joint(motion, names, child, depth + 1, lines, order)
    if not children:
        end = f'{indent}    OFFSET {_vector(motion.offsets[joint] * _END)}'
        lines += [f'{indent}  End Site', f'{indent}  {{', end, f'{indent}  }}']
    lines.append(f'{indent}}}')


def _vector(offset: np.ndarray) -> str:
    return ' '.join(f'{value * _CENTIMETERS:.5f}' for value in offset)
