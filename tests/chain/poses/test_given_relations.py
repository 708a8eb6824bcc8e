"""Relations between 3D poses of other tools that must hold between their motions.

Each way in gives the same motion for the same people, whatever their order, clock,
units and axes, and one bad frame leaves the others alone.
"""

import pickle
import re

import numpy as np
import pytest
from clip_files import dump
from mocap import JUMP, KICK, joints_of

import mmhot
from mmhot.chain.lifting.world import turn
from mmhot.structures.clips_3d import Clip3D

FPS, COUNT = 25.0, 75
# One stands and kicks, 2 m to the right of one who jumps: z up from the floor.
WORLD = np.stack([joints_of(key, 2 * COUNT)[::2] for key in (KICK, JUMP)], 1)
WORLD = WORLD.astype(np.float64) - WORLD[:1, :, :1] * [1, 1, 0]
WORLD[:, 1] += [2, 0, 0]
BAD = COUNT // 2
QUIET = dict(without='feet')


def camera(world):
    """Camera axes, 6 m away and 1.2 m high."""
    return np.stack([world[..., 0], 1.2 - world[..., 2], 6 + world[..., 1]], -1)


def people_of(poses):
    return [
        [dict(keypoints_3d=pose.tolist(), track_id=n) for n, pose in enumerate(people)]
        for people in poses
    ]


def as_clip(poses, folder, **options):
    return Clip3D.from_arrays(poses, FPS, **options)


def as_list(poses, folder, axes=None):
    return dict(source=people_of(poses), fps=FPS, given_axes=axes)


def as_json(poses, folder, axes=None):
    path = dump(folder / 'a.json', {'fps': FPS, 'frames': people_of(poses)})
    return dict(source=path, given_axes=axes)


def as_pickle(poses, folder, axes=None):
    path = folder / 'a.pkl'
    path.write_bytes(pickle.dumps(people_of(poses)))
    return dict(source=path, fps=FPS, given_axes=axes)


def as_npy(poses, folder, axes=None):
    np.save(folder / 'a.npy', poses)
    return dict(source=folder / 'a.npy', fps=FPS, given_axes=axes)


def as_rows(poses, folder, axes=None):
    frame, track = np.indices(poses.shape[:2]).reshape(2, -1)
    arrays = dict(keypoints_3d=poses.reshape(-1, *poses.shape[2:]), fps=FPS)
    np.savez(folder / 'a.npz', frame=frame, track=track, **arrays)
    return dict(source=folder / 'a.npz', given_axes=axes)


def as_folder(poses, folder, axes=None):
    for number, people in enumerate(people_of(poses)):
        dump(folder / f'frame_{number:05}.json', people)
    return dict(source=folder, fps=FPS, given_axes=axes)


WAYS = as_clip, as_list, as_json, as_pickle, as_npy, as_rows, as_folder
any_way = pytest.mark.parametrize('way', WAYS)


def refine(way, poses, folder, axes=None, **options):
    given = way(poses, folder, axes=axes)
    given = dict(source=given) if isinstance(given, Clip3D) else given
    return mmhot.refine(**{k: x for k, x in given.items() if x is not None}, **options)


def apart(clip, other):
    """Largest distances (T, P) between the joints of two clips in mm."""
    assert clip.frame.tolist() == other.frame.tolist()
    assert clip.track.tolist() == other.track.tolist()
    places = np.linalg.norm(clip.places() - other.places(), axis=-1)
    return 1000 * places.max(1).reshape(COUNT, -1)


@pytest.fixture(scope='module')
def plain():
    return mmhot.refine(Clip3D.from_arrays(camera(WORLD), FPS, axes='camera'))


@any_way
def test_every_way_in_gives_the_same_motion_also_of_shuffled_people(
    way, plain, tmp_path, caplog
):
    """Arrays have no IDs but the places of people, which change in some frames."""
    shuffled = camera(WORLD)
    for frame in (7, 8, 30, *range(60, COUNT)):
        shuffled[frame] = shuffled[frame, ::-1]
    has_ids = way not in (as_clip, as_npy)
    poses = camera(WORLD) if has_ids else shuffled
    clip = refine(way, poses, tmp_path)
    assert clip.axes == 'camera'
    assert apart(clip, plain).max() < 0.01
    assert ('change places in 18 of 75 frames' in caplog.text) == (not has_ids)


