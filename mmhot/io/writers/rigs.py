"""Rigs: joint trees, names, rest poses and axes that animation programs expect.

Mixamo's characters have the names of Autodesk's HumanIK; LAFAN1's set
(https://github.com/ubisoft/ubisoft-laforge-animation-dataset) has axes along its bones,
which tools that move robots rely on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

import numpy as np

from mmhot.skeletons.joints import Skeleton, get_skeleton

_H36M = get_skeleton('h36m-17')
_SIDES = ('left', 'right')
# Axes of the rest pose: left, up and forward of the person.
_LEFT, _UP, _FORWARD = np.eye(3)
TYPICAL_SHIN = 0.43
"""Length of an adult's shin in meters."""
TOE = np.array([0.0, -0.055, 0.13])
"""Toe joint relative to the ankle in meters, if the shin is a typical one."""
TOE_END = np.array([0.0, -0.005, 0.06])
"""End of the toe relative to the toe joint in meters, if the shin is a typical one."""
FINGERS = {
    'thumb': 'Thumb',
    'forefinger': 'Index',
    'middle_finger': 'Middle',
    'ring_finger': 'Ring',
    'pinky_finger': 'Pinky',
}
"""HumanIK's names of fingers by COCO-WholeBody's names."""
PHALANGES = (1, 2, 3, 4)
"""Numbers of a finger's points, from the knuckle to the tip."""


@dataclass(frozen=True, eq=False)
class Rig:
    """Joint tree of a program."""

    # Joints with known positions: the root first, and one of them is 'thorax'.
    skeleton: Skeleton
    # The program's names of joints. Joints without a name mark the ends of limbs.
    names: Mapping[str, str]
    # Weights (J, 17): the joints of `skeleton` are weighted sums of Human3.6M's joints.
    places: np.ndarray
    hands: tuple[str, ...] = ()  # sides of the body with fingers
    # Axes of joints in the rest pose as columns (3, 3). By default the axes of a joint
    # are the left, up and forward directions of the person.
    axes: Mapping[str, np.ndarray] = field(default_factory=dict)
    # Orders of Euler angles, from the parent to the joint. The one with the smallest
    # jumps is used for all joints of a motion; the first of equally good ones.
    orders: tuple[str, ...] = ('ZXY',)
    fps: float | None = None  # frame rate, if the program expects a certain one

    @property
    def joints(self) -> tuple[str, ...]:
        """All joints, toes and fingers last."""
        toes = [f'{side}_{part}' for side in _SIDES for part in ('toe', 'toe_end')]
        return tuple(dict.fromkeys([*self.skeleton.joints, *toes, *self.names]))

    @property
    def lifted(self) -> np.ndarray:
        """Indices of the joints that equal Human3.6M's, in its order, (17,)."""
        return (self.places == 1).argmax(0)

    @property
    def rest_axes(self) -> np.ndarray:
        """Axes of all joints in the rest pose as columns, (K, 3, 3)."""
        return np.stack([self.axes.get(joint, np.eye(3)) for joint in self.joints])

    def with_fingers(self, joints: Sequence[str]) -> 'Rig':
        """Add the fingers among a clip's joints, unless the rig has axes of its own."""
        hands = [side for side in _SIDES if f'{side}_thumb1' in joints]
        if self.axes or not hands:
            return self
        prefix = self.names['root'].removesuffix('Hips')
        names = {
            f'{side}_{finger}{number}': f'{prefix}{side.title()}Hand{name}{number}'
            for side in hands
            for finger, name in FINGERS.items()
            for number in PHALANGES
        }
        return replace(self, names={**self.names, **names}, hands=tuple(hands))


# Joints of a humanoid without toes: the root, legs, trunk, head and arms.
_TREE = """
    root
    left_hip<root left_knee<left_hip left_foot<left_knee
    right_hip<root right_knee<right_hip right_foot<right_knee
    spine_0<root spine_1<spine_0 spine_2<spine_1 thorax<spine_2
    neck_base<thorax head<neck_base
    left_clavicle<spine_2 left_shoulder<left_clavicle left_elbow<left_shoulder
    left_wrist<left_elbow left_hand_end<left_wrist
    right_clavicle<spine_2 right_shoulder<right_clavicle right_elbow<right_shoulder
    right_wrist<right_elbow right_hand_end<right_wrist
"""


def _humanoid() -> tuple[Skeleton, np.ndarray]:
    """Make the skeleton of a humanoid without toes, and its places (J, 17)."""
    parents = dict(word.partition('<')[::2] for word in _TREE.split())
    joints = tuple(parents)
    places: dict[str, dict[str, float]] = {
        'spine_0': {'root': 0.5, 'spine': 0.5},
        'spine_1': {'spine': 1.0},
        'spine_2': {'spine': 0.5, 'thorax': 0.5},
    }
    for side in _SIDES:
        places[f'{side}_clavicle'] = {'thorax': 0.75, f'{side}_shoulder': 0.25}
        # Hands are 0.7 times as long as forearms.
        places[f'{side}_hand_end'] = {f'{side}_wrist': 1.7, f'{side}_elbow': -0.7}
    weights = np.zeros((len(joints), len(_H36M.joints)))
    for row, joint in enumerate(joints):
        for source, weight in places.get(joint, {joint: 1.0}).items():
            weights[row, _H36M.index(source)] = weight
    pairs = tuple(
        (joints.index(joint), joints.index(joint.replace('left', 'right')))
        for joint in joints
        if joint.startswith('left')
    )
    indices = tuple(joints.index(x) if x else -1 for x in parents.values())
    return Skeleton('humanoid', joints, indices, pairs, {}), weights


def _names(prefix: str = '', toe: str = 'ToeBase') -> dict[str, str]:
    """Return HumanIK's names by joint, behind a prefix."""
    limbs = {
        **{'hip': 'UpLeg', 'knee': 'Leg', 'foot': 'Foot', 'toe': toe},
        **{'clavicle': 'Shoulder', 'shoulder': 'Arm'},
        **{'elbow': 'ForeArm', 'wrist': 'Hand'},
    }
    names = {
        **{'root': 'Hips', 'thorax': 'Neck', 'neck_base': 'Head'},
        **{'spine_0': 'Spine', 'spine_1': 'Spine1', 'spine_2': 'Spine2'},
        **{f'{x}_{y}': x.title() + name for x in _SIDES for y, name in limbs.items()},
    }
    return {joint: prefix + name for joint, name in names.items()}


def _lafan1_axes() -> dict[str, np.ndarray]:
    """Return LAFAN1's axes by joint, x along the bones, as columns (3, 3)."""
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


_HUMANOID, _PLACES = _humanoid()
HUMAN_IK = Rig(_HUMANOID, _names(), _PLACES)
"""Rig of ``.glb`` files."""
BVH_PROFILES: dict[str, Rig] = {
    'default': HUMAN_IK,
    'lafan1': Rig(
        _HUMANOID,
        _names(toe='Toe'),
        _PLACES,
        axes=_lafan1_axes(),
        orders=('YXZ', *map(''.join, permutations('XYZ'))),
        fps=30.0,
    ),
    'mixamo': Rig(_HUMANOID, _names('mixamorig:'), _PLACES),
}
"""Rigs of ``.bvh`` files by the name of their profile."""
