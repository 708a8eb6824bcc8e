"""Readers of motion capture in BVH, Acclaim's ASF/AMC and C3D files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mmhot.errors import import_extra, naming, require_file

SUFFIXES = ('.amc', '.bvh', '.c3d')
_INCH = 0.0254
_CENTIMETER = 0.01
# Words of a file. Names of joints are whole lines, and colons end words.
_BVH_WORDS = re.compile(
    r'(?<=\bROOT)[ \t][^\n{]+|(?<=\bJOINT)[ \t][^\n{]+|(?i:frames|time)[ \t]*:|\S+'
)
AMC_FPS = 120.0  # frame rate of CMU's recordings, which .amc files do not state
_C3D_UNITS = {'m': 1.0, 'cm': 0.01, 'mm': 0.001}
_Z_UP = {
    'z': np.eye(3),
    'y': np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}


@dataclass
class JointMotion:
    """Joints of one person by name, over time.

    Attributes:
        names (tuple[str]): Names of the J joints.
        positions (np.ndarray): Meters, z up, (T, J, 3); NaN where unknown.
        fps (float): Frames per second.
        axes (np.ndarray, optional): Each joint's axes as columns, in world axes,
            (T, J, 3, 3). In the rest pose they are the axes of the file.
    """

    names: tuple[str, ...]
    positions: np.ndarray
    fps: float
    axes: np.ndarray | None = None

    def turned(self, up: str, meters: float) -> 'JointMotion':
        """Convert from a file's vertical axis, 'y' or 'z', and unit in meters."""
        turn = _Z_UP[up]
        axes = None if self.axes is None else turn @ self.axes
        return replace(self, positions=self.positions @ turn.T * meters, axes=axes)


def read_motion(
    path: Path,
    fps: float | None = None,
    meters: float | None = None,
    up: str | None = None,
) -> JointMotion:
    """Read a file by its suffix; an ``.amc`` with the ``.asf`` beside it.

    Args:
        path (Path): The file.
        fps (float, optional): Its frames per second, if it states none, or others.
        meters (float, optional): Its unit in meters.
        up (str, optional): Its vertical axis, 'y' or 'z'.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or of another format.
    """
    suffix = path.suffix.lower()
    if suffix == '.bvh':
        motion = read_bvh(path, meters, up)
    elif suffix == '.c3d':
        motion = read_c3d(path, meters, up)
    elif suffix == '.amc':
        asf = path.with_name(f'{path.stem.partition("_")[0]}.asf')
        require_file(asf)
        motion = read_asf_amc(asf, path, meters, up)
    else:
        raise ValueError(f'{path} must end in {", ".join(SUFFIXES)}')
    return replace(motion, fps=fps or motion.fps)


def read_bvh(
    path: Path, meters: float | None = None, up: str | None = None
) -> JointMotion:
    """Read a Biovision hierarchy, by default in centimeters and y up.

    Ends of limbs are joints of the name ``PARENT.end``.
    """
    with naming(path):
        words = iter(_BVH_WORDS.findall(path.read_text(errors='replace')))
        joints = list(_read_hierarchy(words))
        fps, values = _read_motion(words, sum(len(joint.channels) for joint in joints))
        motion = _move_bvh(joints, values, fps)
    return motion.turned(up or 'y', meters or _CENTIMETER)


@dataclass
class _Joint:
    """Joint of a BVH file."""

    name: str
    parent: int  # index of the parent, -1 for the root
    offset: np.ndarray  # position relative to the parent in the rest pose, (3,)
    channels: list[str]  # moving coordinates and angles, such as 'Xrotation'


def _read_hierarchy(words: Iterator[str]) -> Iterator[_Joint]:
    """Read joints, parents before children, until the word MOTION."""
    names: list[str] = []
    path: list[int] = []
    for word in words:
        if word == 'MOTION':
            return
        if word in ('ROOT', 'JOINT', 'End'):
            name = next(words).strip()
            name = f'{names[path[-1]]}.end' if word == 'End' else name
            joint = _Joint(name, path[-1] if path else -1, np.zeros(3), [])
            path.append(len(names))
            names.append(name)
        elif word == 'OFFSET':
            joint.offset = np.array([float(next(words)) for _ in range(3)])
        elif word == 'CHANNELS':
            joint.channels = [next(words) for _ in range(int(next(words)))]
        elif word == '}':
            path.pop()
        elif word == '{':
            yield joint
    raise ValueError('has no MOTION: it is no .bvh file, or cut off')


