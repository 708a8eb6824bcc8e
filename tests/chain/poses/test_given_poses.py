"""3D poses of other tools become motions: measured, and as their options say."""

from types import SimpleNamespace

import numpy as np
import pytest
from given_poses import (
    FPS,
    SIZE,
    given_clip,
    landmarks,
    measure,
    mhr_places,
    spoil,
)
from mocap import H36M, JUMP, KICK, joints_of
from scipy.ndimage import gaussian_filter1d

import mmhot
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D
from tools.analysis.motions import resampled
from tools.motion_quality import bone_length_variation

QUIET = dict(without='bones')


@pytest.mark.parametrize('key', [KICK, JUMP])
def test_noise_drift_and_gaps_go(key):
    """Noise of 20 mm a frame, 5 cm of depth and gaps: nothing is worse than before.

    The true acceleration is 11 m/s^2, the true slide 8 and 12 cm/s.
    """
    true = joints_of(key, 150).astype(np.float64)
    noisy, frames = spoil(true)
    before = measure(noisy, frames, true)
    spoiled = Clip3D.from_arrays(noisy, FPS, frames=frames, axes='world')
    clip = mmhot.refine(spoiled, static_camera=True)
    assert clip.axes == 'world'
    assert clip.frame.tolist() == list(range(150))  # with those of the gaps
    after = measure(clip.places().astype(np.float64), clip.frame, true)
    assert (np.array(after) < before).all()
    assert after[0] < 0.45 * before[0]  # 17 instead of 42 mm
    assert after[2] < 0.1 * before[2]
    assert after[3] < 0.1 * before[3]
    lengths = bone_length_variation(clip.keypoints_3d, clip.parents)
    assert lengths.mean() < 0.02 < bone_length_variation(noisy, H36M.parents).mean()


@pytest.mark.parametrize('key', [KICK, JUMP])
@pytest.mark.parametrize('fps', [8.0, 25.0, 50.0, 100.0, 240.0])
@pytest.mark.parametrize('speed', [1.0, 1.6])
def test_poses_without_noise_stay(key, fps, speed):
    """Their feet turn and step within contacts, and their trunks flex by 1 to 2 cm."""
    [(true, _)] = resampled([joints_of(key, 400).astype(np.float64)], fps, speed)
    given = Clip3D.from_arrays(true, fps, axes='world')
    clip = mmhot.refine(given, static_camera=True)
    assert 'smoothing' in clip.steps
    assert 'bones' not in clip.steps
    assert np.linalg.norm(clip.places() - true, axis=-1).max() < 0.005


@pytest.mark.parametrize('key', [KICK, JUMP])
@pytest.mark.parametrize('noise', [0.005, 0.02])
def test_held_feet_are_no_less_accurate(key, noise):
    true = joints_of(key, 300).astype(np.float64)
    given = true + np.random.default_rng(0).normal(0, noise, true.shape)
    errors = []
    for without in ('feet', ()):
        clip = Clip3D.from_arrays(given, FPS, axes='world')
        clip = mmhot.refine(clip, static_camera=True, without=without)
        errors.append(np.linalg.norm(clip.places() - true, axis=-1))
    change = errors[1] - errors[0]
    assert change.mean() <= 0
    assert change.mean(0).max() < 2e-4  # any joint
    assert change.max() < noise / 2


@pytest.mark.parametrize('parts', [['wrist'], ['elbow'], ['elbow', 'wrist']], ids=str)
@pytest.mark.parametrize('key', [KICK, JUMP])
def test_limbs_that_change_their_length_become_constant_and_move_no_others(
    parts, key, caplog
):
    """Noise of hands, which tools find least, was moving the whole body."""
    caplog.set_level('INFO', 'mmhot')
    true = joints_of(key, 200).astype(np.float64)[::2]
    wrong = H36M.indices([f'{x}_{part}' for x in ('left', 'right') for part in parts])
    given, others = true.copy(), np.delete(np.arange(17), wrong)
    given[:, wrong] += np.random.default_rng(0).normal(0, 0.03, given[:, wrong].shape)
    clip = mmhot.refine(Clip3D.from_arrays(given, 25, axes='world'))
    errors = [np.linalg.norm(x - true, axis=-1) for x in (given, clip.places())]
    assert errors[1].mean() < 0.95 * errors[0].mean()
    assert errors[1][:, others].max() < 0.005
    variation = bone_length_variation(clip.keypoints_3d, clip.parents)
    assert variation[[11, 12, 14, 15]].max() < 0.01  # bones of the arms
    said = caplog.text.partition('bones get constant lengths')[2]
    assert f'_{parts[0]} in ' in said


