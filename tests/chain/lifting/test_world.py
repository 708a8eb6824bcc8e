"""Absolute positions: root placement, body height, floor."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from mocap import CAMERAS, JUMP, KICK, joints_of, standing_pose
from rendered_clips import DATA, H36M, TILT, joined, rendered

from mmhot.chain.lifting.one_floor import legs_unseen
from mmhot.chain.lifting.placement import find_own_floor
from mmhot.chain.lifting.world import place_people, scale_people, to_world
from mmhot.chain.live_people import LevelSettings, PeoplePlacer, PlaceOptions
from mmhot.chain.options import ExportOptions
from mmhot.geometry.rotations import rotation_matrices
from mmhot.skeletons.joints import ANKLE_HEIGHT
from mmhot.structures.clips_3d import Clip3D, to_axes
from mmhot.structures.lens import Lens

ANKLES = H36M.indices(['left_foot', 'right_foot'])
CAMERA_HEIGHT = 1.55  # above the floor, of the cameras that rendered the clips


def ground_truth(name):
    """Return the clip, the true root positions, and the lens."""
    with np.load(DATA / f'rendered_{name}.npz') as data:
        focal = float(data['K'][0, 0])
        return rendered(name), data['h36m_cam3d'][:, 0], Lens((focal,) * 2, (640, 360))


@pytest.mark.parametrize('name', TILT)
def test_true_poses_are_placed_within_centimeters(name):
    clip, root, lens = ground_truth(name)
    placed = place_people(clip, lens)
    assert np.linalg.norm(placed.root_3d - root, axis=-1).mean() < 0.015
    assert placed.focal_length == lens.focal[0]
    assert placed.lens.parameters == lens.parameters


def test_only_people_have_legs_that_nobody_sees():
    walk = rendered('walk')
    hidden = replace(walk, scores=np.zeros_like(walk.scores))
    names = 'shoulder', 'elbow', 'wrist', 'hand'
    arm = replace(hidden.first_joints(4), joint_names=names, parents=(-1, 0, 1, 2))
    assert legs_unseen(hidden).all()
    assert not legs_unseen(arm).any()


def test_default_lens_is_marked_as_assumed():
    placed = place_people(rendered('walk'))
    assert (placed.focal_length, placed.lens) == (0.87 * 1280, None)


def test_people_and_runs_of_frames_are_placed_independently():
    clip, root, lens = ground_truth('dance')
    half = len(clip) // 2
    moved = np.where(np.arange(len(clip)) < half, 0, 100)
    apart = place_people(replace(clip, frame=clip.frame + moved), lens)
    alone = place_people(replace(clip, track=np.where(moved, 1, 0)), lens)
    np.testing.assert_allclose(apart.root_3d, alone.root_3d, atol=1e-6)


@pytest.mark.parametrize(
    ('change', 'lens', 'message'),
    [
        (lambda clip: to_axes(clip, 'z-up'), None, "got 'z-up'"),
        (lambda clip: clip, Lens((500, 500), (100, 900)), 'far from the middle'),
    ],
)
def test_other_axes_and_lenses_are_refused(change, lens, message):
    with pytest.raises(ValueError, match=message):
        place_people(change(rendered('walk')), lens)


@pytest.mark.parametrize('name', TILT)
def test_tilt_and_height_of_a_static_camera_are_found(name):
    clip, _, lens = ground_truth(name)
    world = to_world(place_people(clip, lens), static_camera=True)
    # the camera's vertical after leveling
    level = to_axes(clip, 'z-up').keypoints_3d.reshape(-1, 3)
    turn = np.linalg.lstsq(level, world.keypoints_3d.reshape(-1, 3), rcond=None)[0]
    assert abs(np.degrees(np.arccos(turn[2, 2])) - TILT[name]) < 3
    camera = to_axes(place_people(clip, lens), 'z-up').root_3d @ turn
    assert abs((world.root_3d - camera)[:, 2].mean() - CAMERA_HEIGHT) < 0.2
    ankles = (world.keypoints_3d + world.root_3d[:, None])[:, ANKLES, 2]
    assert abs(np.percentile(ankles, 5) - ANKLE_HEIGHT) < 0.03


@pytest.mark.parametrize('key', [KICK, JUMP])
@pytest.mark.parametrize('camera', CAMERAS)
def test_up_is_that_of_exact_motion_in_tilted_cameras(key, camera):
    joints = joints_of(key, 400).astype(np.float64)
    places = (joints - joints[:, :1].mean(0) + [0, 0, 0.9] - camera['T']) @ camera['R']
    world = to_world(Clip3D.from_arrays(places, 50.0, axes='camera'), True)
    true = (joints - joints[:, :1]).reshape(-1, 3)
    turn = np.linalg.lstsq(true, world.keypoints_3d.reshape(-1, 3), rcond=None)[0]
    assert np.degrees(np.arccos(turn[2, 2])) < 4


@pytest.mark.parametrize('camera', CAMERAS)
def test_people_who_lean_forwards_and_run_do_not_level_the_floor(camera, caplog):
    caplog.set_level('INFO', 'mmhot')
    joints, seconds = joints_of(KICK, 40).astype(np.float64), np.arange(40) / 50
    ahead, across = np.array([[-0.35, -0.94, 0], [0.94, -0.35, 0]])
    lean = (joints - joints[:, :1]) @ rotation_matrices(across * np.radians(15)).T
    lean[..., 2] += ANKLE_HEIGHT - lean[..., 2].min(1, keepdims=True)
    lean[..., 2] += 0.15 * np.abs(np.sin(3 * np.pi * seconds))[:, None]
    lean += 3.4 * ahead * (seconds - 0.4)[:, None, None]
    places = (lean - camera['T']) @ camera['R']
    clip, true = Clip3D.from_arrays(places, 50.0, axes='camera'), lean - lean[:, :1]
    level = LevelSettings(standing_seconds=0.73, max_turn=1000)
    options, said = PlaceOptions(level=level), []
    world, placer = to_world(clip, True), PeoplePlacer(options, said.append)
    for frame, time in enumerate(seconds):
        row = clip.take(np.array([frame]))
        [person] = placer(row, frozenset(), time)
    last = person.places - person.places[:1]
    for poses, found in ((true, world.keypoints_3d), (true[-1], last)):
        pairs = poses.reshape(-1, 3), found.reshape(-1, 3)
        turn = np.linalg.lstsq(*pairs, rcond=None)[0]
        assert np.degrees(np.arccos(turn[2, 2])) < 5
    assert 'the tilt of the camera is estimated from their feet' in caplog.text
    assert said[0].startswith('feet of people who run show that the camera looks')


def test_noise_of_places_is_no_run():
    """In streams it made the tilt that of feet."""
    rng, said = np.random.default_rng(0), []
    placer = PeoplePlacer(
        PlaceOptions(level=LevelSettings(standing_seconds=0.5)), said.append
    )
    lean = standing_pose()[None] @ rotation_matrices([0.12, 0, 0]).T
    places = (lean - CAMERAS[0]['T']) @ CAMERAS[0]['R']
    for frame in range(25):
        moved = places + rng.normal(0, 0.1, (1, 1, 3))
        clip = Clip3D.from_arrays(moved, 25.0, axes='camera')
        placer(clip, frozenset(), frame / 25)
    assert said[0].startswith('people who stand show')


def test_each_shot_has_its_own_floor():
    walk, dance = (place_people(*ground_truth(name)[::2]) for name in TILT)
    count = len(walk)
    later = replace(dance, frame=dance.frame + count, track=dance.track + 1)
    both = replace(joined(walk, later), cuts=(count,))
    world = to_world(both, static_camera=True)
    alone = [to_world(clip, static_camera=True).places() for clip in (walk, dance)]
    np.testing.assert_allclose(world.places(), np.concatenate(alone), atol=1e-5)
    one = to_world(replace(both, cuts=()), static_camera=True)
    assert abs(one.places() - world.places()).max() > 0.05


def test_lowest_joint_is_on_the_floor_of_a_moving_camera():
    world = to_world(place_people(rendered('dance')))
    lowest = (world.keypoints_3d + world.root_3d[:, None])[..., 2].min(1)
    assert np.abs(lowest - ANKLE_HEIGHT).max() < 0.03
    assert world.axes == 'world'
    with pytest.raises(ValueError, match="'world' axes, .* cannot be converted"):
        to_axes(world, 'camera')


def with_second_person(clip, root_3d, poses):
    """Add a person with the same keypoints."""
    second = replace(clip, track=clip.track + 1, root_3d=root_3d, keypoints_3d=poses)
    return joined(clip, second)


@pytest.mark.parametrize('name', TILT)
def test_people_on_boxes_do_not_tilt_the_floor(name):
    clip, _, lens = ground_truth(name)
    clip, tilt = place_people(clip, lens), np.radians(TILT[name])
    raised = clip.root_3d - np.float32([0, 1.4 * np.cos(tilt), 1.4 * np.sin(tilt)])
    raised[:, 0] += 2
    world = to_world(with_second_person(clip, raised, clip.keypoints_3d), True)
    poses, leveled = clip.keypoints_3d.reshape(-1, 3), world.keypoints_3d[: len(clip)]
    up = np.linalg.lstsq(poses, leveled.reshape(-1, 3), rcond=None)[0][:, 2]
    assert np.degrees(np.arccos(-up @ [0, np.cos(tilt), np.sin(tilt)])) < 3
    heights = np.percentile(world.places()[:, ANKLES, 2].reshape(2, -1), 5, axis=1)
    np.testing.assert_allclose(heights, [ANKLE_HEIGHT, ANKLE_HEIGHT + 1.4], atol=0.12)


def sit(poses, knee, foot):
    """Place knees and feet of standing people below or before their hips, meters."""
    for side in ('left', 'right'):
        joints = [f'{side}_{x}' for x in ('hip', 'knee', 'foot')]
        hips, knees, feet = H36M.indices(joints)
        poses[:, knees] = poses[:, hips] - knee
        poses[:, feet] = poses[:, hips] - foot


def bent(poses):
    """Bend the trunk of standing people by 60 degrees."""
    legs = [x for x, name in enumerate(H36M.joints) if name.endswith(('knee', 'foot'))]
    upper = np.delete(np.arange(17), legs)
    turn = rotation_matrices(np.array([np.pi / 3, 0, 0]))
    poses[:, upper] = (poses[:, upper] - poses[:, :1]) @ turn.T + poses[:, :1]


@pytest.mark.parametrize(
    'posture',
    [
        partial(sit, knee=[0, 0.4, 0], foot=[0, 0.4, 0.4]),
        partial(sit, knee=[0, 0.4, 0.1], foot=[0, 0.8, 0.1]),
        bent,
    ],
    ids=['seated', 'rowing', 'bent'],
)
def test_people_who_do_not_stand_straight_do_not_level_the_floor(posture, caplog):
    poses = np.repeat(standing_pose(), 50, axis=0).astype(np.float64)
    posture(poses)
    poses += [0, 5, 0]
    clip = replace(Clip3D.from_arrays(poses, 25, axes='z-up'), cuts=(10, 30))
    world = to_world(clip, static_camera=True)
    np.testing.assert_allclose(world.keypoints_3d, clip.keypoints_3d, atol=1e-4)
    *_, line = caplog.messages
    assert line.endswith('to be level (shots at 0.0 s, 0.4 s, 1.2 s)')


def test_people_of_wrong_sizes_stand_on_one_floor():
    clip, _, lens = ground_truth('walk')
    clip = place_people(clip, lens)
    larger = clip.root_3d * 1.1, clip.keypoints_3d * 1.1
    world = to_world(with_second_person(clip, *larger), static_camera=True)
    heights = np.percentile(world.places()[:, ANKLES, 2].reshape(2, -1), 10, axis=1)
    np.testing.assert_allclose(heights, ANKLE_HEIGHT, atol=0.015)


def test_people_who_stand_show_the_floor_that_a_fallen_person_misses(caplog):
    """It was 1 m below the feet of three people, where the fourth was placed."""
    body = standing_pose()[0]
    fallen = body[:, [0, 2, 1]] * [1, 1, -1]
    fallen += [0, 0, 0.1 - fallen[:, 2].min()]
    people = [body + [x, y, -1.6] for x, y in ((-1, 5), (0, 6.5), (1, 5.5))]
    people.append(fallen + [0, 5.7, -2.8])
    places = np.repeat(np.array(people)[None], 30, axis=0)
    clip = to_axes(Clip3D.from_arrays(places, 25.0, axes='z-up'), 'camera')
    world = to_world(clip, static_camera=True).places()[:, ANKLES, 2].min(1)
    np.testing.assert_allclose(world[clip.track < 3], ANKLE_HEIGHT, atol=0.05)
    assert 'the floor is that of poses that stand; others are far' in caplog.text


@pytest.mark.parametrize('lies', [False, True])
def test_steep_cameras_are_named_unless_people_lie(lies, caplog):
    body = standing_pose()[0]
    if lies:
        body = body[:, [0, 2, 1]] * [1, 1, -1]
    for pitch in (0, 37, 43, 60, 75):
        caplog.clear()
        seen = body @ rotation_matrices(np.radians([pitch, 0, 0])).T + [0, 6, 0]
        clip = Clip3D.from_arrays(np.tile(seen, (30, 1, 1)), 25.0, axes='z-up')
        world = to_world(to_axes(clip, 'camera'), static_camera=True)
        said = 'the camera looks down by about 45' in caplog.text
        assert said == (pitch > 38 and not lies), pitch
        assert {*world.keypoint_scores_3d.flat} == {0.5 if said else 1}


def test_jumps_leave_the_floor_of_a_person():
    seconds = np.arange(200) / 50
    drift = 0.2 + 0.05 * np.sin(seconds)
    jump = np.maximum(4.9 * (0.3**2 - (seconds - 2) ** 2), 0)
    np.testing.assert_allclose(find_own_floor(drift + jump, seconds), drift, atol=0.03)


@pytest.mark.parametrize('camera', CAMERAS)
def test_who_climbs_onto_a_stool_keeps_the_height(camera):
    joints = joints_of(KICK, 150).astype(np.float64)
    joints += (
        [0, 0, 0.9] - joints[:, :1] * [1, 1, 0] - joints[:, :1].mean(0) * [0, 0, 1]
    )
    joints[..., 2] += 0.6 * np.clip((np.arange(150)[:, None] - 60) / 30, 0, 1)
    places = (joints - camera['T']) @ camera['R']
    world = to_world(Clip3D.from_arrays(places, 50.0, axes='camera'), True)
    steps = world.root_3d[:, 2] - joints[:, 0, 2]
    assert np.abs(steps - np.median(steps)).max() < 0.06


def test_each_person_may_have_a_height():
    clip = place_people(rendered('walk'))
    both = joined(clip, replace(clip, track=clip.track + 3))
    scaled = scale_people(both, (2.0, 1.0))
    for track, height in ((0, 2.0), (3, 1.0)):
        expected = scale_people(clip, height)
        person = scaled.take(scaled.track == track)
        np.testing.assert_allclose(person.keypoints_3d, expected.keypoints_3d)
        np.testing.assert_allclose(person.root_3d, expected.root_3d)
    with pytest.raises(ValueError, match='one for each of the people 0, 3 of'):
        scale_people(both, (2.0, 1.0, 1.5))
    assert ExportOptions.read({'height': '1.80,1.20'}).height == (1.8, 1.2)
    assert ExportOptions.read({'height': 1.8}).height == (1.8,)
    for height in ('1.8,12', 175):
        with pytest.raises(ValueError, match='^height must be from 0.3 to 3 meters'):
            ExportOptions.read({'height': height})
    with pytest.raises(ValueError, match="^height must be .* person, .*, got 'tall'$"):
        ExportOptions.read({'height': 'tall'})


def test_angle_of_view_gives_the_focal_length():
    assert Lens.of_view(90, 1280, 720).focal == pytest.approx((640, 640))
    with pytest.raises(ValueError, match='from 1 to 170 degrees, got 180'):
        Lens.of_view(180, 1280, 720)