def test_shuffled_people_of_lists_without_ids_are_followed(plain):
    rng = np.random.default_rng(0)
    frames = [
        [{'keypoints_3d': people[n]} for n in rng.permutation(2)]
        for people in camera(WORLD)
    ]
    assert apart(mmhot.refine(frames, fps=FPS), plain).max() < 0.01


def assert_in_place(clip):
    """The first person has the true poses, and the second the true path."""
    world = WORLD if clip.axes == 'world' else camera(WORLD)
    first = clip.keypoints_3d[clip.track == 0]
    true = world[:, 0] - world[:, 0, :1]
    assert 1000 * np.linalg.norm(first - true, axis=-1).mean() < 10
    moved = np.diff(clip.root_3d[clip.track == 1], axis=0)
    wanted = np.diff(world[:, 1, 0], axis=0)
    assert 1000 * np.abs(moved - wanted).max() < 20


@any_way
@pytest.mark.parametrize(
    'turn',
    [
        lambda x: x,
        lambda x: x + [3, -4, 5],
        lambda x: x[..., [0, 2, 1]] * (1, 1, -1),
        lambda x: x[..., [0, 2, 1]] * (1, 1, -1) - [0, 5, 0],
        camera,
    ],
    ids=['z up', 'z up, moved', 'y up', 'y up, moved', 'camera'],
)
def test_axes_are_recognized_by_people_who_stand(way, turn, tmp_path, caplog):
    clip = refine(way, turn(WORLD), tmp_path)
    assert clip.axes == ('camera' if turn is camera else 'world')
    assert_in_place(clip)
    assert caplog.text.count('given_axes states others') == 1


@any_way
@pytest.mark.parametrize(
    ('up', 'turn'),
    [
        ('z up', lambda x: x * (-1, 1, 1)),  # MMPose's 3D demo
        ('y up', lambda x: x[..., [0, 2, 1]]),  # Unity
        ('y down', lambda x: camera(x) * (1, 1, -1)),
    ],
    ids=['z up', 'y up', 'camera'],
)
def test_left_handed_axes_are_recognized_by_knees(way, up, turn, tmp_path, caplog):
    clip = refine(way, turn(WORLD), tmp_path)
    (line,) = caplog.messages
    assert f'read as 75 frames of h36m-17, meters, {up}, left-handed, 25' in line
    assert_in_place(clip)


@pytest.mark.parametrize('is_static', [False, True])
@pytest.mark.parametrize(('moved', 'down'), [([0, 0, 0], 0), ([3, -4, 5], 5)])
@pytest.mark.parametrize('axes', [None, 'z-up'])
def test_heights_in_level_axes_are_kept_but_for_a_step_to_the_floor(
    axes, moved, down, is_static, tmp_path, caplog
):
    given = Clip3D.from_arrays(WORLD + moved, FPS, axes=axes)
    refined = mmhot.refine(given, static_camera=is_static, without='bones')
    refined.save(tmp_path / 'a.npz', axes='z-up')
    read = mmhot.read_lifted(tmp_path / 'a.npz')
    for clip in (turn(given, 'world'), turn(refined, 'world', is_static), read):
        step = clip.places() - np.float32(given.places())
        assert np.ptp(step[..., 2]) < 5e-3
        assert step[..., 2].mean() == pytest.approx(-down, abs=0.02 if down else 1e-3)
    assert ('keeps their heights' in caplog.text) == (down > 0)


def test_people_without_ankles_keep_their_heights(caplog):
    poses = WORLD[:, :1] + [0, 0, 0.4]
    poses[..., [2, 3, 5, 6], :] = np.nan
    clip = mmhot.refine(Clip3D.from_arrays(poses, FPS, axes='z-up'))
    steps = (clip.places() - poses[:, 0])[:, [0, *range(7, 17)], 2]
    np.testing.assert_allclose(steps, 0, atol=5e-3)
    assert 'no ankle is seen, and the floor is not known' in caplog.text


