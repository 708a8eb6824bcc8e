"""Skinned mannequin: one closed surface, a smooth union of limbs, for any person.

``mannequin.npz`` has a template with lowered arms, made by ``tools/make_mannequin.py``
of mmhot 0.2.0. Its bones get the lengths of a person, and its arms are raised into the
rest pose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mmhot.io.writers.rigid_skeleton import RigidMotion, least_rotation
from mmhot.io.writers.rigs import TOE, TOE_END, TYPICAL_SHIN, Rig

TEMPLATE = Path(__file__).with_suffix('.npz')
# The template is a typical adult, in centimeters: x left, y up, z forward.
_SHIN = 100 * TYPICAL_SHIN
_LOWERED = np.radians(45)  # angle of the template's arms below the rest pose
_FLESH = 7.0  # centimeters from the joints of hips and shoulders to the surface
# Parts of a limb, and the joints where their bones end.
_ARM = dict(shoulder='elbow', elbow='wrist', wrist='hand_end')
_LEG = dict(hip='knee', knee='foot')
_TRUNK = ('root', 'spine_0', 'spine_1', 'spine_2', 'thorax')
_METERS = 0.01  # meters per centimeter
# Directions along the lowered left arm, and up from the back of its hand
_DOWN = np.array([np.cos(_LOWERED), -np.sin(_LOWERED), 0])
_OVER = np.array([np.sin(_LOWERED), np.cos(_LOWERED), 0])
_ANKLE = np.array([9.3, -86.0, 0.0])
_SHOULDER = np.array([17.0, 50.3, -0.8])
# Joints of the template; right joints are the mirrored left ones.
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


@dataclass
class Mannequin:
    """Mesh in the rest pose; the root joint is at the origin."""

    vertices: np.ndarray  # meters, x left, y up, z forward, (V, 3)
    faces: np.ndarray  # vertices of triangles, counter-clockwise, (F, 3)
    joints: np.ndarray  # three joints that move each vertex, (V, 3)
    weights: np.ndarray  # weights of these joints, (V, 3)

    @property
    def normals(self) -> np.ndarray:
        """Unit normals of the smooth surface, (V, 3)."""
        first, second, third = np.moveaxis(self.vertices[self.faces], 1, 0)
        # The length of a triangle's normal is twice its area, which weights it.
        face_normals = np.cross(second - first, third - first)
        normals = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(normals, self.faces[:, corner], face_normals)
        return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def nearest_bones(
    vertices: np.ndarray, rest: np.ndarray, parents: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Find the bone that is nearest to each vertex.

    Args:
        vertices (np.ndarray): Vertices in the rest pose, (V, 3).
        rest (np.ndarray): Joints in the rest pose, (K, 3).
        parents (Sequence[int]): Parent of each joint, -1 for the root.

    Returns:
        tuple[np.ndarray, np.ndarray]: Joints at both ends of the bone, the parent
        first, (V, 2), and how far along the bone the vertex is, 0 to 1, (V,).

    >>> line = np.array([[0.0, 0, 0], [0, 2, 0], [0, 4, 0]])
    >>> nearest_bones(np.array([[1.0, 2.5, 0]]), line, (-1, 0, 1))
    (array([[1, 2]]), array([0.25]))
    """
    ends = np.array(
        [(above, joint) for joint, above in enumerate(parents) if above >= 0]
    )
    starts = rest[ends[:, 0]]
    bones = rest[ends[:, 1]] - starts
    arms = vertices[:, None] - starts
    along = ((arms * bones).sum(-1) / (bones**2).sum(-1)).clip(0, 1)
    nearest = np.linalg.norm(arms - along[..., None] * bones, axis=-1).argmin(1)
    return ends[nearest], along[np.arange(len(vertices)), nearest]


def make_mannequin(motion: RigidMotion, rig: Rig) -> Mannequin:
    """Make a mannequin with the proportions of a person.

    Args:
        motion (RigidMotion): Motion of the person; only its rest pose is used.
        rig (Rig): Rig of the motion, a humanoid with three joints of the spine.

    Returns:
        Mannequin: The mesh; faces, joints and weights are the same for all people.
    """
    place = dict(zip(rig.joints, motion.rest(), strict=True))
    body = _Body(place)
    template, faces, joints, weights = _template()
    dense = np.zeros((len(template), len(rig.joints)))
    np.add.at(dense, (np.arange(len(template))[:, None], joints), weights)
    vertices = np.zeros_like(template)
    for joint, share in zip(rig.joints, dense.T, strict=True):
        if share.any():
            vertices += share[:, None] * body.fitted(template, joint)
    for side in ('left', 'right'):
        arm = [f'{side}_{part}' for part in _ARM]
        lowered = dense[:, [rig.joints.index(joint) for joint in arm]].sum(1)
        # Skinning maps these positions to the vertices when the arm is lowered.
        share = lowered[:, None, None]
        shoulder = place[f'{side}_shoulder']
        matrices = (1 - share) * np.eye(3) + share * _turn(side)
        raised = np.linalg.solve(matrices, (vertices - shoulder)[..., None])
        vertices = raised[..., 0] + shoulder
    return Mannequin(vertices, faces, joints, weights)


