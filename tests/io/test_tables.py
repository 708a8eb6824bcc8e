"""Named joints in tables: files as other programs, and our own writers, write them."""

import csv
import itertools
import json
import pickle
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from rendered_clips import rendered

import mmhot
from mmhot.chain.lifting.world import place_people, to_world
from mmhot.io.readers.poses import read_poses
from mmhot.skeletons.joints import SKELETONS, convert_keypoints, get_skeleton

COUNT = 20


@pytest.fixture(scope='module')
def clip():
    lifted = to_world(place_people(rendered('walk')), static_camera=True)
    return lifted.take(lifted.frame < COUNT)


def joints_of(clip, skeleton):
    """The joints of a skeleton, by name, z up: random where they are not derived."""
    given, _, _ = convert_keypoints(
        clip.places().astype(float), None, 'h36m-17', skeleton, 'trained'
    )
    noise = np.random.default_rng(0).normal(1, 0.1, given.shape)
    given = np.where(np.isnan(given), noise, given)
    return dict(zip(get_skeleton(skeleton).joints, given.swapaxes(0, 1), strict=True))


def write(path, header, rows):
    with path.open('w', newline='') as file:
        csv.writer(file).writerows([header, *rows])
    return path


def wide(path, joints, ending='{}_{}', heads=(), scale=1.0):
    """Write a row for each frame."""
    header = [
        *(name for name, _ in heads),
        *(ending.format(name, axis) for name in joints for axis in 'xyz'),
    ]
    table = scale * np.concatenate([*joints.values()], axis=1)
    columns = [np.array(values)[:, None] for _, values in heads]
    return write(path, header, np.concatenate([*columns, table], axis=1).tolist())


def trc(path, joints, unit, first_line):
    """Write markers with y up, as Pose2Sim does."""
    names = [*joints]
    scale = dict(m=1, mm=1000)[unit]
    points = scale * np.stack([*joints.values()], axis=1)[..., [0, 2, 1]] * (1, 1, -1)
    heads = ['DataRate', 'CameraRate', 'NumFrames', 'NumMarkers', 'Units', 'Orig']
    lines = [
        first_line,
        '\t'.join([*heads, 'OrigDataStartFrame', 'OrigNumFrames']),
        f'60.0\t60.0\t{COUNT}\t{len(names)}\t{unit}\t60.0\t0\t{COUNT}',
        '\t'.join(['Frame#', 'Time', *(f'{name}\t\t' for name in names)]),
        '\t\t' + '\t'.join(f'{x}{n + 1}' for n in range(len(names)) for x in 'XYZ'),
        '',
    ]
    for frame, pose in enumerate(points):
        values = '\t'.join(f'{x:.7f}' for x in pose.ravel())
        lines.append(f'{frame + 1}\t{(frame + 1) / 60:.7f}\t{values}')
    path.write_text('\n'.join(lines) + '\n')
    return path


def as_named(joints, style):
    return {style(name): points for name, points in joints.items()}


def short(name):
    """RHip for right_hip."""
    side, _, part = name.partition('_')
    if side not in ('left', 'right'):
        return name.title().replace('_', '')
    return side[0].upper() + part.title().replace('_', '')


def assert_body(read, clip, axes):
    """Check the limbs that the source has, and where they are if that is known."""
    assert read.axes == axes
    source = next(x.name for x in SKELETONS.values() if x.joints == read.joint_names)
    body, _, measured = convert_keypoints(
        read.places().astype(float), None, source, 'h36m-17', 'trained'
    )
    limbs = [x for x in range(17) if measured[x] and x not in (0, 7, 8, 9, 10)]
    assert len(limbs) == 12
    places = clip.places()
    if np.isnan(read.root_3d).all():
        places = places - places[:, [1, 4]].mean(1, keepdims=True)
    if axes == 'camera':
        places = places[..., [0, 2, 1]] * (1, -1, 1)
    np.testing.assert_allclose(body[:, limbs], places[:, limbs], atol=1e-4)


