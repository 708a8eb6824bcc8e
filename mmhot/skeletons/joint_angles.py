"""Joint angles of the pelvis, trunk, hips, knees, ankles, shoulders and elbows.

Segments have the axes of the International Society of Biomechanics: x forward, y up,
z to the right (https://doi.org/10.1016/S0021-9290(01)00222-6). Names, signs and the
order of rotations (z, x, y, each about the axis that the previous ones have turned) are
as in OpenSim's full-body model (https://doi.org/10.1109/TBME.2016.2586891). All
angles are 0 for people who stand straight, with hanging arms, and face along x. Knees
and elbows beyond straight are negative.

Three angles (a, b, c) are the same rotation as (a + 180, 180 - b, c + 180), and whole
turns of each change nothing. The choice is continuous, and in the ranges of people
where possible.
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
# In 95 clips of CMU's motions, exact, with noise of 1 cm and lifted, 0.5 to 2 of it
# change angles by 1.2 degrees on average; half has 65 more jumps by 60 degrees.
_STRAIGHT_WEIGHT = 0.15
# Degrees; knees and elbows bend at most this far beyond straight, otherwise their limb
# is turned. In CMU's motions knees never do, and elbows by up to 20 degrees. 1 to 10 of
# it change nothing, half .2 % of the angles in walks with noise.
_MAX_BEYOND = 30.0
_BALL = {
    'pelvis': ('pelvis_tilt', 'pelvis_list', 'pelvis_rotation'),
    'trunk': ('lumbar_extension', 'lumbar_bending', 'lumbar_rotation'),
    'hip': ('hip_flexion', 'hip_adduction', 'hip_rotation'),
    'shoulder': ('arm_flex', 'arm_add', 'arm_rot'),
}
# Degrees; ranges of people's joints. Pelvis and trunk are not limited further.
_RANGES = {
    'shoulder': np.array([(-60, 180), (-180, 60), (-120, 120)]),
    'hip': np.array([(-45, 140), (-100, 60), (-90, 90)]),
}
_ANY = np.array([(-180, 180), (-90, 90), (-180, 180)])
# Degrees; another triple replaces the first triple, or the one before a pole, if its
# mean distance from the range is smaller by this much. 0.5 to 2 of it change .2 % of
# the angles by 5 degrees.
_MIN_GAIN = 5.0
# Cosine of the second angle; frames with less are near a pole, where the other two
# angles are noise. 0.5 to 2 of it change .8 % of the angles by 5 degrees.
_POLE = 0.2


class _Limb(NamedTuple):
    """Leg or arm: a ball joint at the trunk, and a hinge in its middle."""

    joints: tuple[str, str, str]  # from the trunk outwards
    ball: str  # key of _BALL for the angles of the ball joint
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
"""Names of the angles of ``h36m-17``, as in OpenSim: r is right, l is left."""
_ANKLES = ('ankle_angle_r', 'ankle_angle_l')


def angle_names(num_joints: int) -> tuple[str, ...]:
    """Name the angles of a skeleton; ankles are included if it has 24 joints."""
    return ANGLES if num_joints == 17 else (*ANGLES, *_ANKLES)


def joint_angles(positions: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """Compute joint angles.

    Knees and elbows bend about one axis. Straight limbs do not show it; there it is the
    axis of pelvis or trunk, turned by the least rotation to the limb.

    Args:
        positions (np.ndarray): Joints of ``h36m-17`` or ``h36m-24``, y up, in any unit,
            (T, K, 3).
        before (np.ndarray, optional): Angles of the first pose, (A,) in degrees, which
            the others continue.

    Returns:
        np.ndarray: Degrees, (T, A), in the order of :func:`angle_names`. Angles of
        shoulders and hips are within half a turn of the middle of people's ranges, so
        that circling arms do not wind up. Angles of pelvis and trunk continue beyond a
        full turn.

    Example:
        A person faces along x and bends the right knee by 90 degrees.

        >>> joints = dict(
        ...     root=(0, 0, 0), spine=(0, 25, 0), thorax=(0, 50, 0),
        ...     neck_base=(0, 60, 0), head=(0, 75, 0),
        ...     right_hip=(0, 0, 13), right_knee=(0, -43, 13),
        ...     right_foot=(-42, -43, 13),
        ...     left_hip=(0, 0, -13), left_knee=(0, -43, -13), left_foot=(0, -85, -13),
        ...     right_shoulder=(0, 48, 17), right_elbow=(0, 20, 17),
        ...     right_wrist=(0, -5, 17),
        ...     left_shoulder=(0, 48, -17), left_elbow=(0, 20, -17),
        ...     left_wrist=(0, -5, -17))
        >>> pose = np.array([joints[name] for name in get_skeleton('h36m-17').joints])
        >>> angles = dict(zip(ANGLES, joint_angles(pose[None])[0].round(), strict=True))
        >>> {name: float(angle) for name, angle in angles.items() if angle}
        {'knee_angle_r': 90.0}
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
    angles = _ball_angles('pelvis', pelvis, known)
    angles |= _ball_angles('trunk', np.swapaxes(pelvis, -1, -2) @ trunk, known)
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


