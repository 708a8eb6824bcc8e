"""Skinned mannequin: a mesh of rounded tubes around the bones of a rig's rest pose."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mmhot.io.writers.rigid_skeleton import RigidMotion
from mmhot.io.writers.rigs import TYPICAL_SHIN, Rig
from mmhot.skeletons.joints import ANKLE_HEIGHT

_SEGMENTS = 14
# Rings of the rounded ends of tubes, in radians from the pole.
_CAP = np.radians([25, 50, 75])
# Skin around a joint follows both of its bones within this part of a bone.
_BLEND = 0.22
_LEFT, _UP, _FORWARD = np.eye(3)
_HEAD_HEIGHT = 0.235  # of a typical adult, meters
# Rings of each tube, from its first joint to its last: the place along its joints
# (1 is the second joint, 0.5 the middle of the first bone), then half of the width and
# half of the depth in centimeters of a typical adult.
_PROFILES = {
    'leg': (  # hip, knee, ankle
        (0.00, 6.8, 7.4),
        (0.15, 8.0, 8.4),
        (0.35, 7.6, 8.0),  # thigh
        (0.80, 5.6, 6.0),
        (1.00, 5.2, 5.6),
        (1.35, 5.2, 5.8),  # calf
        (1.75, 3.9, 4.2),
        (1.97, 3.6, 3.8),
    ),
    'arm': (  # shoulder, elbow, wrist
        (0.00, 5.2, 5.2),
        (0.20, 5.0, 5.2),
        (0.70, 4.0, 4.2),
        (1.00, 3.7, 3.7),
        (1.25, 3.7, 3.9),
        (1.70, 2.9, 2.7),
        (1.95, 2.7, 2.2),
    ),
    'hand': (  # wrist, end of the hand
        (0.00, 2.8, 1.6),
        (0.30, 4.0, 1.8),
        (0.60, 3.8, 1.6),
        (0.90, 2.6, 1.2),
    ),
    'foot': (  # heel, tip of the toes
        (0.00, 3.4, 4.2),
        (0.35, 3.8, 3.9),
        (0.75, 4.5, 2.6),
        (1.00, 4.2, 1.9),
    ),
    'neck': (  # thorax, middle of the head
        (-0.25, 6.0, 6.0),
        (0.20, 5.0, 5.6),
        (0.90, 5.0, 5.6),
    ),
    'head': (  # chin, top
        (0.10, 4.6, 6.0),
        (0.35, 6.6, 8.6),
        (0.62, 7.6, 9.8),
        (0.88, 6.0, 7.6),
    ),
    'nose': (  # its root, 3 cm below
        (0.00, 1.3, 1.3),
        (1.00, 1.7, 1.6),
    ),
}
# The trunk's, from the root over three joints of the spine to the thorax: place, what
# is added to half of the width, half of the depth, and how much that width is that of
# the shoulders (1) rather than of the hips (0).
_TRUNK = (
    (-0.55, 1.0, 8.0, 0.00),
    (-0.25, 6.0, 10.0, 0.00),  # pelvis
    (0.30, 7.6, 10.8, 0.00),
    (1.20, 4.5, 9.8, 0.00),  # waist
    (2.20, 4.0, 10.5, 0.30),
    (3.00, 0.5, 11.0, 0.75),  # chest
    (3.70, -2.2, 9.0, 1.00),
    (3.95, -7.5, 6.5, 1.00),  # base of the neck
)


@dataclass
class Mannequin:
    """Mesh in the rest pose; the root joint is at the origin.

    Attributes:
        vertices (np.ndarray): Meters, x left, y up, z forward, (V, 3).
        faces (np.ndarray): Vertices of triangles, counter-clockwise, (F, 3).
        joints (np.ndarray): Two joints that move each vertex, (V, 2).
        weights (np.ndarray): Their shares, (V, 2).
        accent (np.ndarray): Whether faces have the second material, (F,).
    """

    vertices: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    accent: np.ndarray

    @property
    def normals(self) -> np.ndarray:
        """Unit normals of the smooth surface, (V, 3)."""
        first, second, third = np.moveaxis(self.vertices[self.faces], 1, 0)
        areas = np.cross(second - first, third - first)
        normals = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(normals, self.faces[:, corner], areas)
        return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def nearest_bones(
    vertices: np.ndarray, rest: np.ndarray, parents: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the bone that is nearest to each vertex.

    Args:
        vertices (np.ndarray): In the rest pose, (V, 3).
        rest (np.ndarray): Joints of any skeleton in the same pose, (K, 3).
        parents (Sequence[int]): Its tree, -1 for the root.

    Returns:
        tuple[np.ndarray, np.ndarray]: Joints at both ends of the bone, the parent
        first, (V, 2), and how far along it the vertex is, 0 to 1, (V,).
    """
    ends = np.array(
        [(above, joint) for joint, above in enumerate(parents) if above >= 0]
    )
    starts, bones = rest[ends[:, 0]], rest[ends[:, 1]] - rest[ends[:, 0]]
    arms = vertices[:, None] - starts
    along = ((arms * bones).sum(-1) / (bones**2).sum(-1)).clip(0, 1)
    distances = np.linalg.norm(arms - along[..., None] * bones, axis=-1)
    nearest = distances.argmin(1)
    return ends[nearest], along[np.arange(len(vertices)), nearest]