class _Body:
    """Body of a person, to which the template is fitted.

    Args:
        place (dict[str, np.ndarray]): Joints of the person's rest pose, (3,) meters.
    """

    def __init__(self, place: dict[str, np.ndarray]) -> None:
        self.place = place
        self.thickness = (place['left_knee'] - place['left_foot'])[1] / _SHIN

    def fitted(self, points: np.ndarray, joint: str) -> np.ndarray:
        """Scale points of the template with the bone at a joint, and move them there.

        Arms stay lowered, as in the template.

        Args:
            points (np.ndarray): Points of the template, centimeters, (V, 3).
            joint (str): Joint of the rig at which the bone begins.

        Returns:
            np.ndarray: Points on the person, meters, (V, 3).
        """
        side, _, part = joint.rpartition('_')
        if part in _ARM:
            return self._fitted_arm(points, side, part)
        scale = np.full(3, self.thickness)  # meters per centimeter of x, y and z
        turn = np.eye(3)
        start = joint
        if joint in _TRUNK[:-1]:
            scale[:2] = self._trunk(_TRUNK.index(joint))
        elif part == 'clavicle':
            shoulder = f'{side}_shoulder'
            scale[0] = self._stretch(joint, shoulder)
            # The rest pose has high shoulders if arms are raised in most of the clip.
            bone = self.place[shoulder] - self.place[joint]
            turn = least_rotation(_joint(shoulder) - _joint(joint), bone)
        elif part in _LEG:
            scale[1] = self._stretch(joint, f'{side}_{_LEG[part]}')
        elif part in ('foot', 'toe'):
            start = f'{side}_foot'
            scale[1] = _METERS  # The ankles of all people are equally high.
        return (points - _joint(start)) * scale @ turn.T + self.place[start]

    def _fitted_arm(self, points: np.ndarray, side: str, part: str) -> np.ndarray:
        """Move points (V, 3) as the bone that begins at a joint of an arm."""
        start = f'{side}_{part}'
        shoulder = self.place[f'{side}_shoulder']
        along = _DOWN * ((-1 if side == 'right' else 1), 1, 1)
        stretch = self._stretch(start, f'{side}_{_ARM[part]}') / self.thickness - 1
        moved = (points - _joint(start)) * self.thickness
        moved += stretch * (moved @ along)[:, None] * along
        return moved + (shoulder + _turn(side) @ (self.place[start] - shoulder))

    def _stretch(self, start: str, end: str) -> float:
        """Divide the length of a bone, meters, by the template's, centimeters."""
        length = np.linalg.norm(self.place[end] - self.place[start])
        return float(length / np.linalg.norm(_joint(end) - _joint(start)))

    def _trunk(self, at: int) -> tuple[float, float]:
        """Divide the width and height of a part of the trunk by the template's."""
        hips, shoulders = map(self._width, ('hip', 'shoulder'))
        width = hips + at / 3 * (shoulders - hips)
        return width, self._stretch(*_TRUNK[at : at + 2])

    def _width(self, pair: str) -> float:
        """Divide the width at the hips or shoulders by the template's."""
        half = (self.place[f'left_{pair}'] - self.place[f'right_{pair}'])[0] / 2
        return (half + _FLESH * self.thickness) / (_joint(f'left_{pair}')[0] + _FLESH)


def _joint(name: str) -> np.ndarray:
    """Return the place of a joint of the template, arms lowered, (3,) centimeters."""
    if name.startswith('right'):
        return np.array(_JOINTS[name.replace('right', 'left')]) * (-1, 1, 1)
    return np.array(_JOINTS[name])


def _turn(side: str) -> np.ndarray:
    """Return the matrix (3, 3) that lowers an arm."""
    left = np.stack([_DOWN, _OVER, [0, 0, 1]], axis=1)
    return left if side == 'left' else left.T


@cache
def _template() -> tuple[np.ndarray, ...]:
    """Read vertices (V, 3), faces (F, 3), joints and weights (V, 3), arms lowered."""
    with np.load(TEMPLATE) as file:
        return (
            file['vertices'].astype(np.float64),
            file['faces'].astype(int),
            file['joints'].astype(int),
            file['weights'] / 255,
        )