def freemocap(folder, clip):
    joints = as_named(joints_of(clip, 'mediapipe-33'), 'body_{}'.format)
    joints['right_hand_wrist'] = joints['body_right_wrist']
    return wide(folder / 'mediapipe_body_3d_xyz.csv', joints, scale=1000.0)


def freemocap_by_frame(folder, clip):
    joints = joints_of(clip, 'mediapipe-33')
    header = ['frame', 'timestamp', 'timestamp_by_camera', 'model', 'keypoint', *'xyz']
    rows = [
        [frame, '', '{}', model, name, *1000 * points[frame] + shift]
        for frame in range(COUNT)
        # hands have wrists of their own
        for model, shift in (('mediapipe_body', 0), ('mediapipe_hand', 50))
        for name, points in joints.items()
        if shift == 0 or name.endswith('wrist')
    ]
    return write(folder / 'recording_by_frame.csv', header, rows)


def sam_cpp(folder, clip):
    def style(name):
        name = name.replace('forefinger', 'index').replace('_finger', '')
        parts = dict(zip('1234', ['third', 'second', 'first', 'tip'], strict=True))
        if name[-1] in parts:
            part = parts[name[-1]]
            return f'{name[:-1]}_{part}' + '_joint' * (part != 'tip')
        return name + '_tip' * name.endswith('_toe')

    joints = as_named(joints_of(clip, 'mhr-70'), style)
    joints = {x: y[..., [0, 2, 1]] * (1, -1, 1) for x, y in joints.items()}
    path = wide(folder / 'person0_3DPoints.csv', joints, '{}_3D{}')
    text = path.read_text()
    for axis in 'xyz':
        text = text.replace(f'_3D{axis}', f'_3D{axis.upper()}')
    path.write_text(text)
    return path


def mediapipe(folder, clip):
    """World landmarks, whose origin is between the hips."""
    joints = joints_of(clip, 'mediapipe-33')
    hips = (joints['left_hip'] + joints['right_hip']) / 2
    rows = [
        [frame, number, *(points - hips)[frame, [0, 2, 1]] * (1, -1, 1), 0.9]
        for frame in range(COUNT)
        for number, points in enumerate(joints.values())
    ]
    header = ['frame_id', 'landmark_id', 'x', 'y', 'z', 'visibility']
    return write(folder / 'landmarks.csv', header, rows)


def pose2sim(folder, clip):
    joints = as_named(joints_of(clip, 'halpe-26'), short)
    joints = {x: y for x, y in joints.items() if x[1:] not in ('Eye', 'Ear')}
    joints['r.ASIS_study'] = joints['RHip']
    first = 'PathFileType  4\t(X/Y/Z) D:\\Pose2Sim\\Demo'
    return trc(folder / 'walk.trc', joints, 'm', first)


def opencap(folder, clip):
    joints = as_named(joints_of(clip, 'openpose-25'), short)
    first = 'PathFileType\t4\t(X/Y/Z)\twalk.trc'
    return trc(folder / 'walk.trc', joints, 'mm', first)


# the lines of the table in docs/input-formats.md
FILES = [
    (freemocap, dict(fps=25), 'mediapipe-33', 'z-up'),
    (freemocap_by_frame, dict(fps=25), 'mediapipe-33', 'z-up'),
    (sam_cpp, dict(fps=25), 'mhr-70', 'camera'),
    (mediapipe, dict(fps=25), 'mediapipe-33', 'camera'),
    (pose2sim, {}, 'halpe-26', 'world'),
    (opencap, {}, 'openpose-25', 'world'),
]


