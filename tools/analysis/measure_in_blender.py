r"""Measure how far joints of ``.bvh`` and ``.glb`` are from their clip in Blender.

Needs Blender as a module: ``pip install bpy``. Example::

    python -m tools.analysis.measure_in_blender outputs/demo/walk.npz
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import mmhot
from mmhot.cli.errors import OneLineParser, print_text, run_tool
from mmhot.errors import align, pip
from mmhot.io.writers.rigs import BVH_PROFILES, HUMAN_IK
from mmhot.lifting.world import turn
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D

_H36M = get_skeleton('h36m-17')
FILES = (*BVH_PROFILES, 'glb')
"""Profiles of ``.bvh``, and ``.glb``."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = OneLineParser(description=__doc__)
    parser.add_argument('clips', nargs='+', type=Path, help='results with one person')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Print the distances for each file."""
    rows = [['clip', 'file', 'mean, mm', 'worst joint, mm', 'largest, mm']]
    for path in args.clips:
        clip = mmhot.read_lifted(path)
        for file in FILES:
            errors = 1000 * errors_in_blender(clip, file)
            values = errors.mean(), errors.mean(0).max(), errors.max()
            rows.append([clip.name, file, *(f'{value:.1f}' for value in values)])
    print_text(align(rows, left=2))


def errors_in_blender(clip: Clip3D, file: str) -> np.ndarray:
    """Return how far Human3.6M's joints are from the clip's in Blender, m, (T, 17).

    The clip has one person without gaps; the file is one of :data:`FILES`.
    """
    fps, rig = round(clip.fps), BVH_PROFILES.get(file, HUMAN_IK)
    with TemporaryDirectory() as folder:
        path = Path(folder, 'a.glb' if file == 'glb' else 'a.bvh')
        profile = {} if file == 'glb' else {'bvh_profile': file}
        clip.save(path, origin='camera', out_fps=fps, **profile)
        poses = [next(iter(people.values())) for people in bones_in_blender(path, fps)]
    names = rig.names | {'spine': rig.names['spine_1'], 'head': 'HeadTop_End'}
    for pose in poses:  # the end of the last bone, in .bvh
        pose.setdefault('HeadTop_End', pose[names['neck_base']][::-1])
    joints = [[pose[names[joint]][0] for joint in _H36M.joints] for pose in poses]
    still = clip.camera_path is not None
    places = turn(clip, 'world', still).places()[:, : _H36M.num_keypoints]
    return np.linalg.norm(np.array(joints) - places, axis=-1)


def bones_in_blender(path: Path, fps: int) -> Iterator[dict[str, dict[str, list]]]:
    """Yield the head and tail of each bone by person, frame by frame, meters, z up."""
    try:
        import bpy
    except ImportError as error:
        raise ValueError(
            f'Blender as a module is missing: {pip("install", "bpy")}'
        ) from error
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = fps
    if path.suffix == '.bvh':
        # centimeters to meters; y up to Blender's z up, as its menu does
        bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01)
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    people = [armature for armature in scene.objects if armature.type == 'ARMATURE']
    spans = [armature.animation_data.action.frame_range for armature in people]
    for frame in range(round(min(spans)[0]), round(max(x[1] for x in spans)) + 1):
        scene.frame_set(frame)
        yield {
            person.name: {
                bone.name: [[*person.matrix_world @ x] for x in (bone.head, bone.tail)]
                for bone in person.pose.bones
            }
            for person in people
        }


if __name__ == '__main__':
    run_tool(parse_args, main)