def _read_motion(words: Iterator[str], num_channels: int) -> tuple[float, np.ndarray]:
    """Read the frame rate and the channels (T, C)."""
    header = dict(Frames=0.0, Time=0.0)
    for word in words:
        key = word.rstrip(': \t').title()
        if key in header:
            header[key] = float(next(words, ''))
        if header['Time']:
            break
    values = np.array([float(word) for word in words])
    num_frames = int(header['Frames'])
    if not num_frames or not header['Time'] > 0:
        raise ValueError('has no frames or no frame time')
    if values.size != num_frames * num_channels:
        raise ValueError(
            f'has {values.size} numbers, not the {num_channels} channels of '
            f'{num_frames} frames: it is cut off'
        )
    return 1 / header['Time'], values.reshape(num_frames, num_channels)


def _move_bvh(joints: list[_Joint], values: np.ndarray, fps: float) -> JointMotion:
    """Compute positions and axes of J joints from channels (T, C)."""
    positions = np.empty((len(values), len(joints), 3))
    axes = np.empty((len(values), len(joints), 3, 3))
    column = 0
    for index, joint in enumerate(joints):
        place = np.tile(joint.offset, (len(values), 1))
        turn = np.eye(3)
        for channel in joint.channels:
            axis = 'XYZ'.find(channel[:1].upper())
            if axis < 0 or channel[1:].lower() not in ('position', 'rotation'):
                raise ValueError(f'has an unknown channel {channel!r}')
            value = values[:, column]
            column += 1
            if channel[1:].lower() == 'position':
                place[:, axis] = value
            else:
                turn = turn @ _rotation('xyz'[axis], value[:, None])
        if joint.parent < 0:
            positions[:, index] = place
            axes[:, index] = turn
            continue
        above = axes[:, joint.parent]
        positions[:, index] = positions[:, joint.parent] + _apply(above, place)
        axes[:, index] = above @ turn
    names = tuple(joint.name for joint in joints)
    return JointMotion(names, positions, fps, axes)


def _rotation(order: str, degrees: np.ndarray) -> np.ndarray:
    """Compute rotations (..., 3, 3) about fixed axes, in the order of their letters."""
    return Rotation.from_euler(order, degrees, degrees=True).as_matrix()


