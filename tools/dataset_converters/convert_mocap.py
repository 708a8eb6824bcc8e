r"""Convert motion capture (.amc with .asf, .bvh, .c3d) to clips for training.

Example::

    python -m tools.dataset_converters.convert_mocap all_asfamc/subjects \
        data/cmu_mocap/clips.npz --cut-glitches

docs/data.md describes the clips.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmhot.cli.errors import output_file, run_tool
from mmhot.errors import naming, require_file
from mmhot.geometry.windows import resample
from mmhot.io.arrays import load_json, save_arrays
from mmhot.io.writers.rigs import HUMAN_IK
from mmhot.skeletons.joints import get_skeleton
from tools.check_dataset import (
    LEG_LENGTHS,
    LIMBS,
    find_glitches,
    good_stretches,
    leg_length,
)
from tools.dataset_converters.motion_files import SUFFIXES, JointMotion, read_motion

_H36M = get_skeleton('h36m-17')


@dataclass(frozen=True)
class Place:
    """Definition of a joint by the joints of a file."""

    names: tuple[str, ...]  # joints of the file; the joint is at their mean
    forward: float = 0.0  # meters from that mean along the z axis of the joint `axes`
    axes: str = ''  # joint of the file


_NOSE = 0.065  # meters from CMU's neck to Human3.6M's joint at the nose
_LEG = 0.85  # meters; usual length of a leg
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'sources', nargs='+', type=Path, help='files, or folders of files at any depth'
    )
    parser.add_argument('target', type=output_file, help='.npz of clips to write')
    parser.add_argument(
        '--fps',
        type=float,
        default=50.0,
        help='frames per second of the clips (default: 50)',
    )
    parser.add_argument(
        '--source-fps',
        type=float,
        help='frames per second of files that do not state it (default for .amc: 120)',
    )
    parser.add_argument(
        '--joints',
        help=f'names of the joints: {", ".join(LAYOUTS)}, or a JSON file with the '
        "files' names by joint of Human3.6M (default: recognized)",
    )
    parser.add_argument(
        '--meters', type=float, help="the files' unit in meters, such as 0.01 or 0.0254"
    )
    parser.add_argument('--up', choices=('y', 'z'), help="the files' vertical axis")
    parser.add_argument(
        '--cut-glitches',
        action='store_true',
        help='leave out frames with joints of more than 12 m/s or 450 m/s^2',
    )


def main(args: argparse.Namespace) -> None:
    """Convert all files; print a line for each."""
    if args.target.suffix != '.npz':
        raise ValueError(f'target: got {args.target}, wanted an .npz file')
    layout = LAYOUTS.get(args.joints)
    if args.joints and layout is None:
        layout = read_layout(Path(args.joints))
    clips = {}
    for path in find_files(args.sources):
        motion = read_motion(path, args.source_fps, args.meters, args.up)
        new = convert_motion(motion, path, layout, args.fps, args.cut_glitches)
        for name, joints in new.items():
            if name in clips:
                raise ValueError(f'{path}: there is another clip {name}')
            clips[name] = joints
            print(f'{name}: {len(joints)} frames')
    save_arrays(args.target, clips, compressed=True)
    total = sum(map(len, clips.values()))
    minutes = total / args.fps / 60
    print(f'{len(clips)} clips, {total} frames ({minutes:.1f} min): {args.target}')


def find_files(sources: list[Path]) -> list[Path]:
    """List the motion files of files and folders."""
    files = []
    for source in sources:
        if source.is_dir():
            motions = (p for p in source.rglob('*') if p.suffix.lower() in SUFFIXES)
            files += sorted(motions)
        else:
            files.append(require_file(source))
    if not files:
        raise ValueError(f'{sources[0]} has no {", ".join(SUFFIXES)} files')
    return files


def read_layout(path: Path) -> dict[str, Place]:
    """Read a layout: a JSON object of joint names, or lists of names, by joint.

    Args:
        path (Path): JSON such as ``{"root": ["LHip", "RHip"], "head": "Head", ...}``
            with all joints of Human3.6M; a joint is the mean of the listed joints.

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


