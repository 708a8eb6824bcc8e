"""Rigs: joint trees, names, rest poses and axes that animation programs expect.

Mixamo's characters have the names of Autodesk's HumanIK; LAFAN1's set
(https://github.com/ubisoft/ubisoft-laforge-animation-dataset) has axes along its bones,
which tools that move robots rely on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from mmhot.skeletons.joints import Skeleton, get_skeleton

_H36M = get_skeleton('h36m-17')
_SIDES = ('left', 'right')
# Where the spine's joints lie: 0 root, 1 spine, 2 thorax.
_SPINES = (0.5, 1.0, 1.5)
# Clavicles begin here between thorax and shoulder; hands are as long as this part of
# the forearm.
_CLAVICLE, _HAND = 0.25, 0.7
# Axes of the rest pose: left, up and forward of the person.
_LEFT, _UP, _FORWARD = np.eye(3)
TOE = np.array([0.0, -0.055, 0.13])
"""Position of the toe joint relative to the ankle of a shin of ``TYPICAL_SHIN``."""
TOE_END = np.array([0.0, -0.005, 0.06])
TYPICAL_SHIN = 0.43
"""Meters, of an adult."""


@dataclass(frozen=True, eq=False)
class Rig:
    """Joint tree of a program.

    Attributes:
        skeleton (Skeleton): Joints whose positions are known, with a joint 'thorax'
            and the root first.
        names (Mapping[str, str]): The program's names; joints without one only show
            where a limb ends.
        places (np.ndarray): Weights of Human3.6M's joints, whose sums are the joints of
            ``skeleton``, (J, 17).
        has_toes (bool): Whether toes are added, which Human3.6M lacks.
        axes (Mapping[str, np.ndarray]): Axes of joints in the rest pose as columns
            (3, 3), where they are not left, up and forward of the person.
        order (str): Usual axes of Euler angles, from the parent to the joint.
        has_one_order (bool): Whether programs expect the same axes of all joints.
        fps (float, optional): Frame rate, where the program expects one.
    """

    skeleton: Skeleton
    names: Mapping[str, str]
    places: np.ndarray
    has_toes: bool = True
    axes: Mapping[str, np.ndarray] = field(default_factory=dict)
    order: str = 'ZXY'
    has_one_order: bool = False
    fps: float | None = None

    @property
    def joints(self) -> tuple[str, ...]:
        """All joints, toes last."""
        toes = [f'{side}_{part}' for side in _SIDES for part in ('toe', 'toe_end')]
        return (*self.skeleton.joints, *(toes if self.has_toes else ()))

    @property
    def lifted(self) -> np.ndarray:
        """Joints that are those of Human3.6M, in its order, (17,)."""
        return (self.places == 1).argmax(0)


def _humanoid() -> tuple[Skeleton, np.ndarray]:
    """Make the tree of a humanoid without toes, and its places."""
    places: dict[str, dict[str, float]] = {}
    spines = [f'spine_{number}' for number in range(len(_SPINES))]
    trunk = ('root', 'spine', 'thorax')
    for spine, place in zip(spines, _SPINES, strict=True):
        below = min(int(place), 1)
        share = place - below
        places[spine] = {trunk[below]: 1 - share, trunk[below + 1]: share}
    legs = [[f'{side}_{x}' for x in ('hip', 'knee', 'foot')] for side in _SIDES]
    chains = [*(['root', *leg] for leg in legs)]
    chains.append(['root', *spines, 'thorax', 'neck_base', 'head'])
    for side in _SIDES:
        arm = [f'{side}_{x}' for x in ('clavicle', 'shoulder', 'elbow', 'wrist')]
        clavicle, shoulder, elbow, wrist = arm
        hand = f'{side}_hand_end'
        chains.append([spines[-1], *arm, hand])
        places[clavicle] = {'thorax': 1 - _CLAVICLE, shoulder: _CLAVICLE}
        places[hand] = {wrist: 1 + _HAND, elbow: -_HAND}
    parents = {'root': ''}
    for chain in chains:
        parents |= {joint: above for above, joint in pairwise(chain)}
    joints = tuple(parents)
    pairs = [
        (joints.index(joint), joints.index(joint.replace('left', 'right')))
        for joint in joints
        if joint.startswith('left')
    ]
    indices = tuple(joints.index(up) if up else -1 for up in parents.values())
    skeleton = Skeleton('humanoid', joints, indices, tuple(pairs), {}, {})
    weights = np.zeros((len(joints), len(_H36M.joints)))
    for row, joint in enumerate(joints):
        for source, weight in places.get(joint, {joint: 1.0}).items():
            weights[row, _H36M.index(source)] = weight
    return skeleton, weights


def _names(
    spines: tuple[str, ...], prefix: str = '', toe: str = 'ToeBase'
) -> dict[str, str]:
    names = {'root': 'Hips', 'thorax': 'Neck', 'neck_base': 'Head'}
    names |= {f'spine_{number}': spine for number, spine in enumerate(spines)}
    limbs = dict(hip='UpLeg', knee='Leg', foot='Foot', toe=toe)
    limbs |= dict(clavicle='Shoulder', shoulder='Arm', elbow='ForeArm', wrist='Hand')
    for side in _SIDES:
        names |= {f'{side}_{x}': side.capitalize() + name for x, name in limbs.items()}
    return {joint: prefix + name for joint, name in names.items()}


def _lafan1_axes() -> dict[str, np.ndarray]:
    """Return LAFAN1's axes: x along the bones."""
    pitch = np.arctan2(-TOE[1], TOE[2])
    along_foot = np.cos(pitch) * _FORWARD - np.sin(pitch) * _UP
    trunk = ('root', 'spine_0', 'spine_1', 'spine_2', 'thorax', 'neck_base')
    axes = dict.fromkeys(trunk, (_UP, _FORWARD))
    for side, out in (('left', _LEFT), ('right', -_LEFT)):
        axes |= {f'{side}_{joint}': (-_UP, _FORWARD) for joint in ('hip', 'knee')}
        axes[f'{side}_foot'] = along_foot, np.cross(-_LEFT, along_foot)
        axes[f'{side}_toe'] = _FORWARD, _UP
        for joint in ('clavicle', 'shoulder', 'elbow', 'wrist'):
            axes[f'{side}_{joint}'] = out, -_FORWARD
    return {x: np.stack([*pair, np.cross(*pair)], axis=1) for x, pair in axes.items()}


