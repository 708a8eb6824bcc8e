"""Skinned mannequin: one closed surface, a smooth union of limbs, for any person.

A template is made once: :mod:`mmhot.geometry.isosurface` finds the surface of limbs
that stand with lowered arms, and heat that spreads over it from the bones gives the
skinning weights, as in Pinocchio (https://doi.org/10.1145/1276377.1276467). Its bones
then get the lengths of a person, and its arms are raised into the rig's rest pose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.special import logsumexp

from mmhot.geometry.isosurface import extract_surface, spread_heat
from mmhot.io.writers.rigid_skeleton import RigidMotion
from mmhot.io.writers.rigs import TOE, TOE_END, TYPICAL_SHIN, Rig

# All lengths below are centimeters of a typical adult, x left, y up, z forward.
_SHIN = 100 * TYPICAL_SHIN
_LOWERED = np.radians(45)  # arms of the template, from the rest pose
_BLEND, _GROOVE = 1.1, 0.8  # rounding between limbs, and between fingers
_INFLUENCES = 3  # joints that move a vertex
_FLESH = 7.0  # beside hips and shoulders
_DOWN = np.array([np.cos(_LOWERED), -np.sin(_LOWERED), 0])
_OVER = np.array([np.sin(_LOWERED), np.cos(_LOWERED), 0])  # back of the left hand
_ANKLE, _SHOULDER = np.array([9.3, -86.0, 0.0]), np.array([17.0, 50.3, -0.8])
_SOLE = _ANKLE[1] - 8
_JOINTS = {
    'root': (0, 0, 0),
    'left_hip': (9.3, 0, 0),
    'left_knee': (9.3, _ANKLE[1] + _SHIN, 0),
    'left_foot': _ANKLE,
    'left_toe': _ANKLE + 100 * TOE,
    'left_toe_end': _ANKLE + 100 * (TOE + TOE_END),
    'spine_0': (0, 11, -1.5),
    'spine_1': (0, 22, -3),
    'spine_2': (0, 37, -1.5),
    'thorax': (0, 51.5, 0),
    'neck_base': (0, 66.5, 4.5),
    'head': (0, 77, 0),
    'left_clavicle': (4.3, 51.5, -0.2),
    'left_shoulder': _SHOULDER,
    'left_elbow': _SHOULDER + 29 * _DOWN,
    'left_wrist': _SHOULDER + 54 * _DOWN,
    'left_hand_end': _SHOULDER + 71.5 * _DOWN,
}
# Cross sections along straight axes: place, half of the width and of the depth, and
# the center's distance from the axis in the direction of the depth.
_TRUNK = (
    (-8, 7.0, 7.0, 0.0),
    (-3, 12.5, 9.0, -0.5),
    (4, 14.2, 9.6, -0.8),  # pelvis
    (12, 13.4, 9.3, -1.0),
    (20, 12.3, 9.0, -1.2),  # waist
    (28, 12.8, 9.8, -1.4),
    (37, 14.4, 11.0, -1.2),
    (44, 14.8, 10.4, -1.2),  # chest
    (49, 12.0, 7.6, -1.6),
    (53, 6.5, 5.2, -1.4),
)
_LEG = (
    (-3, 7.4, 8.4, 0.0),
    (4, 8.4, 9.0, -0.3),
    (12, 8.2, 8.8, 0.1),  # thigh
    (25, 7.1, 7.6, 0.4),
    (36, 5.7, 6.3, 0.3),
    (43, 5.2, 5.8, 0.2),  # knee
    (50, 5.1, 5.8, -0.9),
    (57, 5.4, 6.1, -1.4),  # calf
    (67, 4.3, 4.7, -0.9),
    (77, 3.3, 3.8, -0.4),
    (87, 3.3, 3.7, -0.6),
)
_ARM = (
    (-1, 5.4, 5.2, 0.0),
    (5, 5.7, 5.6, 0.0),  # shoulder
    (12, 4.9, 4.7, 0.0),
    (21, 4.3, 4.1, 0.0),
    (29, 3.8, 3.6, 0.0),  # elbow
    (35, 4.1, 3.7, 0.0),
    (45, 3.3, 2.8, 0.0),
    (54, 2.7, 2.0, 0.0),  # wrist
)
_FOOT = (  # from the heel
    (0, 3.1, 4.6, 4.8),
    (5, 3.4, 4.6, 4.8),
    (11, 3.8, 3.8, 4.0),
    (18, 4.6, 2.8, 3.0),
    (22, 4.2, 2.1, 2.3),
    (24, 3.2, 1.6, 1.8),
)
# Ellipsoids: center and radii.
_ROUND = (
    ((7.6, -1.5, -5.0), (6.8, 7.6, 6.4)),  # buttock
    ((7.0, 40.5, 4.8), (7.2, 6.4, 4.4)),  # chest
)
_HEAD = (
    ((0, 69.4, 0.8), (7.4, 9.8, 9.4)),  # skull
    ((0, 62.8, 4.2), (5.3, 5.6, 6.0)),  # jaw
    ((7.4, 67.2, -0.4), (1.2, 3.0, 2.0)),  # ear
)
# Of the hand from the wrist: along, towards the thumb, up from the palm; both ends,
# and their radii.
_FINGERS = (
    ((1.0, 1.0, 0.0), (8.8, 2.6, 0.0), 1.5, 1.3),
    ((1.0, 0.3, 0.0), (9.3, 0.9, 0.2), 1.5, 1.3),
    ((1.0, -0.3, 0.0), (9.0, -0.9, 0.1), 1.5, 1.3),
    ((1.0, -1.0, 0.0), (8.3, -2.5, -0.2), 1.4, 1.2),
    ((8.8, 2.6, 0.0), (16.0, 2.7, -1.6), 1.1, 0.9),
    ((9.3, 0.9, 0.2), (17.0, 0.9, -1.6), 1.1, 0.9),
    ((9.0, -0.9, 0.1), (16.2, -0.9, -1.7), 1.1, 0.9),
    ((8.3, -2.5, -0.2), (14.2, -2.6, -1.8), 1.0, 0.9),
    ((1.5, 1.5, -0.6), (5.0, 4.6, -1.4), 1.5, 1.3),
    ((5.0, 4.6, -1.4), (9.2, 6.2, -2.2), 1.3, 1.0),
)
# Steps of the grid, by the place up to which each is used, along x (half), y and z.
_STEPS = (
    ((48, 2.5), (71, 1.4)),
    ((-84, 1.7), (-6, 3.6), (14, 1.6), (55, 2.8), (82, 1.8)),
    ((-6, 2.4), (6, 1.7), (22, 2.4)),
)
_START = (0.0, _SOLE - 1.4, -15.0)


@dataclass
class Mannequin:
    """Mesh in the rest pose; the root joint is at the origin.

    Attributes:
        vertices (np.ndarray): Meters, x left, y up, z forward, (V, 3).
        faces (np.ndarray): Vertices of triangles, counter-clockwise, (F, 3).
        joints (np.ndarray): Three joints that move each vertex, (V, 3).
        weights (np.ndarray): Their shares, (V, 3).
    """

    vertices: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    weights: np.ndarray

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
    """Make a mannequin with the proportions of a person.

    Only the rest pose of the motion is used. The rig is a humanoid with three joints of
    the spine. Faces, joints and weights are the same for all people.
    """
    place = dict(zip(rig.joints, motion.rest(), strict=True))
    template, faces, joints, weights = _template(rig.joints, tuple(motion.parents))
    dense = np.zeros((len(template), len(rig.joints)))
    np.add.at(dense, (np.arange(len(template))[:, None], joints), weights)
    vertices = np.zeros_like(template)
    for joint, share in zip(rig.joints, dense.T, strict=True):
        if share.any():
            moved = _fitted(template, joint, place)
            vertices += share[:, None] * moved
    for side in ('left', 'right'):
        arm = [f'{side}_{part}' for part in ('shoulder', 'elbow', 'wrist')]
        lowered = dense[:, [rig.joints.index(joint) for joint in arm]].sum(1)
        vertices = _raise_arm(vertices, lowered, place[f'{side}_shoulder'], side)
    return Mannequin(vertices, faces, joints, weights)


def _fitted(points: np.ndarray, joint: str, place: dict[str, np.ndarray]) -> np.ndarray:
    """Move points (V, 3) of the template as a joint's bone, arms lowered, in meters."""
    side, _, part = joint.rpartition('_')
    sign = -1 if side == 'right' else 1
    own = {x: np.array(at) * (sign, 1, 1) for x, at in _JOINTS.items()}
    name = joint.replace('right', 'left')
    thickness = (place['left_knee'] - place['left_foot'])[1] / _SHIN

    def ratio(end: str, start: str) -> float:
        ends = [x.replace('left', side) if side else x for x in (end, start)]
        found = np.linalg.norm(place[ends[0]] - place[ends[1]])
        return float(found / np.linalg.norm(own[end] - own[start]))

    def width(pair: str) -> float:
        half = (place[f'left_{pair}'] - place[f'right_{pair}'])[0] / 2
        known = _JOINTS[f'left_{pair}'][0]
        return (half + _FLESH * thickness) / (known + _FLESH)

    scale, along = np.full(3, thickness), None
    if joint == 'root' or joint.startswith('spine'):
        chain = ['root', 'spine_0', 'spine_1', 'spine_2', 'thorax']
        at = chain.index(joint)
        hips, shoulders = width('hip'), width('shoulder')
        scale[0] = hips + at / 3 * (shoulders - hips)
        scale[1] = ratio(chain[at + 1], joint)
    elif part == 'clavicle':
        scale[0] = ratio('left_shoulder', name)
    elif part in ('hip', 'knee'):
        scale[1] = ratio('left_knee' if part == 'hip' else 'left_foot', name)
    elif part in ('foot', 'toe'):
        name, scale[1] = 'left_foot', 0.01  # ankles of all people are as high
    elif part in ('shoulder', 'elbow', 'wrist'):
        ends = dict(shoulder='elbow', elbow='wrist', wrist='hand_end')
        along = _DOWN * (sign, 1, 1)
        scale[:] = thickness
        stretch = ratio(f'left_{ends[part]}', name) / thickness - 1
    moved = (points - own[name]) * scale
    if along is not None:
        moved += stretch * (moved @ along)[:, None] * along
    base = place[name.replace('left', side) if side in ('left', 'right') else name]
    if along is not None:  # where the joint is when the arm is lowered
        shoulder = place[f'{side}_shoulder']
        base = shoulder + _turn(side) @ (base - shoulder)
    return moved + base