def test_a_height_of_zero_that_people_pass_is_no_floor():
    """A camera above looks straight down, and people walk up the image."""
    way = np.linspace(0, 8, COUNT)[:, None, None] * [0, -1, 0]
    poses = (WORLD[:, 0] - WORLD[:, 0, :1] + way) * [1, -1, -1] + [0, 0, 5]
    poses[..., 1] -= poses[..., 1].min()
    with pytest.raises(ValueError, match='axes of people are not known'):
        Clip3D.from_arrays(poses, FPS)


# People in other positions, z up, whose axes one cannot see by their bodies.
LAID = {
    'head to +y': lambda x: x[..., [0, 2, 1]] * (1, 1, -1),
    'head to -y': lambda x: x[..., [0, 2, 1]] * (1, -1, 1),
    'head to +x': lambda x: x[..., [2, 0, 1]],
    'on the head': lambda x: x * (1, -1, -1),
}


@pytest.mark.parametrize('way', LAID)
def test_axes_of_people_who_do_not_stand_are_right_or_a_line_asks(way, caplog):
    poses = LAID[way](WORLD[:, :1] - WORLD[:, :1, :1])
    poses = poses - [0, 0, np.median(poses[..., 2].min(-1))]  # on the floor
    for given, axes in ((poses, 'z-up'), (camera(poses), 'camera')):
        caplog.clear()
        try:
            read = Clip3D.from_arrays(given, FPS).axes
        except ValueError as error:
            read = str(error)
        assert read in (axes, 'axes of people are not known: given_axes states them')
        caplog.clear()
        assert Clip3D.from_arrays(given, FPS, axes=axes).axes == axes
        assert not caplog.messages


@pytest.mark.parametrize('sign', [1, -1], ids=['hanging', 'on the hands'])
def test_people_with_their_hands_beyond_the_head_are_read_in_their_axes(sign):
    poses = WORLD[:, :1] - WORLD[:, :1, :1]
    for shoulder, elbow, wrist in ((11, 12, 13), (14, 15, 16)):
        poses[..., elbow, :] = poses[..., shoulder, :] + [0, 0, 0.28]
        poses[..., wrist, :] = poses[..., elbow, :] + [0, 0, 0.28]
    poses = sign * (poses - poses[..., [13], :]) * [sign, sign * sign, 1]
    poses = poses + [0.3, -1, 2.3 if sign > 0 else 0.05]
    for given, axes in ((poses, 'z-up'), (camera(poses), 'camera')):
        assert Clip3D.from_arrays(given, FPS).axes == axes


def bent_knees(poses, beyond):
    """Poses (T, 17, 3) with knees so many meters behind the line from hip to ankle."""
    poses = poses.copy()
    for hip, knee, foot in ((1, 2, 3), (4, 5, 6)):
        leg = poses[:, foot] - poses[:, hip]
        ahead = np.cross(leg, poses[:, 4] - poses[:, 1])
        ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
        poses[:, knee] = (poses[:, hip] + poses[:, foot]) / 2 - beyond * ahead
    return poses


@pytest.mark.parametrize(
    'beyond', [0, 0.03, 0.045], ids=['straight', '3 cm', '12 degrees']
)
@pytest.mark.parametrize('sign', [1, -1])
def test_knees_that_hardly_bend_say_nothing_of_left_and_right(beyond, sign, caplog):
    poses = bent_knees(WORLD[:, 0], beyond) * (sign, 1, 1)
    read = Clip3D.from_arrays(poses, FPS).keypoints_3d
    np.testing.assert_allclose(read, poses - poses[:, :1], atol=1e-6)
    assert 'whether axes are left-handed is not known' in caplog.text
    caplog.clear()
    given = 'z-up' if sign > 0 else 'z-up-left'
    read = Clip3D.from_arrays(poses, FPS, axes=given).keypoints_3d
    np.testing.assert_allclose(read, (poses - poses[:, :1]) * (sign, 1, 1), atol=1e-6)
    assert not caplog.messages