def convert_motion(
    motion: JointMotion,
    path: Path,
    layout: Mapping[str, Place] | None = None,
    fps: float = 50.0,
    cut_glitches: bool = False,
    min_frames: int = 27,
) -> dict[str, np.ndarray]:
    """Convert motion capture to clips.

    Args:
        motion (JointMotion): Joints of one person.
        path (Path): Its file.
        layout (Mapping[str, Place], optional): See :func:`select_joints`.
        fps (float): Frames per second of the clips. Defaults to 50.
        cut_glitches (bool): Whether to leave out frames of impossible speed.
        min_frames (int): Frames of the shortest clip to keep. Defaults to 27.

    Returns:
        dict[str, np.ndarray]: Joints (T, 17, 3) float32 in meters, z up, by clip: the
        subject, which is the name before the first underscore, and the file's name.
        Pieces around missing joints and glitches end in ``_p0``, ...

    Raises:
        ValueError: If the file lacks joints or has another unit.
    """
    with naming(path):
        clips = []
        joints = select_joints(motion, layout)
        for run in good_stretches(np.isfinite(joints).all((1, 2)), 2):
            clip = resample_joints(joints[run], motion.fps, fps)
            good = np.ones(len(clip), bool)
            if cut_glitches:
                good = ~find_glitches(clip, fps)
            clips += [clip[part] for part in good_stretches(good, min_frames)]
        if not clips:
            raise ValueError(f'has no {min_frames} frames with all joints')
        low, high = LEG_LENGTHS
        length = leg_length(np.concatenate(clips))
        if not low < length < high:
            raise ValueError(
                f'legs of {length:.3g} m, wanted {low} to {high}: the unit of the file '
                f'is about {_LEG / max(length, 1e-9):.2g} times the assumed one, set '
                'meters'
            )
    subject, _, take = path.stem.partition('_')
    subject = f'S{subject}' if subject.isdecimal() else subject
    name = f'{subject if take else path.parent.name or "subject"}/{path.stem}'
    if len(clips) == 1:
        return {name: clips[0].astype(np.float32)}
    return {f'{name}_p{i}': clip.astype(np.float32) for i, clip in enumerate(clips)}


def select_joints(
    motion: JointMotion, layout: Mapping[str, Place] | None = None
) -> np.ndarray:
    """Compute Human3.6M's joints.

    Args:
        motion (JointMotion): Joints by name.
        layout (Mapping[str, Place], optional): Definitions by joint; by default the
            layout of ``LAYOUTS`` that lacks no joints in the file.

    Returns:
        np.ndarray: Meters, z up, (T, 17, 3).

    Raises:
        ValueError: If joints are missing.
    """
    column = {name: index for index, name in enumerate(motion.names)}
    layouts = {'layout': layout} if layout else LAYOUTS
    lacking = {}
    for name, places in layouts.items():
        needed = {part for place in places.values() for part in place.names}
        lacking[name] = sorted(needed - column.keys())
    name = min(lacking, key=lambda name: len(lacking[name]))
    if lacking[name]:
        raise ValueError(
            f'has no {", ".join(lacking[name][:6])} as in {name}; it has '
            f'{", ".join(motion.names[:40])}: name its joints in a JSON file'
        )
    places = layouts[name]
    if any(motion.names.count(x) > 1 for place in places.values() for x in place.names):
        raise ValueError('has several joints of one name: wanted one person in a file')
    joints = np.empty((len(motion.positions), 17, 3))
    for index, joint in enumerate(_H36M.joints):
        place = places[joint]
        joints[:, index] = motion.positions[:, [column[n] for n in place.names]].mean(1)
        if place.forward:
            joints[:, index] += place.forward * motion.axes[:, column[place.axes], :, 2]
    return joints


def resample_joints(joints: np.ndarray, fps: float, target_fps: float) -> np.ndarray:
    """Interpolate joints (T, 17, 3) at another frame rate; limbs keep their lengths."""
    if fps == target_fps:
        return joints
    # The tolerance is for files, which have rounded frame times.
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


if __name__ == '__main__':
    run_tool(add_arguments, main)