def _apply(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Apply matrices (T, 3, 3) to vectors (T, 3) or (3,)."""
    return (matrices @ vectors[..., None])[..., 0]


def read_asf_amc(
    skeleton: Path, motion: Path, meters: float | None = None, up: str | None = None
) -> JointMotion:
    """Read an Acclaim skeleton with a motion, as of CMU's database.

    By default the unit is that of the skeleton's ``length``, as CMU defines it, in
    inches, and y is up. Joints are the far ends of bones, by the bone's name, and
    ``root``.
    """
    with naming(skeleton):
        bones, length = _read_asf(skeleton.read_text(errors='replace'))
    with naming(motion):
        poses = _read_amc(motion.read_text(errors='replace'))
        moved = _move_acclaim(bones, poses)
    return moved.turned(up or 'y', meters or _INCH / length)


@dataclass
class _Bone:
    """Bone of an Acclaim skeleton."""

    name: str
    parent: int  # index of the parent, -1 for the root
    vector: np.ndarray  # from its start to its end in the rest pose, (3,)
    axes: np.ndarray  # axes of its rotations as columns, (3, 3)
    order: str  # order of its rotations, such as 'xyz'
    channels: list[str]  # moving coordinates and angles, such as 'rx'


def _read_asf(text: str) -> tuple[list[_Bone], float]:
    """Read bones, parents before children and the root first, and the unit."""
    sections = dict(re.findall(r'^\s*:(\w+)([^:]*)', text, re.MULTILINE))
    units = sections.get('units', '')
    if re.search(r'angle\s+rad', units):
        raise ValueError('has angles in radians, wanted degrees')
    length = re.search(r'length\s+([\d.]+)', units)
    blocks = re.findall(r'begin(.*?)end', sections['bonedata'], re.DOTALL)
    entries = {'root': _fields(sections['root'])}
    for block in blocks:
        fields = _fields(block)
        entries[' '.join(fields.get('name', ['']))] = fields
    parents = {}
    for line in sections['hierarchy'].splitlines():
        parent, *children = line.split() or ['']
        if parent not in ('begin', 'end'):
            parents |= dict.fromkeys(children, parent)
    parents['root'] = ''
    order = ['root']
    for name in order:
        order += [child for child, parent in parents.items() if parent == name]
    bones = []
    for name in order:
        parent = order.index(parents[name]) if parents[name] else -1
        bones.append(_bone(name, parent, entries[name]))
    return bones, float(length[1]) if length else 1.0


def _fields(block: str) -> dict[str, list[str]]:
    """Return the words of each line after the first one, by the first one."""
    lines = [line.split() for line in block.splitlines() if line.strip()]
    return {key: values for key, *values in lines}


def _bone(name: str, parent: int, fields: dict[str, list[str]]) -> _Bone:
    """Read a bone from the fields of its block."""
    is_root = parent < 0
    angles = fields.get('orientation' if is_root else 'axis', ['0', '0', '0'])[:3]
    order = fields.get('axis', ['XYZ'])[-1].lower()
    direction = np.array(fields.get('direction', ['0', '0', '0']), float)
    vector = direction * float(fields.get('length', ['0'])[0])
    channels = fields.get('order' if is_root else 'dof', [])
    axes = _rotation(order, np.array(angles, float))
    return _Bone(name, parent, vector, axes, order, [c.lower() for c in channels])


def _read_amc(text: str) -> dict[str, np.ndarray]:
    """Read each bone's channels (T, C), in degrees."""
    if re.search(r'^\s*:RADIANS', text, re.MULTILINE | re.IGNORECASE):
        raise ValueError('has angles in radians, wanted degrees')
    frames: list[dict[str, list[float]]] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in '#:':
            continue
        if len(words) == 1 and words[0].isdecimal():
            frames.append({})
        else:
            frames[-1][words[0]] = [float(word) for word in words[1:]]
    return {name: np.array([frame[name] for frame in frames]) for name in frames[0]}


def _move_acclaim(bones: list[_Bone], poses: dict[str, np.ndarray]) -> JointMotion:
    """Compute the ends of all bones."""
    num_frames = len(poses['root'])
    positions = np.empty((num_frames, len(bones), 3))
    axes = np.empty((num_frames, len(bones), 3, 3))
    for index, bone in enumerate(bones):
        values = poses.get(bone.name, np.zeros((num_frames, len(bone.channels))))
        if values.shape[1:] != (len(bone.channels),):
            raise ValueError(
                f'{bone.name} has {values.shape[-1]} numbers a frame, the skeleton '
                f'has {len(bone.channels)}'
            )
        moves = {channel: values[:, at] for at, channel in enumerate(bone.channels)}
        still = np.zeros(num_frames)
        angles = np.stack([moves.get(f'r{axis}', still) for axis in bone.order], -1)
        turn = bone.axes @ _rotation(bone.order, angles) @ bone.axes.T
        if bone.parent < 0:
            positions[:, index] = np.stack([moves[f't{x}'] for x in 'xyz'], -1)
            axes[:, index] = turn
            continue
        axes[:, index] = axes[:, bone.parent] @ turn
        arm = _apply(axes[:, index], bone.vector)
        positions[:, index] = positions[:, bone.parent] + arm
    return JointMotion(tuple(bone.name for bone in bones), positions, AMC_FPS, axes)


def read_c3d(
    path: Path, meters: float | None = None, up: str | None = None
) -> JointMotion:
    """Read the points of a C3D file by label, by default z up and in its own unit."""
    ezc3d = import_extra('ezc3d', 'reading .c3d', 'c3d')
    with naming(path):
        content = ezc3d.c3d(str(path))
        points = content['parameters']['POINT']
        names = tuple(label.strip() for label in points['LABELS']['value'])
        unit = ''.join(points.get('UNITS', {}).get('value', ['mm'])[:1]).strip().lower()
        if meters is None and unit not in _C3D_UNITS:
            raise ValueError(f'has the unit {unit!r}: state it in meters')
        positions = content['data']['points'][:3].T[:, : len(names)]
        motion = JointMotion(names, positions, float(points['RATE']['value'][0]))
    return motion.turned(up or 'z', meters or _C3D_UNITS[unit])