def test_axes_that_are_given_stay_even_if_knees_bend_backwards(caplog):
    read = Clip3D.from_arrays(WORLD[:, 0] * (-1, 1, 1), FPS, axes='z-up').keypoints_3d
    np.testing.assert_allclose(
        read, (WORLD[:, 0] - WORLD[:, 0, :1]) * (-1, 1, 1), atol=1e-6
    )
    assert 'knees bend backwards in given_axes=z-up' in caplog.text


@pytest.mark.parametrize('axes', [None, 'z-up', 'world'])
def test_hips_that_are_kept_above_one_point_keep_their_height(axes):
    jump = WORLD[:, 1] - WORLD[:, 1, :1] * [1, 1, 0]
    clip = turn(mmhot.refine(jump, fps=FPS, given_axes=axes), 'world')
    rise = np.ptp(jump[:, 0, 2])
    assert np.ptp(clip.root_3d[:, 2]) == pytest.approx(rise, abs=0.04)
    errors = np.linalg.norm(clip.keypoints_3d - (jump - jump[:, :1]), axis=-1)
    assert 1000 * errors.mean() < 5


def test_the_nose_of_human36m_becomes_the_neck():
    """If that is stated; its place alone may be that of a neck."""
    poses = WORLD[:, 0] - WORLD[:, 0, :1]
    noses = poses.copy()
    noses[:, 9] += poses[:, 9] - (poses[:, 8] + poses[:, 10]) / 2
    np.testing.assert_allclose(
        Clip3D.from_arrays(poses, FPS).keypoints_3d, poses, atol=1e-6
    )
    np.testing.assert_allclose(
        Clip3D.from_arrays(noses, FPS).keypoints_3d, noses, atol=1e-6
    )
    clip = mmhot.refine(noses, fps=FPS, skeleton='h36m-17-nose', given_axes='world')
    np.testing.assert_allclose(turn(clip, 'world').keypoints_3d, poses, atol=0.02)


@any_way
@pytest.mark.parametrize(('scale', 'unit'), [(1000, 'mill'), (100, 'cent')])
def test_units_are_those_of_people(scale, unit, way, plain, tmp_path, caplog):
    clip = refine(way, scale * camera(WORLD), tmp_path)
    assert apart(clip, plain).max() < 0.01
    [warning] = [x.getMessage() for x in caplog.records if x.levelname == 'WARNING']
    assert re.search(f', {unit}imeters, .*; bones of people show {unit}', warning)


@pytest.mark.parametrize('factor', [0.3, 0.75, 1.1])
def test_people_of_unusual_height_are_one_line(factor, caplog):
    Clip3D.from_arrays(factor * WORLD[:, :1], FPS, axes='world')
    (line,) = caplog.messages
    pattern = r'clip: bones show heights of ([0-9.]+) m for person 0; height sets'
    high = float(re.search(pattern, line)[1])
    assert high == pytest.approx(1.742 * factor, abs=5e-3)


WRONG = {
    'root 0.3 m': lambda x: x + [0.3, 0, 0],
    'root 1 m': lambda x: x + [0, 0, 1],
    'root 10 m': lambda x: x - [6, 6, 6],
    'root 50 m': lambda x: x + [50, 0, 0],
    'at the origin': lambda x: x - x[:1],
    'wrist 1 m': lambda x: x + np.eye(17)[13][:, None] * [0.6, 0.6, 0.5],
    'foot 0.3 m': lambda x: x + np.eye(17)[3][:, None] * [0.2, 0.2, 0.1],
    'pelvis 1 m': lambda x: x + np.eye(17)[0][:, None] * [0, 0, 1],
    'all joints': lambda x: x + np.random.default_rng(0).normal(size=x.shape),
    'other size': lambda x: x[:1] + 3 * (x - x[:1]),
    'mirrored depth': lambda x: x * [1, 1, -1],
    'half': lambda x: np.where(np.arange(17)[:, None] < 9, x, x + [0, 0, 2]),
}