def _ball_angles(
    part: str, axes: np.ndarray, known: Mapping[str, float], side: str = ''
) -> dict[str, np.ndarray]:
    """Return the three angles of a part by name, degrees, (T,).

    ``axes`` (T, 3, 3) are relative to the axes of the neighboring part. ``known`` has
    the angles of the first pose, or nothing.
    """
    values = np.degrees(smooth_angles(euler_angles(axes, 'ZXY'), 'ZXY'))
    # Adduction and rotation are positive towards the middle on both sides.
    sign = _SIDES.get(side, 1.0)
    values *= (1, sign, sign)
    names = [f'{name}_{side[0]}' if side else name for name in _BALL[part]]
    first = [known[name] for name in names] if known else None
    values = _in_range(values, _RANGES.get(part, _ANY), first)
    return dict(zip(names, values.T, strict=True))


def _limb_angles(
    limb: _Limb,
    side: str,
    joints: Sequence[np.ndarray],
    above: np.ndarray,
    known: Mapping[str, float],
) -> dict[str, np.ndarray]:
    """Return the angles of a limb's ball joint and hinge by name, degrees, (T,).

    ``joints`` are three positions (T, 3) from the trunk outwards, ``above`` (T, 3, 3)
    are the axes of pelvis or trunk, and ``known`` are the angles of the first pose.
    """
    first, middle, last = joints
    upper = unit_vectors(first - middle)
    lower = unit_vectors(middle - last)
    straight = _carried(above[..., 2], above[..., 1], upper)
    degrees = np.degrees(np.arccos((upper * lower).sum(-1).clip(-1, 1)))
    hinge = limb.forward * np.cross(upper, lower)
    bends = _bend_signs(hinge, straight, degrees)
    hinge = bends[:, None] * hinge + _STRAIGHT_WEIGHT * straight
    axes = np.swapaxes(above, -1, -2) @ _axes(upper, hinge, along=True)
    angles = _ball_angles(limb.ball, axes, known, side)
    return angles | {f'{limb.hinge}_{side[0]}': bends * degrees}


