"""Animated mannequins (``.glb``), for game engines, Blender and viewers of glTF."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.atomic import replacing
from mmhot.io.writers.export import Export, OutputRate
from mmhot.io.writers.mannequin import Mannequin, make_mannequin
from mmhot.io.writers.rates import at_rate
from mmhot.io.writers.rigid_skeleton import (
    Y_UP,
    RigidMotion,
    describe_errors,
    fit_rig,
    joint_errors,
)
from mmhot.io.writers.rigs import HUMAN_IK, Rig
from mmhot.structures.clips_3d import Clip3D

_COLOR = (0.62, 0.65, 0.70)
_UNTURNED = 1e-6  # x, y or z of a quaternion; joints that never turn more are static
_KINDS = {1: 'SCALAR', 2: 'VEC2', 3: 'VEC3', 4: 'VEC4', 16: 'MAT4'}
_COMPONENTS = {'u1': 5121, 'u2': 5123, 'u4': 5125, 'f4': 5126}
_VERTICES = 34962  # target of a mesh's arrays of vertices
_INDICES = 34963  # target of a mesh's arrays of indices of vertices


class _Gltf:
    """Binary glTF 2.0 file under construction: a JSON document with arrays.

    Items of the document refer to each other by index:

        >>> gltf = _Gltf()
        >>> times = gltf.add_array(np.array([0, 0.04], np.float32), bounds=True)
        >>> gltf.document['accessors'][times]['type'], gltf.document['bufferViews']
        ('SCALAR', [{'buffer': 0, 'byteOffset': 0, 'byteLength': 8}])
    """

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            'asset': {'version': '2.0', 'generator': 'mmhot'}
        }
        self.animation: dict[str, list] = {'samplers': [], 'channels': []}
        self._data = bytearray()

    def add(self, kind: str, **item: Any) -> int:
        """Append to a list of the document, such as 'nodes', and return the index."""
        items = self.document.setdefault(kind, [])
        items.append(item)
        return len(items) - 1

    def add_array(
        self, array: np.ndarray, target: int | None = None, bounds: bool = False
    ) -> int:
        """Append an array (N,) or (N, C), and return the index of its accessor.

        ``target`` says what the arrays of a mesh hold, and ``bounds`` adds the smallest
        and largest value of each column.
        """
        kind = array.dtype.newbyteorder('<')
        data = array.astype(kind, copy=False).tobytes()
        view = dict(buffer=0, byteOffset=len(self._data), byteLength=len(data))
        if target is not None:
            view['target'] = target
        columns = array.reshape(len(array), -1)
        accessor = dict(
            bufferView=self.add('bufferViews', **view),
            componentType=_COMPONENTS[kind.str[1:]],
            count=len(array),
            type=_KINDS[columns.shape[1]],
        )
        if bounds:
            accessor |= {'min': columns.min(0).tolist(), 'max': columns.max(0).tolist()}
        self._data += data + bytes(-len(data) % 4)
        return self.add('accessors', **accessor)

    def add_channel(
        self, node: int, path: str, times: int, values: np.ndarray, way: str = 'LINEAR'
    ) -> None:
        """Animate a property of a node.

        Args:
            node (int): Index of the node.
            path (str): Property: 'translation', 'rotation' or 'scale'.
            times (int): Index of the accessor of T times in seconds.
            values (np.ndarray): Values at these times, float32, (T, C).
            way (str): Interpolation between them, 'LINEAR' or 'STEP'.
        """
        samplers = self.animation['samplers']
        target = dict(node=node, path=path)
        self.animation['channels'].append(dict(sampler=len(samplers), target=target))
        samplers.append(
            dict(input=times, output=self.add_array(values), interpolation=way)
        )

    def save(self, path: str | Path) -> None:
        """Write the file at a path, which is created or replaced."""
        document = {**self.document, 'buffers': [{'byteLength': len(self._data)}]}
        written = json.dumps(document, ensure_ascii=False, separators=(',', ':'))
        text = written.encode('utf-8', 'backslashreplace')
        text = text.ljust(len(text) + -len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(self._data)
        with replacing(path) as temporary, temporary.open('wb') as file:
            file.write(struct.pack('<4sII', b'glTF', 2, length))
            file.write(struct.pack('<I4s', len(text), b'JSON') + text)
            file.write(struct.pack('<I4s', len(self._data), b'BIN\0') + self._data)


def write_glb(clip: Clip3D, path: str | Path, export: Export = Export()) -> str | None:
    """Write all people of a clip as skinned and animated mannequins.

    The scene is in meters, y up (world x, z, -y). Each person has a root node,
    ``Person 1`` and so on, and joints named as in HumanIK. People are scaled to zero in
    frames without them. The extras of the scene state the origin of the file.

    Args:
        clip (Clip3D): People of ``h36m-17`` or ``h36m-24``, perhaps with fingers, in
            ``'world'`` axes.
        path (str | Path): The file.
        export (Export): Rate and origin.

    Returns:
        str | None: Note for the user: how far constant bone lengths move the joints;
        None if there are no people.
    """
    clip = at_rate(clip, export.of(OutputRate).out_fps)
    gltf = _Gltf()
    surface = dict(
        baseColorFactor=[*_COLOR, 1.0], metallicFactor=0.0, roughnessFactor=0.7
    )
    gltf.add('materials', name='Body', pbrMetallicRoughness=surface)
    roots = []
    errors = []
    rig = HUMAN_IK.with_fingers(clip.joint_names)
    for number, track in enumerate(clip.track_ids, 1):
        person = clip.take(clip.track == track)
        places = person.places()
        motion = fit_rig(places, rig, clip.joint_names)
        errors.append(joint_errors(motion, rig, places))
        name = f'Person {number}'
        joints = _add_joints(gltf, motion, rig)
        mesh = _add_mesh(gltf, make_mannequin(motion, rig), name)
        skin = _add_skin(gltf, motion, joints, name)
        roots.append(
            gltf.add('nodes', name=name, mesh=mesh, skin=skin, children=[joints[0]])
        )
        _animate(gltf, motion, joints, person)
        _hide(gltf, joints[0], person, clip)
    gltf.document['animations'] = [{'name': clip.name, **gltf.animation}]
    gltf.add(
        'scenes',
        name=clip.name,
        nodes=roots,
        extras={'origin': export.origin.tolist()},
    )
    gltf.document['scene'] = 0
    gltf.save(path)
    return describe_errors(np.concatenate(errors)) if errors else None


def _add_joints(gltf: _Gltf, motion: RigidMotion, rig: Rig) -> list[int]:
    """Add a node for each joint in the rest pose, the root at its mean height."""
    offsets = motion.offsets.copy()
    offsets[0, 1] = motion.root[:, 2].mean()
    nodes: list[int] = []
    for joint, offset, parent in zip(rig.joints, offsets, motion.parents, strict=True):
        # Ends of limbs are called LeftToe_End, LeftHand_End.
        end = 'HeadTop_End' if joint == 'head' else joint.title().replace('_', '', 1)
        name = rig.names.get(joint, end)
        nodes.append(gltf.add('nodes', name=name, translation=offset.tolist()))
        if parent >= 0:
            above = gltf.document['nodes'][nodes[parent]]
            above.setdefault('children', []).append(nodes[-1])
    return nodes


def _add_mesh(gltf: _Gltf, mannequin: Mannequin, name: str) -> int:
    padding = ((0, 0), (0, 1))  # glTF has four joints per vertex
    attributes: dict[str, np.ndarray] = {
        'POSITION': np.asarray(mannequin.vertices, np.float32),
        'NORMAL': np.asarray(mannequin.normals, np.float32),
        'JOINTS_0': np.pad(np.asarray(mannequin.joints, np.uint8), padding),
        'WEIGHTS_0': np.pad(np.asarray(mannequin.weights, np.float32), padding),
    }
    accessors = {
        key: gltf.add_array(array, _VERTICES, bounds=key == 'POSITION')
        for key, array in attributes.items()
    }
    indices = gltf.add_array(np.uint16(mannequin.faces).ravel(), _INDICES)
    primitive = dict(attributes=accessors, indices=indices, material=0)
    return gltf.add('meshes', name=name, primitives=[primitive])


def _add_skin(gltf: _Gltf, motion: RigidMotion, joints: list[int], name: str) -> int:
    """Add the inverse bind matrices; the mesh has the root joint at the origin."""
    rest = motion.rest()
    matrices = np.tile(np.eye(4, dtype=np.float32), (len(rest), 1, 1))
    matrices[:, 3, :3] = -rest  # columns first
    inverse = gltf.add_array(matrices.reshape(-1, 16))
    return gltf.add('skins', name=name, inverseBindMatrices=inverse, joints=joints)


def _animate(
    gltf: _Gltf, motion: RigidMotion, joints: list[int], person: Clip3D
) -> None:
    times = gltf.add_array(person.seconds(person.frame).astype(np.float32), bounds=True)
    root = (motion.root @ Y_UP.T).astype(np.float32)
    gltf.add_channel(joints[0], 'translation', times, root)
    for joint, turns in enumerate(np.moveaxis(motion.quaternions(), 1, 0)):
        if np.abs(turns[:, :3]).max() > _UNTURNED:
            gltf.add_channel(joints[joint], 'rotation', times, turns.astype(np.float32))


def _hide(gltf: _Gltf, hips: int, person: Clip3D, clip: Clip3D) -> None:
    """Scale a person to zero in frames without a pose."""
    frames = np.arange(clip.frame.min(), clip.frame.max() + 1)
    is_shown = np.isin(frames, person.frame)
    keys = np.flatnonzero(np.r_[True, is_shown[1:] != is_shown[:-1]])
    if len(keys) == 1:
        return
    scales = np.repeat(is_shown[keys, None], 3, axis=1).astype(np.float32)
    times = gltf.add_array(clip.seconds(frames[keys]).astype(np.float32), bounds=True)
    gltf.add_channel(hips, 'scale', times, scales, 'STEP')
