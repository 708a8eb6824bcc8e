"""Joint angles of the pelvis, trunk, hips, knees, ankles, shoulders and elbows.

Segments have the axes of the International Society of Biomechanics: x forward, y up,
z to the right (https://doi.org/10.1016/S0021-9290(01)00222-6). Names, signs and the
order of rotations (z, x, y, each about the axis that the former ones have turned) are
as in OpenSim's full-body model (https://doi.org/10.1109/TBME.2016.2586891). All
angles are 0 for people who stand straight, with hanging arms, and face along x; knees
and elbows beyond straight are negative.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mmhot.geometry.rotations import euler_angles, smooth_angles
from mmhot.skeletons.joints import get_skeleton

_SKELETONS = {17: get_skeleton('h36m-17'), 24: get_skeleton('h36m-24')}
_SIDES = {'right': 1.0, 'left': -1.0}
# Weight of the neighbor's axis in the hinge of a knee or elbow, as straight limbs do
# not determine their hinge. At a bend of 9 degrees the limb's own axis counts as much.
_STRAIGHT = 0.15
# Degrees that a knee or elbow may bend beyond straight. If it bends further, its limb
# is turned. In CMU's motions knees never do, and elbows by up to 20 degrees.
_BEYOND = 30.0
_BALL = {
    'pelvis': ('pelvis_tilt', 'pelvis_list', 'pelvis_rotation'),
    'trunk': ('lumbar_extension', 'lumbar_bending', 'lumbar_rotation'),
    'hip': ('hip_flexion', 'hip_adduction', 'hip_rotation'),
    'shoulder': ('arm_flex', 'arm_add', 'arm_rot'),
}
# Ranges of people's joints in degrees. Pelvis and trunk are not limited further.
_RANGES = {
    'shoulder': np.array([(-60, 180), (-180, 60), (-120, 120)]),
    'hip': np.array([(-45, 140), (-100, 60), (-90, 90)]),
}
_ANY = np.array([(-180, 180), (-90, 90), (-180, 180)])
# Degrees by which another triple of angles must be less outside the range, on average,
# to replace the first triple, or the one before a pole.
_KEEPS = 5.0
_POLE = 0.2  # cosine of the second angle; below, the other two angles are noise


class _Limb(NamedTuple):
    """Leg or arm: a ball joint, and a hinge in its middle."""

    joints: tuple[str, str, str]  # from the trunk outwards
    ball: str  # part whose angles are those of the ball joint
    hinge: str  # name of the angle of the hinge
    forward: float  # 1 if the hinge bends forward, -1 if it bends backward


_LIMBS = (
    _Limb(('hip', 'knee', 'foot'), 'hip', 'knee_angle', -1.0),
    _Limb(('shoulder', 'elbow', 'wrist'), 'shoulder', 'elbow_flex', 1.0),
)
ANGLES = (
    *(*_BALL['pelvis'], *_BALL['trunk']),
    *(
        f'{name}_{side[0]}'
        for limb in _LIMBS
        for side in _SIDES
        for name in (*_BALL[limb.ball], limb.hinge)
    ),
)
"""Names of the angles of ``h36m-17``, as in OpenSim."""
_ANKLES = ('ankle_angle_r', 'ankle_angle_l')


def angle_names(num_joints: int) -> tuple[str, ...]:
    """Name the angles of a skeleton; ankles are included if it has 24 joints."""
    return ANGLES if num_joints == 17 else (*ANGLES, *_ANKLES)


def joint_angles(positions: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """Compute joint angles.

    Knees and elbows bend about one axis, which in straight limbs is that of the least
    rotation from pelvis or trunk.

    Args:
        positions (np.ndarray): Joints of ``h36m-17`` or ``h36m-24``, y up, in any unit,
            (T, K, 3).
        before (np.ndarray, optional): Angles of the first pose, with which the others
            go on, (A,).

    Returns:
        np.ndarray: Degrees, in the order of :func:`angle_names`, (T, A). Angles of
        shoulders and hips are within half a turn of the middle of people's ranges, so
        that circling arms do not wind up. Angles of pelvis and trunk continue beyond a
        full turn.
    """
    names = angle_names(positions.shape[1])
    place = {
        joint: positions[:, index].astype(np.float64)
        for index, joint in enumerate(_SKELETONS[positions.shape[1]].joints)
    }
    pelvis = _axes(
        place['spine'] - place['root'], place['right_hip'] - place['left_hip']
    )
    trunk = _axes(
        place['thorax'] - place['spine'],
        place['right_shoulder'] - place['left_shoulder'],
    )
    known = {} if before is None else dict(zip(names, before, strict=True))
    angles = _turn_angles('pelvis', pelvis, known)
    angles |= _turn_angles('trunk', np.swapaxes(pelvis, -1, -2) @ trunk, known)
    for side in _SIDES:
        for limb, above in zip(_LIMBS, (pelvis, trunk), strict=True):
            joints = [place[f'{side}_{joint}'] for joint in limb.joints]
            angles |= _limb_angles(limb, side, joints, above, known)
        if f'{side}_heel' in place:
            sole = unit_vectors(place[f'{side}_big_toe'] - place[f'{side}_heel'])
            shin = unit_vectors(place[f'{side}_knee'] - place[f'{side}_foot'])
            lifted = (sole * shin).sum(-1).clip(-1, 1)
            angles[f'ankle_angle_{side[0]}'] = np.degrees(np.arcsin(lifted))
    return np.stack([angles[name] for name in names], axis=1)


def _turn_angles(
    part: str, axes: np.ndarray, known: Mapping[str, float], side: str = ''
) -> dict[str, np.ndarray]:
    """Return the three angles of a part by name, degrees, (T,).

    ``axes`` (T, 3, 3) are relative to the neighbor's. ``known`` has the angles of the
    first pose, or nothing.
    """
    values = np.degrees(smooth_angles(euler_angles(axes, 'ZXY'), 'ZXY'))
    # Adduction and rotation are positive towards the middle on both sides.
    sign = _SIDES.get(side, 1.0)
    values *= (1, sign, sign)
    listed = [f'{name}_{side[0]}' if side else name for name in _BALL[part]]
    start = [known[name] for name in listed] if known else None
    values = _in_range(values, _RANGES.get(part, _ANY), start)
    return dict(zip(listed, values.T, strict=True))


def _limb_angles(
    limb: _Limb,
    side: str,
    joints: Sequence[np.ndarray],
    above: np.ndarray,
    known: Mapping[str, float],
) -> dict[str, np.ndarray]:
    """Return the angles of a limb's ball and hinge by name, degrees, (T,).

    ``joints`` are three positions (T, 3) from the trunk outwards, and ``above`` (T, 3,
    3) are the axes of pelvis or trunk.
    """
    first, middle, last = joints
    upper = unit_vectors(first - middle)
    lower = unit_vectors(middle - last)
    straight = _carried(above[..., 2], above[..., 1], upper)
    degrees = np.degrees(np.arccos((upper * lower).sum(-1).clip(-1, 1)))
    hinge = limb.forward * np.cross(upper, lower)
    bends = _bend_signs(hinge, straight, degrees)
    hinge = bends[:, None] * hinge + _STRAIGHT * straight
    axes = np.swapaxes(above, -1, -2) @ _axes(upper, hinge, along=True)
    angles = _turn_angles(limb.ball, axes, known, side)
    return angles | {f'{limb.hinge}_{side[0]}': bends * degrees}


def _in_range(
    angles: np.ndarray, ranges: np.ndarray, before: list[float] | None
) -> np.ndarray:
    """Choose triples (T, 3) or the others of their rotations, and whole turns.

    They are within the ranges (3, 2) of people as far as possible. They change only
    near a pole of the second angle, where both triples meet, and turns do not show;
    whole turns of limbs also half a turn from the middle of their range. If the first
    triple is known, from ``before``, each frame near a pole may change.
    """
    cosines = np.abs(np.cos(np.radians(angles[:, 1])))
    is_near = cosines < _POLE
    edges = np.flatnonzero(np.diff(is_near, prepend=False, append=False))
    poles = [x + cosines[x:end].argmin() for x, end in edges.reshape(-1, 2).tolist()]
    if before is not None:
        poles = np.flatnonzero(is_near).tolist()
    chosen: list[np.ndarray] = []
    choices: list[tuple[int, np.ndarray]] = []
    for rows in np.split(np.arange(len(angles)), [x for x in poles if x]):
        part = angles[rows]
        start = np.argmax(cosines[rows] > _POLE)
        triples = part, part * (1, -1, 1) + 180
        goal = ranges if before is None or chosen else np.stack([before, before], 1)
        for number, triple in enumerate(triples):
            turns = (triple[start] - goal.mean(1)) / 360
            choices.append((number, 360 * turns.round()))
        inside = [triples[number] - turns for number, turns in choices]
        if ranges is not _ANY:
            inside = [x - 360 * ((x - ranges.mean(1)) / 360).round() for x in inside]
        outside = [np.abs(x - x.clip(*goal.T)).mean() for x in inside]
        outside[0] -= _KEEPS
        best = int(np.argmin(outside))
        chosen.append(inside[best])
        choices = [choices[best]]
    return np.concatenate(chosen)


def _bend_signs(
    hinges: np.ndarray, straight: np.ndarray, degrees: np.ndarray
) -> np.ndarray:
    """Return -1 where a limb is bent beyond straight, else 1, (T,).

    Its hinge (T, 3) changes sides there, and is then against the neighbor's, (T, 3).
    """
    turns_back = (hinges[1:] * hinges[:-1]).sum(-1) < 0
    part = np.cumsum(np.append([False], turns_back)[: len(hinges)])
    agrees = np.bincount(part, (hinges * straight).sum(-1)) >= 0
    is_far = np.bincount(part, degrees > _BEYOND) > 0
    return np.where(agrees | is_far, 1.0, -1.0)[part]


def _axes(up: np.ndarray, right: np.ndarray, along: bool = False) -> np.ndarray:
    """Make axes (T, 3, 3), as columns; y is exactly up if ``along``, else z right."""
    forward = unit_vectors(np.cross(up, right))
    if along:
        up = unit_vectors(up)
        right = np.cross(forward, up)
    else:
        right = unit_vectors(right)
        up = np.cross(right, forward)
    return np.stack([forward, up, right], axis=-1)


def _carried(vectors: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn vectors (T, 3) by the least rotation from unit vectors to others."""
    both = source + target
    scale = (vectors * both).sum(-1) / np.maximum((both * both).sum(-1) / 2, 1e-9)
    ahead = 2 * (vectors * source).sum(-1)
    return vectors - scale[:, None] * both + ahead[:, None] * target


def unit_vectors(vectors: np.ndarray, least: float = 1e-12) -> np.ndarray:
    """Scale vectors (..., 3) to length one, shorter ones than ``least`` to less."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(least)