def _turn(side: str) -> np.ndarray:
    """Return the matrix (3, 3) that lowers an arm."""
    left = np.stack([_DOWN, _OVER, [0, 0, 1]], axis=1)
    return left if side == 'left' else left.T


def _raise_arm(
    vertices: np.ndarray, share: np.ndarray, shoulder: np.ndarray, side: str
) -> np.ndarray:
    """Find what skinning with shares (V,) maps to vertices when the arm is lowered."""
    share = share[:, None, None]
    matrices = (1 - share) * np.eye(3) + share * _turn(side)
    back = np.linalg.solve(matrices, (vertices - shoulder)[..., None])[..., 0]
    return back + shoulder


@cache
def _template(
    names: tuple[str, ...], parents: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Make vertices (V, 3), faces (F, 3), joints and weights (V, 3), arms lowered."""
    axes = []
    for start, steps in zip(_START, _STEPS, strict=True):
        ticks = [start]
        for stop, step in steps:
            count = max(round((stop - ticks[-1]) / step), 1)
            ticks += np.linspace(ticks[-1], stop, count + 1)[1:].tolist()
        axes.append(np.array(ticks))
    half = axes[0]
    axes[0] = np.concatenate([-half[:0:-1], half])
    vertices, faces = extract_surface(_distance, axes)
    rest = np.array([_template_joint(joint) for joint in names])
    ends, along = nearest_bones(vertices, rest, parents)
    nearest = rest[ends[:, 0]] + along[:, None] * (rest[ends[:, 1]] - rest[ends[:, 0]])
    heat = np.zeros((len(vertices), len(names)))
    distances = np.linalg.norm(vertices - nearest, axis=1)
    heat[np.arange(len(vertices)), ends[:, 0]] = 1 / distances.clip(0.1) ** 2
    dense = spread_heat(vertices, faces, heat)
    joints = np.argsort(-dense, axis=1)[:, : _INFLUENCES + 1]
    weights = np.take_along_axis(dense, joints, axis=1)
    # less the next one, so that joints come and go without a jump
    joints, weights = joints[:, :-1], weights[:, :-1] - weights[:, -1:]
    weights /= weights.sum(1, keepdims=True)
    joints[weights == 0] = 0
    return vertices, faces, joints, weights


def _template_joint(joint: str) -> np.ndarray:
    left = np.array(_JOINTS[joint.replace('right', 'left')], np.float64)
    return left * (-1, 1, 1) if 'right' in joint else left


def _distance(points: np.ndarray) -> np.ndarray:
    """Return about the distances of points (..., 3) from the surface, inside < 0."""
    points = np.abs(points * (1, 0, 0)) + points * (0, 1, 1)  # both sides are equal
    left, up, forward = np.eye(3)
    foot = np.array([9.6, _SOLE - 0.2, -5.0])
    limbs = [
        _tube(points, np.zeros(3), up, left, _TRUNK),
        _tube(points, np.array(_JOINTS['left_hip']), -up, left, _LEG),
        _tube(points, _SHOULDER, _DOWN, forward, _ARM),
        np.maximum(_tube(points, foot, forward, left, _FOOT), _SOLE - points[..., 1]),
        _capsule(points, (0, 48, -2.2), (0, 64, 1.2), 5.6, 5.2),  # neck
        _capsule(points, (2.5, 54, -1.8), (16, 51, -1.2), 4.2, 4.6),  # shoulder
        *(_ellipsoid(points, *each) for each in (*_ROUND, *_HEAD)),
        _capsule(points, (0, 68.6, 9.4), (0, 65.6, 10.9), 1.0, 1.4),  # nose
    ]
    axes = np.stack([_DOWN, forward, _OVER])
    wrist = np.array(_JOINTS['left_wrist'])
    hand = [
        _capsule(points, wrist + start @ axes, wrist + end @ axes, *radii)
        for start, end, *radii in _FINGERS
    ]
    return _union([*limbs, _union(hand, _GROOVE)], _BLEND)


def _union(distances: Sequence[np.ndarray], blend: float) -> np.ndarray:
    return -blend * logsumexp(-np.stack(distances) / blend, axis=0)


def _ellipsoid(
    points: np.ndarray, center: ArrayLike, radii: Sequence[float]
) -> np.ndarray:
    away = np.subtract(points, center) / radii
    return (np.linalg.norm(away, axis=-1) - 1) * min(radii)


def _capsule(
    points: np.ndarray, start: ArrayLike, end: ArrayLike, first: float, last: float
) -> np.ndarray:
    arms, bone = np.subtract(points, start), np.subtract(end, start)
    share = (arms @ bone / (bone @ bone)).clip(0, 1)
    away = np.linalg.norm(arms - share[..., None] * bone, axis=-1)
    return away - first - share * (last - first)


def _tube(
    points: np.ndarray,
    start: np.ndarray,
    along: np.ndarray,
    wide: np.ndarray,
    sections: Sequence[tuple[float, float, float, float]],
) -> np.ndarray:
    table = np.array(sections)
    deep = np.cross(wide, along)
    deep *= np.sign(deep.sum())  # forward or up
    arms = points - start
    place = arms @ along
    inside = place.clip(*table[[0, -1], 0])
    width, depth, center = np.moveaxis(
        PchipInterpolator(table[:, 0], table[:, 1:])(inside), -1, 0
    )
    least = np.minimum(width, depth)
    parts = (
        arms @ wide / width,
        (arms @ deep - center) / depth,
        (place - inside) / least,
    )
    return (np.sqrt(sum(part**2 for part in parts)) - 1) * least