def test_bones_leave_the_body_in_its_place():
    """Slow errors of 10 mm along each axis change bones, and are no noise."""
    true = joints_of(JUMP, 300).astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 1, true.shape)
    noise = gaussian_filter1d(noise, 12, axis=0)
    clip = Clip3D.from_arrays(true + 0.01 * noise / noise.std(), FPS, axes='world')
    errors = [
        np.linalg.norm(refined.places() - true, axis=-1).mean()
        for refined in (mmhot.refine(clip, without='bones'), mmhot.refine(clip))
    ]
    assert errors[1] < errors[0] - 0.001  # 2 mm above it when the pelvis stayed


@pytest.mark.parametrize('key', [KICK, JUMP])
def test_gaps_move_no_joint_that_is_seen(key):
    true = joints_of(key, 300).astype(np.float64)
    given, rng = true.copy(), np.random.default_rng(0)
    joints = H36M.indices(['left_knee', 'left_foot', 'right_elbow'])
    for start in rng.integers(0, 280, 6):
        given[start : start + 18, joints] = np.nan
    clip = mmhot.refine(Clip3D.from_arrays(given, FPS, axes='world'))
    errors = np.linalg.norm(clip.places() - true, axis=-1)
    assert errors[np.isfinite(given).all(-1)].max() < 0.005  # 29 and 41 mm before


def test_noise_of_the_depth_is_for_the_filter(caplog):
    true = joints_of(KICK, 150).astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 0.2, (150, 1, 1)) * [0, 1, 0]
    clip = mmhot.refine(Clip3D.from_arrays(true + noise, FPS, axes='world'))
    errors = np.linalg.norm(clip.places() - true, axis=-1)
    assert errors[:, 0].mean() < 0.065  # 160 mm before
    assert 'replaced' not in caplog.text