def _in_range(
    angles: np.ndarray, ranges: np.ndarray, first: list[float] | None
) -> np.ndarray:
    """Choose among the triples of angles that are the same rotations.

    The choice is within the ranges of people as far as possible. It changes only near
    poles, where both triples meet; whole turns of limbs also change half a turn from
    the middle of their range.

    Args:
        angles (np.ndarray): Continuous angles of a joint, degrees, (T, 3).
        ranges (np.ndarray): Smallest and largest angles of people, degrees, (3, 2).
        first (list[float] | None): Angles of the first pose if they are known. Then the
            choice may change in each frame near a pole.

    Returns:
        np.ndarray: Degrees, (T, 3).
    """
    cosines = np.abs(np.cos(np.radians(angles[:, 1])))
    chosen: list[np.ndarray] = []
    choices: list[tuple[int, np.ndarray]] = []  # number of the triple, and its turns
    for rows in _split_at_poles(cosines, everywhere=first is not None):
        triples = angles[rows], angles[rows] * (1, -1, 1) + 180
        goal = ranges if first is None or chosen else np.stack([first, first], 1)
        start = np.argmax(cosines[rows] > _POLE)
        for number, triple in enumerate(triples):
            turns = (triple[start] - goal.mean(1)) / 360
            choices.append((number, 360 * turns.round()))
        turned = [triples[number] - turns for number, turns in choices]
        if ranges is not _ANY:
            turned = [x - 360 * ((x - ranges.mean(1)) / 360).round() for x in turned]
        outside = [np.abs(x - x.clip(*goal.T)).mean() for x in turned]
        outside[0] -= _MIN_GAIN
        best = int(np.argmin(outside))
        chosen.append(turned[best])
        choices = [choices[best]]  # the next part prefers it
    return np.concatenate(chosen)


def _split_at_poles(cosines: np.ndarray, everywhere: bool) -> list[np.ndarray]:
    """Split frames (T,) at the frame nearest to each pole.

    With ``everywhere``, they are split at all frames near a pole. ``cosines`` (T,) of
    the second angle are 0 at a pole.
    """
    is_near = cosines < _POLE
    if everywhere:
        poles = np.flatnonzero(is_near).tolist()
    else:
        edges = np.flatnonzero(np.diff(is_near, prepend=False, append=False))
        spans = edges.reshape(-1, 2).tolist()
        poles = [start + int(cosines[start:end].argmin()) for start, end in spans]
    return np.split(np.arange(len(cosines)), [pole for pole in poles if pole])


def _bend_signs(
    hinges: np.ndarray, straight: np.ndarray, degrees: np.ndarray
) -> np.ndarray:
    """Return -1 where a limb is bent beyond straight, else 1, (T,).

    There its hinge changes sides, and points against that of a straight limb.

    Args:
        hinges (np.ndarray): Axes of the hinge, (T, 3).
        straight (np.ndarray): Axes that it has if the limb is straight, (T, 3).
        degrees (np.ndarray): Bend of the limb in either direction, (T,).
    """
    turns_back = (hinges[1:] * hinges[:-1]).sum(-1) < 0
    part = np.cumsum(np.append([False], turns_back)[: len(hinges)])
    agrees = np.bincount(part, (hinges * straight).sum(-1)) >= 0
    is_far = np.bincount(part, degrees > _MAX_BEYOND) > 0
    return np.where(agrees | is_far, 1.0, -1.0)[part]


def _axes(up: np.ndarray, right: np.ndarray, along: bool = False) -> np.ndarray:
    """Make axes x forward, y up, z right, which are the columns, (T, 3, 3).

    Vectors (T, 3) up and right need not be at right angles: y is exactly up if
    ``along``, else z is exactly right.
    """
    forward = unit_vectors(np.cross(up, right))
    if along:
        up = unit_vectors(up)
        right = np.cross(forward, up)
    else:
        right = unit_vectors(right)
        up = np.cross(right, forward)
    return np.stack([forward, up, right], axis=-1)


def _carried(vectors: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn vectors by the least rotation from unit vectors to others, all (T, 3)."""
    both = source + target
    scale = (vectors * both).sum(-1) / np.maximum((both * both).sum(-1) / 2, 1e-9)
    ahead = 2 * (vectors * source).sum(-1)
    return vectors - scale[:, None] * both + ahead[:, None] * target


def unit_vectors(vectors: np.ndarray, least: float = 1e-12) -> np.ndarray:
    """Scale vectors (..., 3) to length 1; below ``least`` they stay shorter."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(least)
