"""Conversion of motion capture to clips of Human3.6M's joints."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmhot.errors import naming
from mmhot.geometry.windows import resample
from mmhot.io.arrays import load_json
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.skeletons.joints import get_skeleton
from tools.check_dataset import (
    LIMBS,
    check_leg_length,
    find_glitches,
    good_stretches,
)
from tools.dataset_converters.motion_files import (
    JointMotion,
    read_asf_amc,
    read_bvh,
    read_c3d,
)

_LOGGER = logging.getLogger(__name__)
_H36M = get_skeleton('h36m-17')
SUFFIXES = ('.amc', '.bvh', '.c3d')


@dataclass(frozen=True)
class Place:
    """Definition of a joint by those of a file.

    Attributes:
        names (tuple[str]): Joints whose mean it is.
        forward (float): Meters from there along the z axis of the joint ``axes``.
        axes (str): See ``forward``.
    """

    names: tuple[str, ...]
    forward: float = 0.0
    axes: str = ''


# CMU has no joint at the nose: 6.5 cm before the neck is where Human3.6M's is.
_NOSE = 0.065
_BONES = {**HUMAN_IK.names, 'spine': HUMAN_IK.names['spine_1'], 'head': 'Head.end'}
LAYOUTS: dict[str, dict[str, Place]] = {
    'h36m': {joint: Place((joint,)) for joint in _H36M.joints},
    'mmhot-bvh': {joint: Place((_BONES[joint],)) for joint in _H36M.joints},
    'cmu-asf': {
        'root': Place(('lhipjoint', 'rhipjoint')),
        'spine': Place(('lowerback',)),
        'thorax': Place(('thorax', 'lowerneck')),
        'neck_base': Place(('upperneck',), _NOSE, 'head'),
        'head': Place(('head',)),
        **{
            f'{side}_{joint}': Place((f'{side[0]}{bone}',))
            for side in ('right', 'left')
            for joint, bone in (
                *(('hip', 'hipjoint'), ('knee', 'femur'), ('foot', 'tibia')),
                *(('shoulder', 'clavicle'), ('elbow', 'humerus'), ('wrist', 'wrist')),
            )
        },
    },
}


def read_layout(path: Path) -> dict[str, Place]:
    """Read a layout: a JSON object of joint names, or lists of them, by joint.

    Args:
        path (Path): JSON such as ``{"root": ["LHip", "RHip"], "head": "Head", ...}``
            with all joints of Human3.6M; a joint is the mean of the listed ones.

    Raises:
        ValueError: If it is damaged or lacks a joint.
    """
    with naming(path):
        content = load_json(path)
        if set(content) != set(_H36M.joints):
            raise ValueError(f'must name {", ".join(_H36M.joints)}')
        names = {
            joint: (value,) if isinstance(value, str) else tuple(value)
            for joint, value in content.items()
        }
    return {joint: Place(places) for joint, places in names.items()}


def select_joints(
    motion: JointMotion, layout: Mapping[str, Place] | None = None
) -> np.ndarray:
    """Compute Human3.6M's joints.

    Args:
        motion (JointMotion): Joints by name.
        layout (Mapping[str, Place], optional): Definitions by joint; by default the
            first of ``LAYOUTS`` whose joints exist.

    Returns:
        np.ndarray: Meters, z up, (T, 17, 3).

    Raises:
        ValueError: If joints are missing.
    """
    column = {name: index for index, name in enumerate(motion.names)}
    lacking = {
        name: sorted(
            {part for place in places.values() for part in place.names} - column.keys()
        )
        for name, places in ({'layout': layout} if layout else LAYOUTS).items()
    }
    name = min(lacking, key=lambda name: len(lacking[name]))
    if lacking[name]:
        raise ValueError(
            f'has no {", ".join(lacking[name][:6])} as in {name}; it has '
            f'{", ".join(motion.names[:40])}: name its joints in a JSON file'
        )
    places = layout or LAYOUTS[name]
    joints = np.empty((len(motion.positions), 17, 3))
    for index, joint in enumerate(_H36M.joints):
        place = places[joint]
        joints[:, index] = motion.positions[:, [column[n] for n in place.names]].mean(1)
        if place.forward:
            joints[:, index] += place.forward * motion.axes[:, column[place.axes], :, 2]
    return joints


def select_people(
    motion: JointMotion, layout: Mapping[str, Place] | None = None
) -> list[np.ndarray]:
    """Compute Human3.6M's joints (T, 17, 3) of each body that has them.

    A file may have further roots for objects, and for parts of one body.
    """
    people, others = [], []
    for body in motion.bodies():
        try:
            people.append(select_joints(body, layout))
        except ValueError:
            others.append(body.names[0])
    if people and others:
        _LOGGER.warning('%s: no people; left out', ', '.join(others))
    return people or [select_joints(motion, layout)]


def resample_joints(joints: np.ndarray, fps: float, target_fps: float) -> np.ndarray:
    """Interpolate joints (T, 17, 3) at another frame rate; limbs keep their lengths."""
    if fps == target_fps:
        return joints
    # a tolerance, as frame times are rounded in files
    count = int((len(joints) - 1) * target_fps / fps + 1e-3) + 1
    times = np.arange(count) * (fps / target_fps)
    moved = resample(joints, times)
    bones = [
        (_H36M.parents[joint], joint)
        for limb in LIMBS
        for joint in _H36M.indices(limb)[1:]
    ]
    rigid = moved.copy()
    for parent, child in bones:
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
        arm = moved[:, child] - moved[:, parent]
        size = np.linalg.norm(arm, axis=-1).clip(1e-9)
        lengths = resample(length[:, None], times)[:, 0]
        rigid[:, child] = rigid[:, parent] + arm * (lengths / size)[:, None]
    return rigid


@dataclass(frozen=True)
class ConversionOptions:
    """How files are converted.

    Args:
        fps (float): Frames per second of the clips. Defaults to 50.
        source_fps (float, optional): Frame rate of the files where they do not state
            it, or state another.
        layout (Mapping[str, Place], optional): See :func:`select_joints`.
        meters (float, optional): Unit of the files in meters.
        up (str, optional): Vertical axis of the files, 'y' or 'z'.
        cut_glitches (bool): Whether to leave out frames of impossible speed.
        min_frames (int): Frames of the shortest clip to keep.
    """

    fps: float = 50.0
    source_fps: float | None = None
    layout: Mapping[str, Place] | None = None
    meters: float | None = None
    up: str | None = None
    cut_glitches: bool = False
    min_frames: int = 27


def convert_motion(path: Path, options: ConversionOptions) -> dict[str, np.ndarray]:
    """Convert a file of motion capture to clips.

    Args:
        path (Path): An ``.amc``, ``.bvh`` or ``.c3d`` file.
        options (ConversionOptions): How.

    Returns:
        dict[str, np.ndarray]: Joints (T, 17, 3) float32 in meters, z up, by clip: the
        subject, which is the name before the first underscore, and the file's name.
        People, and pieces around missing joints and glitches, end in ``_p0``, ...

    Raises:
        ValueError: If the file is damaged, lacks joints or has another unit.
    """
    motion = _read(path, options)
    fps = options.source_fps or motion.fps
    with naming(path):
        clips = []
        runs = [
            joints[run]
            for joints in select_people(motion, options.layout)
            for run in good_stretches(np.isfinite(joints).all((1, 2)), 2)
        ]
        for run in runs:
            clip = resample_joints(run, fps, options.fps)
            good = np.ones(len(clip), bool)
            if options.cut_glitches:
                good = ~find_glitches(clip, options.fps)
            clips += [clip[part] for part in good_stretches(good, options.min_frames)]
        if not clips:
            raise ValueError(f'has no {options.min_frames} frames with all joints')
        check_leg_length(np.concatenate(clips))
    subject, _, take = path.stem.partition('_')
    subject = f'S{subject}' if subject.isdecimal() else subject
    name = f'{subject if take else path.parent.name or "subject"}/{path.stem}'
    if len(clips) == 1:
        return {name: clips[0].astype(np.float32)}
    return {f'{name}_p{i}': clip.astype(np.float32) for i, clip in enumerate(clips)}


def _read(path: Path, options: ConversionOptions) -> JointMotion:
    axes = dict(meters=options.meters, up=options.up)
    suffix = path.suffix.lower()
    if suffix == '.bvh':
        return read_bvh(path, **axes)
    if suffix == '.c3d':
        return read_c3d(path, **axes)
    if suffix != '.amc':
        raise ValueError(f'{path} must end in {", ".join(SUFFIXES)}')
    asf = path.with_name(f'{path.stem.partition("_")[0]}.asf')
    if not asf.is_file():
        raise FileNotFoundError(f'{asf}, the skeleton of {path.name}, does not exist')
    return read_asf_amc(asf, path, options.source_fps, **axes)