def make_mannequin(motion: RigidMotion, rig: Rig) -> Mannequin:
    """Make a mannequin with the proportions of a person, one closed surface per part.

    Only the rest pose of the motion is used. The rig is a humanoid with three joints of
    the spine.
    """
    index = {joint: number for number, joint in enumerate(rig.joints)}
    place = dict(zip(rig.joints, motion.rest(), strict=True))
    thickness = (place['left_knee'] - place['left_foot'])[1] / TYPICAL_SHIN / 100
    spines = [joint for joint in rig.joints if joint.startswith('spine')]
    parts = []
    tubes = [*_trunk(place, spines, thickness), *_limbs(place, thickness)]
    for path, profile, owners, wide, accent in tubes:
        rings = np.array(profile) * (1, thickness, thickness)
        bones = np.array([index[owner] for owner in owners])
        parts.append((*_tube(np.array(path), rings, bones, wide), accent))
    return _join(parts)


def _trunk(
    place: dict[str, np.ndarray], spines: list[str], thickness: float
) -> list[tuple]:
    """List arguments of :func:`_tube`, and whether a tube has the second material."""
    hips = (place['left_hip'] - place['right_hip'])[0] / 2 / thickness
    shoulders = (place['left_shoulder'] - place['right_shoulder'])[0] / 2 / thickness
    trunk = [
        (along, hips + more + share * (shoulders - hips), depth)
        for along, more, depth, share in _TRUNK
    ]
    path = [place[joint] for joint in ('root', *spines, 'thorax')]
    top = place['head'] * (0, 1, 0)
    top += (place['head'] + place['neck_base'])[2] / 2 * _FORWARD
    chin = top - _HEAD_HEIGHT * 100 * thickness * _UP
    base, skull = place['thorax'], (top + chin) / 2
    face = skull + (9.2 * _FORWARD - 0.5 * _UP) * thickness
    nose = [face, face - 3 * thickness * _UP]
    head = ['neck_base'] * 3
    return [
        (path, trunk, ['root', 'root', *spines, spines[-1]], _LEFT, False),
        (
            [base, skull],
            _PROFILES['neck'],
            [spines[-1], 'thorax', 'neck_base'],
            _LEFT,
            False,
        ),
        ([chin, top], _PROFILES['head'], head, _LEFT, False),
        (nose, _PROFILES['nose'], head, _LEFT, True),
    ]


def _limbs(place: dict[str, np.ndarray], thickness: float) -> list[tuple]:
    tubes = []
    for side, out in (('left', _LEFT), ('right', -_LEFT)):
        leg = [f'{side}_{joint}' for joint in ('hip', 'knee', 'foot')]
        arm = [f'{side}_{joint}' for joint in ('shoulder', 'elbow', 'wrist')]
        foot, wrist = leg[-1], arm[-1]
        sole = place[foot] - ANKLE_HEIGHT * _UP
        heel = sole - 4.5 * thickness * _FORWARD + 4.2 * thickness * _UP
        tip = place[f'{side}_toe_end'] * (1, 0, 1) + (sole[1] + 1.9 * thickness) * _UP
        hand = [place[wrist], place[f'{side}_hand_end']]
        tubes += [
            (
                [place[joint] for joint in leg],
                _PROFILES['leg'],
                [leg[0], *leg],
                _LEFT,
                False,
            ),
            (
                [place[joint] for joint in arm],
                _PROFILES['arm'],
                [arm[0], *arm],
                _FORWARD,
                False,
            ),
            (hand, _PROFILES['hand'], [wrist] * 3, _FORWARD, True),
            ([heel, tip], _PROFILES['foot'], [foot, foot, f'{side}_toe'], out, True),
        ]
    return tubes


