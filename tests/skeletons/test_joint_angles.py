"""Joint angles have the signs and zeros of their definitions."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mmhot.skeletons.joint_angles import ANGLES, angle_names, joint_angles
from mmhot.skeletons.joints import get_skeleton

H36M = get_skeleton('h36m-17')
# A person who stands straight and faces along x; y up, z to the right.
STANDING = dict(
    root=(0, 0.9, 0),
    spine=(0, 1.1, 0),
    thorax=(0, 1.4, 0),
    neck_base=(0.06, 1.5, 0),
    head=(0, 1.65, 0),
)
for name, y, z in (
    *(('hip', 0.9, 0.1), ('knee', 0.5, 0.1), ('foot', 0.08, 0.1)),
    *(('shoulder', 1.4, 0.18), ('elbow', 1.1, 0.18), ('wrist', 0.85, 0.18)),
):
    STANDING |= {f'right_{name}': (0, y, z), f'left_{name}': (0, y, -z)}


def posed(*changes):
    """A standing person (17, 3) after rotations of parts about a joint."""
    pose = np.array([STANDING[joint] for joint in H36M.joints], float)
    for pivot, rotation, moved in changes:
        rows = H36M.indices(moved)
        center = pose[H36M.index(pivot)].copy()
        pose[rows] = rotation.apply(pose[rows] - center) + center
    return pose


def named_angles(poses):
    """Angles (T,) by name."""
    return dict(zip(ANGLES, joint_angles(np.array(poses)).T, strict=True))


def bent(changes, turn=None):
    """Angles by name after rotations of parts about a joint."""
    turn = turn or Rotation.identity()
    changes = [
        (pivot, Rotation.from_euler(axis, degrees, degrees=True), moved)
        for pivot, axis, degrees, moved in changes
    ]
    angles = named_angles([turn.apply(posed(*changes))])
    return {name: values[0] for name, values in angles.items()}


def limb(side, *joints):
    return [f'{side}_{joint}' for joint in joints]


SIDES = [('right', 1), ('left', -1)]  # and the sign of z to the outside


def assert_only(angles, **wanted):
    assert angles == pytest.approx(dict.fromkeys(angles, 0) | wanted, abs=1e-5)


def test_all_angles_of_a_standing_person_are_zero():
    assert len(ANGLES) == 22
    assert_only(bent([]))


# Joint, axis, degrees and what is moved of the right side; the angle that is not zero.
# z points to the right: positive rotations carry hanging limbs forward.
BENDS = [
    ('hip', 'z', 30, ['knee', 'foot'], 'hip_flexion', 30),
    ('knee', 'z', -40, ['foot'], 'knee_angle', 40),
    ('elbow', 'z', 70, ['wrist'], 'elbow_flex', 70),
    ('shoulder', 'z', 80, ['elbow', 'wrist'], 'arm_flex', 80),
    # Abduction to the side is negative.
    ('hip', 'x', -25, ['knee', 'foot'], 'hip_adduction', -25),
    ('shoulder', 'x', -60, ['elbow', 'wrist'], 'arm_add', -60),
    # Limbs bend beyond straight.
    *(
        ('knee', 'z', degrees, ['foot'], 'knee_angle', -degrees)
        for degrees in (3, 8, 12, 25)
    ),
    *(
        ('elbow', 'z', -degrees, ['wrist'], 'elbow_flex', -degrees)
        for degrees in (3, 8, 12, 25)
    ),
]


@pytest.mark.parametrize('side', ['right', 'left'])
@pytest.mark.parametrize(
    ('joint', 'axis', 'degrees', 'moved', 'name', 'angle'), BENDS, ids=str
)
def test_limbs_bend_in_the_documented_directions(
    side, joint, axis, degrees, moved, name, angle
):
    mirrored = axis == 'x' and side == 'left'
    turn = -degrees if mirrored else degrees
    angles = bent([(f'{side}_{joint}', axis, turn, limb(side, *moved))])
    assert_only(angles, **{f'{name}_{side[0]}': angle})


@pytest.mark.parametrize(('side', 'out'), SIDES)
@pytest.mark.parametrize('starts', [0, 80, 149])
def test_limbs_are_raised_sideways_beyond_a_right_angle(side, out, starts):
    arm, leg = limb(side, 'elbow', 'wrist'), limb(side, 'knee', 'foot')
    degrees = np.arange(starts, 151)
    poses = []
    for raised in degrees:
        turn = Rotation.from_euler('x', -raised * out, degrees=True)
        poses.append(posed((f'{side}_shoulder', turn, arm), (f'{side}_hip', turn, leg)))
    raised = {f'arm_add_{side[0]}', f'hip_adduction_{side[0]}'}
    for name, values in named_angles(poses).items():
        wanted = -degrees if name in raised else 0 * degrees
        np.testing.assert_allclose(values, wanted, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(('side', 'out'), SIDES)
@pytest.mark.parametrize('first', [(6, 174), (-6, 176), (10, 174), (20, 100), (6, 96)])
@pytest.mark.parametrize('last', [20, 165])
def test_arms_that_begin_raised_sideways_are_not_twisted(side, out, first, last):
    """Straight arms, a few degrees ahead of or behind straight up."""
    flexed, raised = first
    poses = []
    for done in np.linspace(0, 1, 40):
        now = (1 - done) * flexed, (1 - done) * raised + done * last
        turn = Rotation.from_euler('ZX', (now[0], -now[1] * out), degrees=True)
        arm = limb(side, 'elbow', 'wrist')
        poses.append(posed((f'{side}_shoulder', turn, arm)))
    angles = named_angles(poses)
    raising, flexing = (angles[f'arm_{x}_{side[0]}'] for x in ('add', 'flex'))
    np.testing.assert_allclose(raising, -np.linspace(raised, last, 40), atol=1e-4)
    np.testing.assert_allclose(flexing, np.linspace(flexed, 0, 40), atol=1e-4)


@pytest.mark.parametrize('width', [8, 40])
@pytest.mark.parametrize(('side', 'out'), SIDES)
def test_arms_that_circle_and_hang_again_do_not_wind_up(side, out, width):
    arm = limb(side, 'elbow', 'wrist')
    circle, hanging = np.linspace(0, 6 * np.pi, 150), np.arange(90 - width)
    sideways = np.r_[hanging, 90 - width * np.cos(circle), hanging[::-1]]
    forward = np.r_[0 * hanging, width * np.sin(circle), 0 * hanging]
    turns = Rotation.from_euler('xy', np.stack([-sideways, forward], 1) * out, True)
    poses = np.array([posed((f'{side}_shoulder', turn, arm)) for turn in turns])
    streamed = [joint_angles(poses[:1])[0]]
    for frame in range(1, len(poses)):
        both = joint_angles(poses[frame - 1 : frame + 1], streamed[-1])
        np.testing.assert_allclose(both[0], streamed[-1], atol=1e-4)
        streamed.append(both[1])
    for angles in (joint_angles(poses), np.array(streamed)):
        np.testing.assert_allclose(angles[[0, -1]], 0, atol=1e-4)
        assert np.abs(angles).max() < 271


@pytest.mark.parametrize(('side', 'out'), SIDES)
def test_bent_limbs_show_their_rotation(side, out):
    leg, arm = limb(side, 'knee', 'foot'), limb(side, 'elbow', 'wrist')
    # about the vertical: toes and hands to the middle are positive
    changes = [
        (f'{side}_elbow', 'z', 90, arm[1:]),
        (f'{side}_shoulder', 'y', 30 * out, arm),
        (f'{side}_knee', 'z', -90, leg[1:]),
        (f'{side}_hip', 'y', 20 * out, leg),
    ]
    angles = bent(changes)
    # the neighbor's axis has a small share
    assert angles[f'arm_rot_{side[0]}'] == pytest.approx(30, abs=4)
    assert angles[f'hip_rotation_{side[0]}'] == pytest.approx(20, abs=3)
    assert angles[f'arm_flex_{side[0]}'] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('side', ['right', 'left'])
def test_ankles_of_24_joints_bend_upwards(side):
    skeleton = get_skeleton('h36m-24')
    pose = np.zeros((1, 24, 3))
    pose[0, :17] = [STANDING[joint] for joint in H36M.joints]
    for foot, z in (('right', 0.1), ('left', -0.1)):
        for part, x in (('heel', -0.05), ('big_toe', 0.2)):
            pose[0, skeleton.index(f'{foot}_{part}')] = x, 0, z
    names = angle_names(24)
    assert len(names) == 24
    angle = names.index(f'ankle_angle_{side[0]}')
    assert joint_angles(pose)[0, angle] == pytest.approx(0, abs=1e-6)
    pose[0, skeleton.index(f'{side}_big_toe'), 1] = 0.25 * np.tan(np.radians(20))
    assert joint_angles(pose)[0, angle] == pytest.approx(20, abs=1e-6)


def test_trunk_and_pelvis():
    upper = [
        'thorax',
        'neck_base',
        'head',
        *(j for j in H36M.joints if j.endswith(('shoulder', 'elbow', 'wrist'))),
    ]
    names = ('lumbar_extension', 'lumbar_bending', 'lumbar_rotation')
    for axis, name in zip('zxy', names, strict=True):
        assert_only(bent([('spine', axis, 15, upper)]), **{name: 15})
    names = ('pelvis_tilt', 'pelvis_list', 'pelvis_rotation')
    for axis, name in zip('zxy', names, strict=True):
        turn = Rotation.from_euler(axis, 20, degrees=True)
        assert_only(bent([], turn), **{name: 20})


def test_angles_do_not_jump_and_ignore_place_and_size():
    turns = np.linspace(0, 720, 50)
    poses = [Rotation.from_euler('y', a, degrees=True).apply(posed()) for a in turns]
    angles = joint_angles(np.array(poses))
    np.testing.assert_allclose(
        angles[:, ANGLES.index('pelvis_rotation')], turns, atol=1e-6
    )
    moved = joint_angles(np.array(poses) * 3 + [5, 1, 2])
    np.testing.assert_allclose(moved, angles, atol=1e-6)