@pytest.mark.parametrize('fps', [30, 60])
def test_frames_that_repeat_others_are_interpolated(fps, caplog):
    """The filter took the stairs of a file of too many frames for noise."""
    caplog.set_level('INFO', 'mmhot')
    [(true, _)] = resampled([joints_of(KICK, 200).astype(np.float64)], fps, 1)
    given = true[np.arange(len(true)) // 2 * 2]
    clip = mmhot.refine(Clip3D.from_arrays(given, fps, axes='world'))
    before, after = (np.linalg.norm(x - true, axis=-1) for x in (given, clip.places()))
    assert after.mean() < 0.2 * before.mean()  # above it before
    assert after[:-1:2].max() < 0.005
    assert 'frames repeat the frame before' in caplog.text


@pytest.mark.parametrize('frame', [3, 35, -6])
def test_errors_of_single_frames_are_replaced(frame, caplog):
    caplog.set_level('INFO', 'mmhot')
    true = joints_of(KICK, 150).astype(np.float64)[::2]
    given = true.copy()
    given[frame, H36M.index('left_wrist')] += [0.4, 0.3, -0.2]
    clip = mmhot.refine(Clip3D.from_arrays(given, 25, axes='world'))
    assert np.linalg.norm(clip.places() - true, axis=-1).max() < 0.02
    assert '(frames: left_wrist in 1)' in caplog.text


@pytest.mark.parametrize('fps', [25, 50])
def test_a_few_positions_astray_are_no_noise_of_all(fps):
    true = joints_of(KICK, 300).astype(np.float64)[:: 50 // fps]
    given, rng = true.copy(), np.random.default_rng(0)
    is_wrong = rng.random(given.shape[:2]) < 0.01
    given[is_wrong] += rng.normal(0, 0.03, given[is_wrong].shape)
    moved = [
        np.linalg.norm(mmhot.refine(x, **QUIET).places() - true, axis=-1)
        for x in (Clip3D.from_arrays(x, fps, axes='world') for x in (true, given))
    ]
    assert (moved[1] - moved[0])[~is_wrong].mean() < 2e-4
    assert moved[1][~is_wrong].max() < 0.006


def test_nothing_runs_twice(tmp_path):
    clip = mmhot.refine(given_clip(), static_camera=True)
    assert [*clip.steps] == ['smoothing', 'bones', 'camera_3d', 'feet']
    clip.save(tmp_path / 'a.npz')
    again = mmhot.refine(tmp_path / 'a.npz')
    np.testing.assert_allclose(again.places(), clip.places(), atol=1e-6)
    lifted = mmhot.lift('demo/skating_2d_coco17.npz', static_camera=True)
    same = mmhot.refine(lifted, smooth_3d='none')
    np.testing.assert_allclose(same.places(), lifted.places(), atol=1e-6)


def test_joints_that_a_skeleton_does_not_determine_are_those_of_who_stands():
    true = joints_of(KICK, 60)
    poses, *_ = mmhot.convert_keypoints(true, None, 'h36m-17', 'mpii-16', 'trained')
    given = Clip3D.from_arrays(poses, FPS, axes='world', skeleton='mpii-16')
    errors = np.linalg.norm(mmhot.refine(given).places() - true, axis=-1).mean(0)
    assert errors[H36M.index('neck_base')] < 0.1
    assert np.median(errors) < 0.01


def test_joints_and_fingers(tmp_path):
    true = joints_of(KICK, 60)
    poses = Clip3D.from_arrays(mhr_places(true), FPS, axes='world')
    clip = mmhot.refine(poses, without='feet')
    assert clip.joint_names[:24] == get_skeleton('h36m-24').joints
    assert len(clip.joint_names) == 24 + 40
    toe = clip.joint_names.index('left_big_toe')
    np.testing.assert_allclose(
        clip.places()[:, toe], mhr_places(true)[:, 15], atol=0.02
    )
    tip, base = (clip.joint_names.index(f'left_thumb{x}') for x in (4, 1))
    assert clip.joint_names[clip.parents[base]] == 'left_wrist'
    assert clip.joint_names[clip.parents[tip]] == 'left_thumb3'
    assert len(mmhot.refine(poses, joints=17).joint_names) == 17
    clip.save(tmp_path / 'a.csv')
    assert 'left_thumb4' in (tmp_path / 'a.csv').read_text()
    clip.save(tmp_path / 'a.trc')
    assert 'thumb' not in (tmp_path / 'a.trc').read_text()
    with pytest.raises(ValueError, match='joints=24 needs toes, heels, hands and nose'):
        mmhot.refine(given_clip(), joints=24)


def test_mediapipe_is_placed_by_its_pixels():
    world, image, hips = landmarks(30)
    results = []
    for both in zip(world, image, strict=True):
        pose, flat = (
            [SimpleNamespace(x=p[0], y=p[1], z=p[2], visibility=1.0) for p in points]
            for points in both
        )
        result = SimpleNamespace(pose_world_landmarks=[pose], pose_landmarks=[flat])
        results.append(result)
    fov = float(np.degrees(2 * np.arctan(SIZE[0] / 2 / 1100)))
    clip = mmhot.refine(results, fps=FPS, image_size=SIZE, fov=fov)
    assert np.linalg.norm(clip.root_3d - hips, axis=1).mean() < 0.03
    assert np.isnan(mmhot.refine(results, fps=FPS).root_3d).all()
    with pytest.raises(ValueError, match='fov is for poses with 2D keypoints'):
        mmhot.refine(results, fps=FPS, fov=50)


def test_poses_around_the_neck_have_no_positions():
    # seen from the back, with the pelvis ahead of the neck
    places = joints_of(KICK, 30)[..., [0, 2, 1]] * [-1, -1, -1]
    places += [0, 0, 4] - places[0, 0]
    pixels = 1000 * places[..., :2] / places[..., 2:] + 500
    around_neck = places - places[:, [H36M.index('thorax')]]
    for points, is_known in ((places, True), (around_neck, False)):
        clip = Clip3D.from_arrays(
            points, FPS, axes='camera', keypoints_2d=pixels, image_size=(1000, 1000)
        )
        assert np.isfinite(clip.root_3d).all() == is_known


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(keypoints_3d=np.zeros((5, 17, 2))), r'keypoints_3d must have the shape'),
        (dict(keypoints_3d=np.full((5, 17, 3), np.nan)), 'no joint that is finite'),
        (dict(keypoints_3d=np.ones((5, 18, 3)), skeleton='coco-17'), 'skeleton: coco'),
        (dict(keypoints_2d=np.ones((5, 17, 2))), 'image_size must be given'),
        (
            dict(frames=[0, 1, 1, 2, 3], tracks=[0] * 5),
            'frame 1 has two poses of track 0',
        ),
        (dict(axes='up'), 'axes must be'),
    ],
    ids=str,
)
def test_wrong_arrays(change, message):
    right = dict(keypoints_3d=joints_of(KICK, 5), fps=FPS)
    with pytest.raises(ValueError, match=message):
        Clip3D.from_arrays(**(right | change))


def test_a_point_is_no_pose():
    true = joints_of(KICK, 20)
    true[7] = 0
    assert 7 not in Clip3D.from_arrays(true, FPS).frame