BAD_FRAMES = [
    *((as_clip, case, 1) for case in WRONG),
    # people may be as fast as a step of 0.3 m in three frames
    *((as_clip, case, 3) for case in WRONG if '0.3 m' not in case),
    *((way, case, 1) for way in WAYS[1:] for case in ('root 10 m', 'wrist 1 m')),
]


@pytest.mark.parametrize(('way', 'case', 'count'), BAD_FRAMES)
def test_bad_frames_leave_the_others_alone(way, case, count, plain, tmp_path):
    poses, frames = camera(WORLD), [*range(BAD, BAD + count)]
    for frame in frames:
        poses[frame, 0] = WRONG[case](poses[frame, 0])
    errors = apart(refine(way, poses, tmp_path), plain)
    assert errors[:, 1].max() < 0.01
    others, bad = np.delete(errors[:, 0], frames), errors[frames, 0]
    assert others.max() < (1 if count == 1 else 11)
    assert bad.max() < (6 if count == 1 else 25)


@pytest.mark.parametrize('frame', [0, 1, COUNT - 2, COUNT - 1])
def test_a_bad_frame_at_an_end_leaves_the_others_alone(frame, plain):
    poses = camera(WORLD)
    poses[frame, 0] += [5, 0, 0]
    clip = mmhot.refine(Clip3D.from_arrays(poses, FPS, axes='camera'))
    errors = apart(clip, plain)
    assert np.delete(errors[:, 0], frame).max() < 10
    assert errors[frame, 0] < 160  # the nearest pose is repeated


def test_people_who_are_moved_for_good_keep_both_places():
    """A jump of the scale or of the camera is no bad frame."""
    poses = camera(WORLD)
    poses[40:, 0] += [0, 0, 3]
    clip = mmhot.refine(Clip3D.from_arrays(poses, FPS, axes='camera'), **QUIET)
    depth = clip.root_3d[clip.track == 0, 2]
    np.testing.assert_allclose(depth[[10, 70]], poses[[10, 70], 0, 0, 2], atol=0.05)


def at_hips(rows, value):
    """Poses relative to the hips, whose positions are of some value in some rows."""
    places = camera(WORLD)
    hips = places[:, :, 0].copy()
    hips = np.ma.masked_array(hips) if value is np.ma.masked else hips
    hips[rows] = value
    relative = places - places[:, :, :1]
    return Clip3D.from_arrays(relative, FPS, root_3d=hips, axes='camera')


UNKNOWN = {'NaN': [np.nan] * 3, 'one NaN': [0.0, np.nan, 5.0], 'masked': np.ma.masked}


@pytest.mark.parametrize('case', UNKNOWN)
def test_an_unknown_translation_is_that_of_a_frame(case, plain):
    poses = at_hips((BAD, 0), UNKNOWN[case])
    assert np.isnan(poses.root_3d).any(-1).sum() == 1
    errors = apart(mmhot.refine(poses), plain)
    assert np.delete(errors[:, 0], BAD).max() < 10
    assert errors[BAD, 0] < 30
    assert errors[:, 1].max() < 0.01


def test_unknown_positions_are_those_of_a_person(plain):
    clip = mmhot.refine(at_hips(np.s_[:, 0], np.nan))
    first = clip.track == 0
    assert np.isnan(clip.root_3d[first]).all()
    errors = np.abs(clip.places() - plain.places())[~first]
    assert errors.max() < 1e-5