_DEFAULT_NAMES = {
    **_names(()),
    **dict(spine='Spine', thorax='Chest', neck_base='Neck', head='Head'),
}
BONES = {joint: _DEFAULT_NAMES[joint] for joint in _H36M.joints}
"""Names of Human3.6M's joints in the default ``.bvh``."""
DEFAULT_WITH_TOES = Rig(_H36M, _DEFAULT_NAMES, np.eye(17))
"""Rig of the default ``.bvh`` of clips with toes."""

_SPINE = ('Spine', 'Spine1', 'Spine2')
_HUMANOID, _PLACES = _humanoid()
HUMAN_IK = Rig(_HUMANOID, _names(_SPINE), _PLACES)
"""Rig of ``.glb`` files."""
BVH_PROFILES: dict[str, Rig] = {
    'default': Rig(_H36M, BONES, np.eye(17), has_toes=False),
    'lafan1': Rig(
        _HUMANOID,
        _names(_SPINE, toe='Toe'),
        _PLACES,
        axes=_lafan1_axes(),
        order='YXZ',
        has_one_order=True,
        fps=30.0,
    ),
    'mixamo': Rig(_HUMANOID, _names(_SPINE, 'mixamorig:'), _PLACES),
}
"""Rigs of ``.bvh`` files by the name of their profile."""