@pytest.mark.parametrize(
    ('make', 'options', 'skeleton', 'axes'), FILES, ids=[x[0].__name__ for x in FILES]
)
def test_files_of_other_programs(make, options, skeleton, axes, clip, tmp_path):
    read = read_poses(make(tmp_path, clip), **options)
    assert read.joint_names == get_skeleton(skeleton).joints
    assert read.fps == options.get('fps', 60)
    np.testing.assert_allclose(read.frame, range(COUNT))
    assert_body(read, clip, axes)


# names of joints in rigs: of one side, in the order of LIMBS, and of the middle
LIMBS = ('collar', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle', 'foot')
HUMAN_IK = 'Shoulder Arm ForeArm Hand UpLeg Leg Foot ToeBase', 'Hips Neck Head'
RIGS = {
    'HumanIK': ('{Side}{}', '{}_{}', *HUMAN_IK),
    'Mixamo': ('mixamorig:{Side}{}', '{}_{}', *HUMAN_IK),
    'Rokoko': ('{Side}{}', '{}_position_{}', *HUMAN_IK),
    'Unity': (
        *('{Side}{}', '{}.{}'),
        'Shoulder UpperArm LowerArm Hand UpperLeg LowerLeg Foot Toes',
        'Hips Neck Head',
    ),
    'Xsens': (
        *('{Side} {}', '{} {}'),
        'Shoulder Upper+Arm Forearm Hand Upper+Leg Lower+Leg Foot Toe',
        'Pelvis Neck Head',
    ),
    'Motive': (
        *('{S}{}', '{}_{}'),
        'Shoulder UArm FArm Hand Thigh Shin Foot Toe',
        'Hip Neck Head',
    ),
    'Motive, several': (
        *('Skeleton 001:{S}{}', '{}_{}'),
        'Shoulder UArm FArm Hand Thigh Shin Foot Toe',
        'Skeleton_001:Hip Skeleton_001:Neck Skeleton_001:Head',
    ),
    '3ds Max': (
        *('Bip01 {S} {}', '{}_{}'),
        'Clavicle UpperArm Forearm Hand Thigh Calf Foot Toe',
        'Bip01_Pelvis Bip01_Neck Bip01_Head',
    ),
    'ARKit': (
        *('{side}_{}_joint', '{}_{}'),
        'shoulder_1 arm forearm hand upLeg leg foot toes',
        'hips_joint neck_1_joint head_joint',
    ),
    'Unreal': (
        *('{}_{s}', '{}_{}'),
        'clavicle upperarm lowerarm hand thigh calf foot ball',
        'pelvis neck_01 head',
    ),
    'VRoid': (
        *('J_Bip_{S}_{}', '{}_{}'),
        'Shoulder UpperArm LowerArm Hand UpperLeg LowerLeg Foot ToeBase',
        'J_Bip_C_Hips J_Bip_C_Neck J_Bip_C_Head',
    ),
    'DeepMotion': (
        *('{s}_{}_JNT', '{}_{}'),
        'shoulder arm forearm hand upleg leg foot toebase',
        'hips_JNT neck_JNT head_JNT',
    ),
    'Rigify': (
        *('DEF-{}.{S}', '{}_{}'),
        'shoulder upper_arm forearm hand thigh shin foot toe',
        'DEF-hips DEF-spine.004 DEF-spine.006',
    ),
    'Auto-Rig Pro': (
        *('{}.{s}', '{}_{}'),
        'shoulder arm_stretch forearm_stretch hand thigh_stretch leg_stretch foot '
        'toes_01',
        'hips.x neck.x head.x',
    ),
    'Meta': (
        *('Body_{Side}{}', '{}_{}'),
        'Shoulder ArmUpper ArmLower HandWrist UpperLeg LowerLeg FootAnkle FootBall',
        'Body_Hips Body_Neck Body_Head',
    ),
    'Daz': (
        *('{s}{}', '{}_{}'),
        'Collar ShldrBend ForearmBend Hand ThighBend Shin Foot Toe',
        'hip neckLower head',
    ),
}


@pytest.mark.parametrize('program', RIGS)
def test_names_of_rigs(program, clip, tmp_path):
    """``LeftShoulder`` is a collar bone, and ``LeftFoot`` an ankle."""
    form, ending, limbs, middle = RIGS[program]
    names = dict(zip(('pelvis', 'neck', 'head'), middle.split(), strict=True))
    for side in ('left', 'right'):
        sides = dict(side=side, Side=side.title(), S=side[0].upper(), s=side[0])
        for part, limb in zip(LIMBS, limbs.split(), strict=True):
            names[f'{side}_{part}'] = form.format(limb.replace('+', ' '), **sides)
    given = joints_of(clip, 'humanml3d-22')
    joints = {name: given[joint] for joint, name in names.items()}
    frames = [
        {'keypoints_3d': {name: x[frame].tolist() for name, x in joints.items()}}
        for frame in range(COUNT)
    ]
    (tmp_path / 'a.json').write_text(json.dumps(frames))
    for path in (wide(tmp_path / 'a.csv', joints, ending), tmp_path / 'a.json'):
        read = read_poses(path, fps=25)
        assert read.joint_names == get_skeleton('humanml3d-22').joints
        assert_body(read, clip, 'z-up')
        foot = read.places()[:, read.joint_names.index('left_foot')]
        np.testing.assert_allclose(foot, given['left_foot'], atol=1e-4)


def test_lines_name_missing_joints_of_rigs_by_their_meaning(clip, tmp_path, caplog):
    """The file has ``LeftFoot``, which is an ankle."""
    given = joints_of(clip, 'humanml3d-22')
    joints = {}
    for part, limb in zip(LIMBS[:-1], HUMAN_IK[0].split(), strict=False):
        for side in ('left', 'right'):
            joints[f'{side}{limb}'] = given[f'{side}_{part}']
    wide(tmp_path / 'a.csv', joints, '{}_{}')
    read_poses(tmp_path / 'a.csv', fps=25)
    assert 'left_foot_index, right_foot_index, neck, head_center of' in caplog.text


def number(name):
    return f'landmark_{get_skeleton("mediapipe-33").joints.index(name)}'


# how programs vary such a file: columns, and text
VARIATIONS = {
    'semicolons': ('{}_{}', str, lambda text: text.replace(',', ';').replace('.', ',')),
    'tabs': ('{}_{}', str, lambda text: text.replace(',', '\t')),
    'spaces': ('{}_{}', str, lambda text: text.replace(',', ', ')),
    'quotes': ('{} {}', str, lambda text: re.sub('[^,\n]+', r'"\g<0>"', text)),
    'dates': ('{}.{}', str, lambda text: '# of 2026-01-31, 12:00\n' + text),
    'UTF-16': ('{}_{}', str, lambda text: text.replace(',', '\t')),
    'units': ('{}_{} (m)', str, lambda text: text.replace('timestamp', 'time [s]')),
    'upper': ('BODY_{}_{}', str.upper, str),
    'axis first': ('{1}_{0}', str, str),
    'numbers': ('{}_{}', number, str),
    'lost': ('{}_{}', str, lambda text: re.sub(r'\n0.16\b.*', lost, text)),
    'milliseconds': ('{}_{}', str, lambda text: text.replace('timestamp', 'time_ms')),
    'times of day': (
        '{}_{}',
        str,
        lambda text: re.sub(r'(?m)^0\.(\d+)', r'2026-01-31 12:00:30.\1', text),
    ),
}


def lost(match):
    """Lose the joints of a frame, in the words of Excel, C and others."""
    words = itertools.cycle(
        ['NA', '#N/A', '#DIV/0!', '-1.#IND', '-nan(ind)', '1.#QNAN']
    )
    return re.sub(',[^,]+', lambda _: f',{next(words)}', match[0])


@pytest.mark.parametrize('kind', VARIATIONS)
def test_tables_vary(kind, clip, tmp_path):
    ending, style, change = VARIATIONS[kind]
    joints = as_named(joints_of(clip, 'mediapipe-33'), style)
    unit = 1000 if kind == 'milliseconds' else 1
    times = unit * np.array([0.04 * frame for frame in range(COUNT)]).round(2)
    path = wide(tmp_path / 'a.csv', joints, ending, [('timestamp', times)])
    encoding = 'utf-16' if kind == 'UTF-16' else 'utf-8-sig'
    path.write_text(change(path.read_text().replace('\r', '')), encoding=encoding)
    read = read_poses(path)
    kept = np.delete(range(COUNT), [4] if kind == 'lost' else [])
    np.testing.assert_allclose(read.frame, kept)
    assert (read.fps, read.joint_names) == (25, get_skeleton('mediapipe-33').joints)
    assert_body(read, clip.take(kept), 'z-up')


@pytest.mark.parametrize('head', ['t', 'timestamp_ms'])
@pytest.mark.parametrize('has_frames', [False, True])
@pytest.mark.parametrize('fps', [29.97, 30, 60, 240])
def test_rounded_times_show_the_rate_passed(clip, fps, has_frames, head, tmp_path):
    """Whole milliseconds, or hundredths of a second, of a constant rate."""
    frames = np.delete(np.arange(20 * COUNT), [30, 31])
    unit, digits = (1, 2 if fps < 240 else 3) if head == 't' else (1000, 0)
    heads = [('frame', frames), (head, (unit * frames / fps).round(digits))]
    joints = joints_of(clip, 'mediapipe-33')
    joints = {x: y[np.arange(len(frames)) % COUNT] for x, y in joints.items()}
    path = wide(tmp_path / 'a.csv', joints, heads=heads[not has_frames :])
    read = read_poses(path, axes='z-up')
    assert (read.frame.tolist(), read.variable_time) == (frames.tolist(), None)
    assert read.fps == pytest.approx(fps, rel=5e-4)
    assert fps == 29.97 or read.fps == fps


@pytest.mark.parametrize('has_frames', [False, True])
def test_times_of_a_variable_rate_are_kept(clip, has_frames, tmp_path):
    joints = joints_of(clip, 'mediapipe-33')
    times = np.cumsum(np.r_[0, [1 / 30] * 9, [1 / 20] * 10]).round(6)
    heads = [('frame', np.arange(COUNT)), ('timestamp', times)][not has_frames :]
    path = wide(tmp_path / 'a.csv', joints, heads=heads)
    read = mmhot.refine(path, given_axes='z-up')
    np.testing.assert_allclose(read.time, times, atol=1e-6)
    people = [
        dict(timestamp_ms=1000 * t, keypoints_3d=p.tolist())
        for t, p in zip(times, np.stack([*joints.values()], 1), strict=True)
    ]
    np.testing.assert_allclose(
        read_poses(people, skeleton='mediapipe-33').time, times, atol=1e-6
    )
    stated = read_poses(path, fps=25, axes='z-up')  # an option counts more
    np.testing.assert_allclose(stated.time, np.arange(COUNT) / 25)


@pytest.mark.parametrize('times', [np.arange(COUNT) // 25, [np.nan] * COUNT])
def test_times_that_do_not_increase_are_one_line(times, clip, tmp_path, caplog):
    joints = joints_of(clip, 'mediapipe-33')
    read = read_poses(wide(tmp_path / 'a.csv', joints, heads=[('t', times)]), fps=25)
    assert read.frame.tolist() == [*range(COUNT)]
    assert caplog.text.count('times do not increase: rows are read without them') == 1


@pytest.mark.parametrize('separator', '\t,')
@pytest.mark.parametrize('rate', ['60', '0'])
def test_times_of_markers_count_more_than_the_rate(
    separator, rate, clip, tmp_path, caplog
):
    path = trc(
        tmp_path / 'a.trc', joints_of(clip, 'openpose-25'), 'm', 'PathFileType\t4'
    )
    times = 3 + np.arange(COUNT) / 25
    times[12:] += 2  # a pause
    lines = [line.split('\t') for line in path.read_text().splitlines()]
    for line, time in zip(lines[6:], times, strict=True):
        line[1] = f'{time:.3f}'
    lines[2][0] = rate
    path.write_text('\n'.join(map(separator.join, lines)))
    read = read_poses(path)
    np.testing.assert_allclose(read.seconds(read.frame), times - 3, atol=1e-6)
    text = f'DataRate is {rate}, but times have 25 frames/s: times are used'
    assert text in caplog.text


@pytest.mark.parametrize('has_frames', [False, True])
def test_tables_of_qualisys(has_frames, clip, tmp_path):
    """Points that were not seen are 0 or empty; names may be of markers on the skin."""
    joints = as_named(joints_of(clip, 'openpose-25'), short)
    points = 1000 * np.stack([*joints.values()], 1)
    points[4, 2] = 0
    points[5, 2] = np.nan
    lines = [
        *(f'NO_OF_FRAMES\t{COUNT}', 'NO_OF_CAMERAS\t8', 'NO_OF_MARKERS\t25'),
        *('FREQUENCY\t120', 'DESCRIPTION\t--', 'TIME_STAMP\t2026-01-31, 12:00:30.1'),
        *('DATA_INCLUDED\t3D', '\t'.join(['MARKER_NAMES', *joints])),
        '\t'.join(['TRAJECTORY_TYPES', *['Measured'] * 25]),
    ]
    if has_frames:
        lines.append('\t'.join(['Frame', 'Time', 'RHip X', 'RHip Y', 'RHip Z']))
    for frame, pose in enumerate(points):
        heads = [f'{frame + 1}', f'{frame / 120:.5f}'] * has_frames
        cells = ['' if np.isnan(x) else f'{x:.3f}' for x in pose.ravel()]
        lines.append('\t'.join(heads + cells))
    path = tmp_path / 'walk.tsv'
    path.write_text('\n'.join(lines))
    read = read_poses(path)
    assert (read.fps, read.frame.tolist()) == (120, [*range(COUNT)])
    points[4, 2] = np.nan
    np.testing.assert_allclose(read.places(), points / 1000, atol=1e-4)
    text = '\n'.join([x for x in lines if 'FREQUENCY' not in x][:-3])
    path.write_text(text)
    assert read_poses(path, fps=50).fps == 50
    path.write_text(text.replace('RHip', 'RASI').replace('LHip', 'LASI'))
    with pytest.raises(ValueError, match='markers on the skin are not joints: '):
        read_poses(path, fps=50)


def test_rotations_name_the_converter(clip, tmp_path):
    clip.save(tmp_path / 'walk.bvh')
    with pytest.raises(
        ValueError, match=r'convert_mocap FILE\.bvh FILE\.npz, and give'
    ):
        read_poses(tmp_path / 'walk.bvh')


def test_markers_with_z_up_are_recognized(clip, tmp_path, caplog):
    joints = joints_of(clip, 'openpose-25')
    turned = {name: x[..., [0, 2, 1]] * (1, -1, 1) for name, x in joints.items()}
    path = trc(tmp_path / 'a.trc', turned, 'm', 'PathFileType\t')
    assert_body(read_poses(path), clip, 'world')
    lying = {name: x[..., [2, 0, 1]] for name, x in joints.items()}
    caplog.clear()
    assert read_poses(trc(path, lying, 'm', 'PathFileType\t')).axes == 'world'
    assert 'read as 20 frames of openpose-25, meters, y up, 60 frames/s' in caplog.text


def test_markers_vary(clip, tmp_path):
    """Names of subjects, a second marker of a joint, units and decimal commas."""
    joints = as_named(joints_of(clip, 'openpose-25'), lambda x: f'Bob:{short(x)}')
    joints['Bob:r_knee'] = joints['Bob:RKnee'] + 0.05
    path = trc(tmp_path / 'walk.trc', joints, 'mm', 'PathFileType\t4\t(X/Y/Z)\tw')
    path.write_text(path.read_text().replace('\tmm\t', '\tMM\t').replace('.', ','))
    assert_body(read_poses(path), clip, 'world')


def test_one_of_two_subjects_is_read(clip, tmp_path, caplog):
    one = joints_of(clip, 'openpose-25')
    joints = {f'Ann:{name}': x for name, x in one.items()}
    joints |= {f'Bob:{name}': x + (2, 0, 0) for name, x in one.items()}
    path = trc(tmp_path / 'a.trc', joints, 'm', 'PathFileType\t4\t(X/Y/Z)')
    assert_body(read_poses(path), clip, 'world')
    assert 'markers of Ann are read, not of Bob' in caplog.text


def test_landmarks_in_shares_of_the_image_are_lifted(clip, tmp_path):
    path = mediapipe(tmp_path, clip)
    header, *lines = path.read_text().splitlines()
    rows = [line.split(',') for line in lines]
    shares = [
        [*x[:2], 0.5 + 0.2 * float(x[2]), 0.5 + 0.2 * float(x[3]), *x[4:]] for x in rows
    ]
    write(path, header.split(','), shares)
    read = mmhot.read_keypoints(path, image_size=(1000, 500), fps=25)
    wanted = np.array([x[2:4] for x in shares]).reshape(COUNT, 33, 2) * (1000, 500)
    np.testing.assert_allclose(read.tracks[0].keypoints, wanted, atol=1e-2)
    with pytest.raises(ValueError, match='2D keypoints are for mmhot lift'):
        read_poses(path, fps=25)


def test_panoptic(clip, tmp_path):
    joints = np.stack([*joints_of(clip, 'panoptic-19').values()], axis=1)
    points = 100 * joints[..., [0, 2, 1]] * (1, -1, 1)
    for frame, pose in enumerate(points):
        person = dict(id=3, joints19=np.insert(pose, 3, 1, axis=1).ravel().tolist())
        text = json.dumps(dict(version=0.7, bodies=[person] * (frame > 0)))
        (tmp_path / f'body3DScene_{frame:08}.json').write_text(text)
    read = read_poses(tmp_path, fps=25)
    np.testing.assert_allclose(read.frame, range(1, COUNT))
    assert {*read.track} == {3}
    assert_body(read, clip.take(np.arange(1, COUNT)), 'camera')


def test_fingers_are_those_of_sam(clip, tmp_path):
    """From the tip inwards, as in its results (tests/io/test_fingers.py)."""
    path = sam_cpp(tmp_path, clip)
    read = read_poses(path, fps=25)
    assert 'right_thumb_tip_3DX' in path.read_text().split('\n')[0]
    thumb = joints_of(clip, 'mhr-70')['left_forefinger4']
    index = read.joint_names.index('left_forefinger4')
    np.testing.assert_allclose(
        read.places()[:, index], thumb[:, [0, 2, 1]] * (1, -1, 1), atol=1e-4
    )


@pytest.mark.parametrize('axes', ['camera', 'z-up', 'world'])
def test_our_own_csv(axes, clip, tmp_path):
    given = place_people(rendered('walk'))
    given = given.take(given.frame < COUNT)
    given.save(tmp_path / 'walk.csv', axes=axes)
    given.save(tmp_path / 'walk.npz', axes=axes)
    read = read_poses(tmp_path / 'walk.csv')
    wanted = mmhot.read_lifted(tmp_path / 'walk.npz')
    assert (read.fps, read.joint_names) == (25, wanted.joint_names)
    places = read.places()
    if read.axes != axes:  # 'world' is not stated
        assert (read.axes, axes) == ('z-up', 'world')
    np.testing.assert_allclose(places, wanted.places(), atol=1e-4)
    np.testing.assert_allclose(read.frame, wanted.frame)


@pytest.mark.parametrize('suffix', ['trc', 'c3d'])
def test_our_own_markers(suffix, clip, tmp_path):
    if suffix == 'c3d':
        pytest.importorskip('ezc3d')
    given = replace(clip, frame=clip.frame + 3)
    given.save(tmp_path / f'walk.{suffix}')
    read = read_poses(tmp_path / f'walk.{suffix}')
    assert (read.axes, read.fps) == ('world', 25)
    np.testing.assert_allclose(read.frame, given.frame)
    np.testing.assert_allclose(read.places(), given.places(), atol=1e-4)


def test_markers_without_labels_and_in_inches(clip, tmp_path):
    ezc3d = pytest.importorskip('ezc3d')
    clip.save(tmp_path / 'a.c3d')
    file = ezc3d.c3d(str(tmp_path / 'a.c3d'))
    points = file['data']['points'] / [[[25.4]], [[25.4]], [[25.4]], [[1]]]
    content = ezc3d.c3d()
    content['parameters']['POINT']['RATE']['value'] = [25]
    content['parameters']['POINT']['UNITS']['value'] = ['IN']
    names = file['parameters']['POINT']['LABELS']['value']
    content['parameters']['POINT']['LABELS']['value'] = [*names, '', '']
    content['data']['points'] = np.append(points, points[:, :2], axis=1)
    content.write(str(tmp_path / 'b.c3d'))
    read = read_poses(tmp_path / 'b.c3d', axes='world')
    assert read.joint_names == read_poses(tmp_path / 'a.c3d').joint_names
    np.testing.assert_allclose(read.places(), clip.places(), atol=1e-4)


def test_skeletons_by_name(clip, tmp_path):
    for name, count in (('smpl-24', 24), ('humanml3d-22', 22), ('panoptic-19', 19)):
        joints = np.stack([*joints_of(clip, name).values()], axis=1)
        path = tmp_path / f'{name}.npy'
        np.save(path, joints)
        if count != 24:
            with pytest.raises(
                ValueError, match=f'known skeletons are .*{name}.*: give'
            ):
                read_poses(path, fps=25)
        np.savez(tmp_path / f'{name}.npz', joints=joints, fps=25)
        for file, rate in ((path, 25), (path.with_suffix('.npz'), None)):
            read = read_poses(file, fps=rate, skeleton=name, axes='world')
            assert_body(read, clip, 'world')


@pytest.mark.parametrize('kind', ['amass', 'wham', 'gvhmr'])
def test_parameters_of_smpl_are_refused(kind, tmp_path):
    path = tmp_path / kind
    values = dict(betas=np.ones(10), poses=np.ones((5, 156)), trans=np.ones((5, 3)))
    if kind == 'amass':
        with path.open('wb') as file:
            np.savez(file, mocap_framerate=60, **values)
    elif kind == 'wham':
        track = dict(pose=values['poses'], pose_world=values['poses'], betas=1)
        path.write_bytes(pickle.dumps({0: track}))
    else:
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('a/data.pkl', pickle.dumps({'smpl_params_global': 1}))
    with pytest.raises(
        ValueError, match='has parameters of SMPL, not joints: save the'
    ):
        read_poses(path, fps=30)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('x,y,z\n1,2,3\n', 'but no columns for the frame and the joint'),
        ('frame,nose_x,nose_y,nose_z\n', 'has a header, but no rows'),
        ('frame,nose_x,nose_y,nose_z\n1,a,b,c\n', 'must be numbers'),
        ('frame,nose_x,nose_y,nose_z\n1,0,1,2\n', 'no skeleton has the joints'),
        ('PathFileType\t4\na\nb\nc\n', "has the unit '': it must be one of m, "),
    ],
)
def test_wrong_tables_are_refused(text, message, tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_poses(path, fps=30)