@any_way
def test_missing_joints_may_be_marked_in_any_way(way, tmp_path):
    poses = camera(WORLD)
    lost = poses.copy()
    lost[20:30, 0, 13] = np.nan
    expected = refine(as_clip, lost, tmp_path)
    if way is as_clip:
        masked = np.ma.masked_array(poses, np.isnan(lost))
        assert apart(refine(way, masked, tmp_path), expected).max() < 0.01
    assert apart(refine(way, lost, tmp_path), expected).max() < 0.01
    assert apart(refine(way, np.nan_to_num(lost), tmp_path), expected).max() < 0.01
    start = poses[0, 0, 0]  # positions may begin at the origin
    moved = refine(way, poses - start, tmp_path)
    assert (moved.scores == refine(way, poses, tmp_path).scores).all()
    if way in (as_clip, as_npy):
        scores = np.where(np.isnan(lost).any(-1), 0, 1)[..., None]
        scored = np.append(poses, scores, -1)
        assert apart(refine(way, scored, tmp_path), expected).max() < 0.01


def test_fourth_values_are_scores():
    scored = np.append(WORLD[:, 0], np.full((COUNT, 17, 1), 0.7), -1)
    np.testing.assert_allclose(Clip3D.from_arrays(scored, FPS).scores, 0.7)


@pytest.mark.parametrize('order', ['coco-17', 'mpi-inf-3dhp-17'])
def test_joints_of_another_order_are_recognized(order, caplog):
    from mmhot.skeletons.joints import convert_keypoints

    poses, *_ = convert_keypoints(WORLD[:, 0], None, 'h36m-17', order, 'trained')
    clip = Clip3D.from_arrays(poses, FPS)
    assert clip.joint_names == mmhot.get_skeleton(order).joints
    assert f'read as 75 frames of {order}, meters, z up, 25 frames/s' in caplog.text


@any_way
@pytest.mark.parametrize(
    'never',
    [(2,), (2, 3), (2, 3, 5, 6), (0, 1, 2, 3, 4, 5, 6, 7), (13,), (9, 10), (3, 13, 16)],
    ids=str,
)
def test_joints_that_are_never_seen_hang(way, never, tmp_path):
    poses = camera(WORLD)
    poses[:, 0, never] = np.nan
    clip = refine(way, poses, tmp_path, axes='camera', **QUIET)
    assert clip.track_ids == [0, 1]
    first = clip.take(clip.track == 0)
    assert (first.scores[:, never] == 0).all()
    true = camera(WORLD)[:, 0]
    places = first.places()
    errors = np.linalg.norm(places - true, axis=-1)
    seen = np.delete(np.arange(17), never)
    assert 1000 * errors[:, seen].mean() < 20
    bones = np.linalg.norm(places[:, [2, 3]] - places[:, [1, 2]], axis=-1)
    assert 0.3 < bones.min() < bones.max() < 0.55
    feet = places[:, [3, 6], 1] - places[:, :1, 1]
    assert feet.mean() > 0.5  # below the hips
    if {2, 3, 5, 6} <= {*never}:  # legs hang as lifted ones
        thighs = first.keypoints_3d[:, [2, 5]] - first.keypoints_3d[:, [1, 4]]
        cosines = thighs[..., 1] / np.linalg.norm(thighs, axis=-1)
        assert cosines.min() > np.cos(np.radians(5))


def test_joints_that_are_all_rarely_seen_stay():
    poses = camera(WORLD)[:, :1]
    seen = np.arange(COUNT)[:, None] % 17 == np.arange(17)  # one in each frame
    poses = np.where(seen[:, None, :, None], poses, np.nan)
    clip = mmhot.refine(Clip3D.from_arrays(poses, FPS, axes='camera'), **QUIET)
    assert clip.frame.tolist() == [*range(COUNT)]
    assert np.isfinite(clip.keypoints_3d).all()


def test_bones_of_people_who_approach_are_constant():
    """Without a scale, root-relative poses grow as people in images do."""
    growth = np.linspace(0.6, 1, COUNT)[:, None, None]
    world = WORLD[:, 0] - WORLD[:, 0, :1]
    poses = growth * world[..., [0, 2, 1]] * (1, -1, 1)
    clip = mmhot.refine(Clip3D.from_arrays(poses, FPS, axes='camera'), **QUIET)
    thighs = np.linalg.norm(clip.keypoints_3d[:, 2] - clip.keypoints_3d[:, 1], axis=-1)
    assert np.ptp(thighs) / thighs.mean() < 0.03