def _tube(
    path: np.ndarray, profile: np.ndarray, owners: np.ndarray, wide: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Make vertices (V, 3), faces (F, 3), joints (V, 2) and weights (V, 2) of a tube.

    It runs along joints (N, 3), with rounded ends. The profile has the place in joints,
    half width and half depth of rings, (R, 3). Owners are the joints that move what
    lies before the first joint, between joints, and after the last, (N + 1,).
    """
    along = (path[-1] - path[0]) / np.linalg.norm(path[-1] - path[0])
    deep = np.cross(along, wide)
    deep /= np.linalg.norm(deep)
    wide = np.cross(deep, along)
    rings = _rounded(path, profile)
    angles = np.linspace(0, 2 * np.pi, _SEGMENTS, endpoint=False)
    circle = np.cos(angles)[:, None, None] * wide, np.sin(angles)[:, None, None] * deep
    centers = _at(path, rings[:, 0])
    around = centers + circle[0] * rings[:, 1:2] + circle[1] * rings[:, 2:3]
    poles = _at(path, rings[[0, -1], 3])
    vertices = np.concatenate([np.swapaxes(around, 0, 1).reshape(-1, 3), poles])
    place = np.concatenate([np.repeat(rings[:, 0], _SEGMENTS), rings[[0, -1], 3]])
    return vertices, _tube_faces(len(rings)), *_skin(place, owners)


def _rounded(path: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Add the rings of both ends: place, half width, half depth, place of the pole."""
    caps = []
    for end, beyond, bone in ((0, -1, path[:2]), (-1, 1, path[-2:])):
        place, width, depth = profile[end]
        reach = beyond * min(width, depth) / np.linalg.norm(bone[1] - bone[0])
        pole = np.full_like(_CAP, place + reach)
        sides = width * np.sin(_CAP), depth * np.sin(_CAP)
        caps.append(np.stack([place + reach * np.cos(_CAP), *sides, pole], axis=1))
    inner = np.pad(profile, ((0, 0), (0, 1)))
    return np.concatenate([caps[0], inner, caps[1][::-1]])


def _at(path: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return points (R, 3) on a polyline (N, 3), straight beyond its ends."""
    below = np.floor(places).astype(int).clip(0, len(path) - 2)
    share = (places - below)[:, None]
    return path[below] * (1 - share) + path[below + 1] * share


def _tube_faces(num_rings: int) -> np.ndarray:
    """Return the triangles (F, 3) of rings and two poles, facing outwards."""
    here = np.arange(_SEGMENTS)
    after = np.roll(here, -1)
    first, last = num_rings * _SEGMENTS, num_rings * _SEGMENTS + 1
    faces = [np.stack([np.full_like(here, first), after, here], axis=1)]
    for low, high in pairwise(np.arange(num_rings) * _SEGMENTS):
        faces.append(np.stack([low + here, low + after, high + after], axis=1))
        faces.append(np.stack([low + here, high + after, high + here], axis=1))
    top = (num_rings - 1) * _SEGMENTS
    faces.append(np.stack([top + here, top + after, np.full_like(here, last)], axis=1))
    return np.concatenate(faces)


def _skin(place: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return joints (V, 2) and weights (V, 2) at places (V,) along a tube."""
    joint = np.round(place).astype(int).clip(0, len(owners) - 2)
    share = ((place - joint) / _BLEND / 2 + 0.5).clip(0, 1)
    share = share * share * (3 - 2 * share)
    joints = np.stack([owners[joint], owners[joint + 1]], axis=1)
    return joints, np.stack([1 - share, share], axis=1)


def _join(parts: list[tuple]) -> Mannequin:
    vertices, faces, *bindings, accents = zip(*parts, strict=True)
    starts = np.cumsum([0, *map(len, vertices[:-1])])
    shifted = [each + start for each, start in zip(faces, starts, strict=True)]
    accent = [np.full(len(f), a) for f, a in zip(faces, accents, strict=True)]
    joints, weights = map(np.concatenate, bindings)
    # a joint without a share is 0, and one joint occurs once
    same = joints[:, 0] == joints[:, 1]
    weights[same] = [1, 0]
    joints[weights == 0] = 0
    return Mannequin(
        np.concatenate(vertices),
        np.concatenate(shifted),
        joints,
        weights,
        np.concatenate(accent),
    )
