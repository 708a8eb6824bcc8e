"""Cameras, bodies, detector noise and frame rates, by their numbers."""

import mocap
import numpy as np
import pytest
from mmpose.codecs.utils import camera_to_pixel
from mmpose.registry import KEYPOINT_CODECS, TRANSFORMS

from mmhot.datasets.transforms.detector_noise import (
    _TABLE,
    RandomClipDetectorNoise,
    RandomDetectorNoise,
    person_height,
    slow_noise,
)
from mmhot.datasets.transforms.motion_augmentation import RandomFrameRate
from mmhot.datasets.transforms.skeleton_augmentation import (
    _OFFSETS,
    RandomBoneLengths,
    RandomJointDefinition,
    head_frame,
    hip_frame,
    shoulder_frame,
)
from mmhot.datasets.transforms.virtual_camera import (
    ProjectToRandomCamera,
    ProjectToVirtualCamera,
    look_at_camera,
    place_on_floor,
    project,
)

H36M = mocap.H36M
SIDES = np.array(H36M.flip_pairs).T  # left, right


@pytest.fixture(autouse=True)
def _seed():
    np.random.seed(0)  # noqa: NPY002 the transforms draw from it


def standing():
    """A person (1, 17, 3) as CMU's without rotation: facing -y, left at +x."""
    places = dict(root=(0, 0, 0.9), spine=(0, 0, 1.1), thorax=(0, 0, 1.4))
    places |= dict(neck_base=(0, -0.07, 1.5), head=(0, 0, 1.65))
    limbs = dict(hip=(0.1, 0.9), knee=(0.1, 0.5), foot=(0.1, 0.08))
    limbs |= dict(shoulder=(0.2, 1.4), elbow=(0.3, 1.2), wrist=(0.3, 1.0))
    for part, (x, z) in limbs.items():
        places |= {f'left_{part}': (x, 0, z), f'right_{part}': (-x, 0, z)}
    return np.array([[places[joint] for joint in H36M.joints]], np.float32)


# --- cameras ---------------------------------------------------------------------


@pytest.mark.parametrize('camera', mocap.CAMERAS, ids=lambda camera: camera['name'])
def test_looking_at_the_person_gives_the_published_cameras(camera):
    rotation = look_at_camera(camera['T'], np.array([0, 0, 0.95]), 0.0)
    np.testing.assert_allclose(rotation, camera['R'], atol=1e-6)


@pytest.mark.parametrize('roll', [0.0, 0.4, -1.0])
def test_camera_axes_are_right_handed_and_look_ahead(roll):
    place, target = np.array([3.0, -2.0, 1.7]), np.array([0.2, 0.3, 1.0])
    rotation = look_at_camera(place, target, roll)
    np.testing.assert_allclose(np.cross(*rotation.T[:2]), rotation[:, 2], atol=1e-6)
    np.testing.assert_allclose((target - place) @ rotation[:, :2], 0, atol=1e-6)
    assert (target - place) @ rotation[:, 2] > 0


def test_projection_is_mmposes():
    joints = mocap.joints_of() + place_on_floor(mocap.joints_of())
    camera = mocap.CAMERAS[2]
    pixels, in_camera = project(joints, camera)
    expected = camera_to_pixel(in_camera, *camera['f'], *camera['c'], shift=True)
    np.testing.assert_allclose(pixels, expected[..., :2], atol=1e-3)
    world = in_camera @ camera['R'].T + camera['T']
    np.testing.assert_allclose(world, joints, atol=2e-6)


def test_person_is_upright_and_not_mirrored_in_the_picture():
    camera = dict(T=np.float32([0, -5, 1]), f=np.float32([1000, 1000]))
    camera.update(c=np.float32([500, 500]))
    camera['R'] = look_at_camera(camera['T'], np.array([0, 0, 1]), 0.0)
    pixels, in_camera = project(standing(), camera)
    at = {name: pixels[0, H36M.index(name)] for name in H36M.joints}
    # the person faces the camera: their left is on the picture's right
    assert at['left_hip'][0] > 500 > at['right_hip'][0]
    assert at['head'][1] < at['root'][1] < at['left_foot'][1]
    np.testing.assert_allclose(at['left_hip'], [500 + 1000 * 0.1 / 5, 520], atol=1e-3)
    assert in_camera[0, H36M.index('neck_base'), 2] < 5  # the nose is nearer


@pytest.mark.parametrize('num_frames', [1, 2, 27, 81, 150])
def test_windows_are_placed_on_the_floor(num_frames):
    joints = mocap.joints_of(mocap.KICK, num_frames)
    offset = place_on_floor(joints)
    ankles = joints[:, H36M.indices(['left_foot', 'right_foot']), 2]
    np.testing.assert_allclose(offset[2], 0.08 - np.quantile(ankles, 0.02), atol=1e-6)
    root = (joints + offset)[num_frames // 2, 0]
    np.testing.assert_allclose(root[:2], 0, atol=1e-6)


def test_targets_are_the_joints_in_camera_axes():
    camera = mocap.CAMERAS[1]
    joints = mocap.joints_of()
    sample = ProjectToVirtualCamera().transform(mocap.window(camera_param=camera))
    placed = joints + place_on_floor(joints)
    assert sample['keypoints'].shape == (81, 17, 2)
    assert sample['lifting_target'].shape == (3, 17, 3)
    np.testing.assert_allclose(
        sample['lifting_target'], project(placed[39:42], camera)[1], atol=1e-6
    )
    assert set(sample['camera_param']) == {'w', 'h', 'f', 'c'}
    action = sample['target_img_path'][0]
    assert action == 'S02_02-04.jpg'


def test_intrinsics_can_be_withheld():
    sample = mocap.window(camera_param=mocap.CAMERAS[1])
    sample = ProjectToVirtualCamera(known_intrinsics=False).transform(sample)
    assert sample['camera_param'] == dict(w=1000, h=1000)


def test_what_a_detector_sees_changes_the_pixels_only():
    plain = ProjectToVirtualCamera().transform(
        mocap.window(camera_param=mocap.CAMERAS[1])
    )
    observed = mocap.joints_of() + np.float32([0, 0, 0.1])
    sample = mocap.window(camera_param=mocap.CAMERAS[1], observed_world=observed)
    sample = ProjectToVirtualCamera().transform(sample)
    np.testing.assert_array_equal(sample['lifting_target'], plain['lifting_target'])
    up = plain['keypoints'][..., 1] - sample['keypoints'][..., 1]
    assert np.all((up > 15) & (up < 30))  # 10 cm, seen from 5 m


def test_random_cameras_stay_within_their_ranges():
    joints = standing().repeat(9, 0)
    settings = dict(radius=(3, 6), height=(1.2, 1.8), focal=(0.9, 1.3))
    transform = ProjectToRandomCamera(**settings, image_size=(1280, 720))
    cameras = [transform.choose_camera({}, joints) for _ in range(200)]
    places = np.array([camera['T'] for camera in cameras])
    radius = np.linalg.norm(places[:, :2], axis=1)
    for values, low, high in (
        (radius, 3, 6),
        (places[:, 2], 1.2, 1.8),
        (np.array([camera['f'][0] for camera in cameras]), 0.9 * 1280, 1.3 * 1280),
    ):
        assert low - 1e-3 <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high + 1e-3
    angles = np.arctan2(places[:, 1], places[:, 0])
    assert np.all(np.histogram(angles, 4, (-np.pi, np.pi))[0] > 30)  # all around
    for camera in cameras:
        pixels, _ = project(joints[4, :1], camera)
        np.testing.assert_allclose(pixels[0], [640, 360], atol=0.01)


def test_aim_pitch_and_roll_vary_by_their_deviations():
    joints = standing().repeat(9, 0)
    settings = dict(radius=(5, 5), height=(0.9, 0.9), aim=0.3, pitch=5.0, roll=4.0)
    transform = ProjectToRandomCamera(**settings)
    places, rolls = [], []
    for _ in range(1500):
        camera = transform.choose_camera({}, joints)
        pixels, _ = project(joints[4, :1], camera)
        places.append((pixels[0] - 500) / camera['f'][0])
        rolls.append(np.arcsin(camera['R'][2, 0]))  # how far the x axis leaves level
    # a standard deviation of 1500 draws is known to 2 %
    np.testing.assert_allclose(np.rad2deg(np.std(rolls)), 4, rtol=0.1)
    deviation = np.std(places, axis=0)
    np.testing.assert_allclose(deviation[0], 0.3 / 5, rtol=0.15)
    np.testing.assert_allclose(
        deviation[1], np.hypot(0.3 / 5, np.tan(5 / 57.3)), rtol=0.15
    )


def test_nobody_is_behind_a_random_camera():
    joints = mocap.joints_of(mocap.KICK, 150).copy()
    joints[..., 1] *= 4  # runs 12 meters
    transform = ProjectToRandomCamera(radius=(2.5, 3))
    for _ in range(100):
        sample = transform.transform(mocap.window(joints))
        camera = transform.choose_camera({}, joints + place_on_floor(joints))
        assert project(joints + place_on_floor(joints), camera)[1][..., 2].min() > 0.99
        assert np.isfinite(sample['keypoints']).all()


def test_random_camera_ranges_must_be_pairs():
    with pytest.raises(ValueError, match=r'focal must be \(low, high\), got \(2, 1\)'):
        ProjectToRandomCamera(focal=(2, 1))


@pytest.mark.parametrize('codec', ['CameraPoseLifting', 'PersonCenteredPoseLifting'])
def test_mirrored_labels_are_the_mirrored_world_projected(codec):
    codec = KEYPOINT_CODECS.build(dict(type=codec))
    camera = mocap.CAMERAS[3] | dict(c=np.float32([500, 500]))
    joints = mocap.joints_of()
    pixels, in_camera = project(joints + place_on_floor(joints), camera)
    mirrored = in_camera[:, H36M.flip_indices] * np.float32([-1, 1, 1])
    mirrored_pixels = mirrored[..., :2] / mirrored[..., 2:] * camera['f'] + camera['c']

    def encode(pixels, in_camera):
        return codec.encode(pixels, None, in_camera[39:42], None, camera)

    around_zero = dict(center_mode='static', center_x=0.0)
    flip = dict(type='RandomFlipAroundRoot', flip_prob=1.0, flip_label=True)
    flip.update(keypoints_flip_cfg=around_zero, target_flip_cfg=around_zero)
    sample = mocap.window(camera_param=camera) | encode(pixels, in_camera)
    flipped = TRANSFORMS.build(flip)(sample)
    expected = encode(mirrored_pixels, mirrored)
    for key in ('keypoint_labels', 'lifting_target_label'):
        np.testing.assert_allclose(flipped[key], expected[key], atol=2e-6)


# --- bodies ----------------------------------------------------------------------


def bones_of(joints):
    return np.stack([joints[:, j] - joints[:, p] for p, j in H36M.bones], 1)


def stretch(joints, **settings):
    transform = RandomBoneLengths(**(dict(prob=1.0, drop_prob=0.0) | settings))
    return transform.transform(dict(joints_world=joints))['joints_world']


def test_other_bones_have_the_same_directions():
    joints = mocap.joints_of()
    before, after = bones_of(joints), bones_of(stretch(joints))
    lengths = np.linalg.norm(before, axis=-1), np.linalg.norm(after, axis=-1)
    cosine = (before * after).sum(-1) / lengths[0] / lengths[1]
    np.testing.assert_allclose(cosine, 1, atol=1e-4)
    # one factor a bone, for the whole window
    factor = lengths[1] / lengths[0]
    np.testing.assert_allclose(factor, factor[:1].repeat(len(joints), 0), rtol=2e-4)


def test_left_and_right_bones_stay_alike():
    for _ in range(20):
        factor = RandomBoneLengths().bone_factors()
        np.testing.assert_array_equal(factor[SIDES[0]], factor[SIDES[1]])


def test_bone_factors_vary_by_their_deviations():
    settings = dict(scale_std=0.05, bone_std=0.1, hip_width=(1.0, 1.4))
    transform = RandomBoneLengths(**settings)
    factors = np.log([transform.bone_factors() for _ in range(4000)])
    arm = factors[:, H36M.indices(['left_elbow', 'left_wrist'])]
    np.testing.assert_allclose(arm.std(0), np.hypot(0.05, 0.1), rtol=0.05)
    correlation = np.corrcoef(arm.T)[0, 1]  # the whole body's scale is common
    np.testing.assert_allclose(correlation, 0.05**2 / (0.05**2 + 0.1**2), atol=0.05)
    hips = factors[:, H36M.index('left_hip')]
    np.testing.assert_allclose(np.exp(np.median(hips)), 1.2, rtol=0.03)


def test_longer_legs_stay_on_the_floor():
    joints = mocap.joints_of(mocap.KICK)
    joints = joints + place_on_floor(joints)
    ankle = H36M.index('right_foot')  # the supporting leg
    for _ in range(20):
        stretched = stretch(joints, bone_std=0.0, scale_std=0.1)
        scale = stretched[0, 0, 2] / joints[0, 0, 2]
        np.testing.assert_allclose(
            stretched[:, ankle, 2], joints[:, ankle, 2] * scale, atol=5e-3
        )


def test_arms_move_down_and_inwards_as_a_whole():
    settings = dict(bone_std=0.0, scale_std=0.0, hip_width=(1, 1), drop_prob=1.0)
    settings.update(shoulder_drop=(0.05, 0.05), shoulder_inset=(0.02, 0.02))
    moved = stretch(standing(), **settings) - standing()
    for side, inwards in (('left', -0.02), ('right', 0.02)):
        arm = H36M.indices(
            [f'{side}_{part}' for part in ('shoulder', 'elbow', 'wrist')]
        )
        expected = np.broadcast_to([inwards, 0, -0.05], (3, 3))
        np.testing.assert_allclose(moved[0, arm], expected, atol=1e-6)
    num_below = H36M.index('left_shoulder')
    np.testing.assert_allclose(moved[0, :num_below], 0, atol=1e-6)


@pytest.mark.parametrize('transform', [RandomBoneLengths, RandomJointDefinition])
def test_bodies_without_probability_stay(transform):
    sample = mocap.window()
    assert transform(prob=0.0).transform(dict(sample)).keys() == sample.keys()
    np.testing.assert_array_equal(sample['joints_world'], mocap.joints_of())


@pytest.mark.parametrize('transform', [RandomBoneLengths, RandomJointDefinition])
def test_bodies_leave_the_clip(transform):
    joints = mocap.joints_of()
    transform(prob=1.0).transform(dict(joints_world=joints))
    np.testing.assert_array_equal(joints, mocap.joints_of())


@pytest.mark.parametrize('frame', [hip_frame, shoulder_frame, head_frame])
def test_body_axes_are_left_up_forward(frame):
    expected = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    np.testing.assert_allclose(frame(standing())[0], expected, atol=1e-6)
    axes = frame(mocap.joints_of(mocap.KICK, 150))
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=1e-5)
    identity = np.broadcast_to(np.eye(3), axes.shape)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), identity, atol=1e-5)


def test_body_axes_follow_a_real_person():
    joints = mocap.joints_of(mocap.KICK, 150)
    run_up = joints[60, 0] - joints[0, 0]
    forward = hip_frame(joints)[:60, 2].mean(0)
    assert forward @ run_up > 0.8 * np.linalg.norm(run_up)
    toes_up = shoulder_frame(joints)[:, 1, 2]
    assert toes_up.min() > 0.7


def test_detectors_hips_and_shoulders_lie_beside_the_true_ones():
    joints = standing()
    transform = RandomJointDefinition(prob=1.0)
    seen = [
        transform.transform(dict(joints_world=joints))['observed_world'][0]
        for _ in range(3000)
    ]
    moved = np.array(seen) - joints
    for name, (mean, std) in _OFFSETS.items():
        left_up_forward = moved[:, H36M.index(name)] @ [
            [1, 0, 0],
            [0, 0, -1],
            [0, 1, 0],
        ]
        np.testing.assert_allclose(left_up_forward.mean(0), mean, atol=1e-3)
        np.testing.assert_allclose(left_up_forward.std(0), std, rtol=0.06)
    # a person's sides are mirror images
    np.testing.assert_allclose(
        moved[:, H36M.right], moved[:, H36M.left] * [-1, 1, 1], atol=1e-6
    )
    for part in ('knee', 'foot', 'elbow', 'wrist'):
        np.testing.assert_array_equal(moved[:, H36M.index(f'left_{part}')], 0)


def test_missing_joints_are_midpoints_and_targets_stay():
    sample = RandomJointDefinition(prob=1.0).transform(mocap.window())
    seen = {name: sample['observed_world'][:, H36M.index(name)] for name in H36M.joints}
    hips = (seen['left_hip'] + seen['right_hip']) / 2
    shoulders = (seen['left_shoulder'] + seen['right_shoulder']) / 2
    np.testing.assert_allclose(seen['root'], hips, atol=1e-6)
    np.testing.assert_allclose(seen['thorax'], shoulders, atol=1e-6)
    np.testing.assert_allclose(seen['spine'], (hips + shoulders) / 2, atol=1e-6)
    np.testing.assert_array_equal(sample['joints_world'], mocap.joints_of())


# --- detector noise --------------------------------------------------------------


def noisy(num_windows=60, height=370.0, **settings):
    """Errors (N, T, K, 2) in units of a 370 pixel person, and scores (N, T, K)."""
    transform = RandomDetectorNoise(**settings)
    clean = mocap.pixels(243, height=height)
    samples = [transform.transform(dict(clean)) for _ in range(num_windows)]
    errors = np.array([sample['keypoints'] for sample in samples]) - clean['keypoints']
    scores = np.array([sample['keypoints_visible'] for sample in samples])
    return errors * 370 / height, scores


def only(**settings):
    """Settings of a detector that makes no error but these."""
    nothing = dict(
        jitter=0, outlier=0, outlier_ends=0, swap_legs=0, swap_arms=0, drop=0
    )
    return dict(strength=(0, 0)) | nothing | settings


def test_slow_noise_has_the_fitted_statistics():
    rng = np.random.default_rng(0)
    noise = np.stack([slow_noise(rng, 243) for _ in range(1000)])
    uniform = _TABLE[:, 3:]
    variance = (1 - uniform) * (_TABLE[:, :2] ** 2) + uniform * 15**2 / 3
    variance[:, 1] += uniform[:, 0] * (1 - uniform[:, 0]) * _TABLE[:, 2] ** 2
    # linear in between keys: two thirds of the variance that the keys have
    np.testing.assert_allclose(noise.var((0, 1)), variance * 2 / 3, rtol=0.06)
    np.testing.assert_allclose(noise[..., 0].mean((0, 1)), 0, atol=0.1)
    mean = _TABLE[:, 2] * (1 - uniform[:, 0])
    np.testing.assert_allclose(noise[..., 1].mean((0, 1)), mean, atol=0.1)
    # no frame is noisier than others
    frames = noise.std(0).mean((1, 2))
    np.testing.assert_allclose(frames, frames.mean(), rtol=0.04)


def test_slow_noise_is_slow_to_the_end():
    rng = np.random.default_rng(0)
    for num_frames in (1, 9, 10, 27, 81, 243):
        noise = slow_noise(rng, num_frames)
        assert noise.shape == (num_frames, 17, 2)
    steps = np.diff(noise, axis=0)
    assert np.abs(steps).max() < 30 / 9
    assert np.all(np.abs(steps[-3:]).max(axis=(1, 2)) > 0)


def test_jitter_is_white():
    errors, _ = noisy(**only(strength=(1, 1), jitter=50.0))
    np.testing.assert_allclose(errors.std(), 50, rtol=0.02)
    neighbors = (errors[:, 1:] * errors[:, :-1]).mean() / errors.var()
    assert abs(neighbors) < 0.03


def test_strength_scales_slow_errors_and_jitter():
    weak, strong = (noisy(**only(strength=(s, s), jitter=1))[0].std() for s in (0.5, 2))
    np.testing.assert_allclose(strong / weak, 4, rtol=0.05)


def test_outliers_are_as_frequent_large_and_long_as_said():
    errors, scores = noisy(200, **only(outlier=0.01, outlier_ends=0.03))
    hit = (errors != 0).any(-1)
    share = hit.mean((0, 1))
    ends = H36M.indices(['left_wrist', 'right_wrist', 'left_foot', 'right_foot'])
    np.testing.assert_allclose(share[ends], 0.03, rtol=0.15)
    np.testing.assert_allclose(np.delete(share, ends), 0.01, rtol=0.2)
    np.testing.assert_allclose(errors[hit].std(), 25, rtol=0.05)
    runs = hit.sum() / (np.diff(hit.astype(int), axis=1) == 1).sum()
    assert 4 < runs < 5.5
    assert scores[hit].mean() < scores[~hit].mean() - 0.2


def test_swaps_exchange_whole_limbs():
    errors, _ = noisy(200, **only(swap_legs=0.002, swap_arms=0.001))
    hit = (errors != 0).any(-1)
    legs, arms = ([f'{side}_{part}' for side in ('left', 'right') for part in parts]
                  for parts in (('hip', 'knee', 'foot'),
                                ('shoulder', 'elbow', 'wrist')))  # fmt: skip
    legs, arms = H36M.indices(legs), H36M.indices(arms)
    for limbs, start in ((legs, 0.002), (arms, 0.001)):
        assert np.all(hit[..., limbs].all(-1) == hit[..., limbs].any(-1))
        # a swap lasts 7.5 frames on average
        np.testing.assert_allclose(hit[..., limbs].mean(), start * 7.5, rtol=0.3)
    assert not np.delete(hit, legs + arms, axis=-1).any()
    clean = mocap.pixels(243)['keypoints'][0]
    swapped = hit[..., legs[0]]
    left = (errors + clean)[swapped][:, SIDES[0][:3]]
    np.testing.assert_allclose(left, np.broadcast_to(clean[SIDES[1][:3]], left.shape))


def test_dropped_joints_hold_their_last_value_without_score():
    clean = mocap.pixels(243)
    clean['keypoints'] += np.arange(243, dtype=np.float32)[:, None, None]
    transform = RandomDetectorNoise(**only(drop=0.3))
    sample = transform.transform(dict(clean))
    dropped = sample['keypoints_visible'] == 0
    assert not dropped[0].any()
    np.testing.assert_allclose(dropped[1:].mean(), 0.3, atol=0.03)
    for frame, joint in np.argwhere(dropped):
        before = sample['keypoints'][frame - 1, joint]
        np.testing.assert_array_equal(sample['keypoints'][frame, joint], before)
    np.testing.assert_array_equal(
        sample['keypoints'][~dropped], clean['keypoints'][~dropped]
    )


def test_noise_scales_with_the_person():
    # every random number is the same: 40 pixels' person, 40 / 370 of the noise
    large, large_scores = noisy(5, seed=3)
    small, small_scores = noisy(5, height=40.0, seed=3)
    np.testing.assert_allclose(small, large, atol=2e-2)
    np.testing.assert_allclose(small_scores, large_scores, atol=1e-3)


def test_scores_fall_with_the_error():
    errors, scores = noisy(**only(strength=(1, 1), jitter=10.0))
    distance = np.linalg.norm(errors, axis=-1)
    good, bad = scores[distance < 5].mean(), scores[distance > 20].mean()
    assert 0.75 < good < 0.95
    assert bad < good - 0.15
    assert scores.min() > 0
    assert scores.max() == 1


def test_height_is_the_longer_side_of_most_frames():
    keypoints = mocap.pixels(81, height=200.0)['keypoints']
    keypoints[40] *= 100  # one wild frame
    assert person_height(keypoints) == pytest.approx(200)
    wide = keypoints[..., ::-1]
    assert person_height(wide) == pytest.approx(200)
    for num_frames in (1, 2, 3, 4):
        random = np.random.default_rng(0).random((num_frames, 17, 2))
        expected = np.median(np.ptp(random, axis=1).max(-1))
        assert person_height(random) == pytest.approx(expected)


def test_seeded_noise_depends_on_the_sample_only():
    transform = RandomDetectorNoise(seed=7)

    def run(index):
        sample = transform.transform(mocap.pixels() | dict(id=index))
        return sample['keypoints']

    first = run(4)
    np.random.seed(99)  # noqa: NPY002
    np.testing.assert_array_equal(run(4), first)
    assert np.abs(run(5) - first).max() > 1


def test_noise_of_one_source_leaves_the_others():
    transform = RandomDetectorNoise(source='noisy')
    clean = mocap.pixels()
    assert transform.transform(dict(clean))['keypoints'] is clean['keypoints']
    noisy = transform.transform(clean | dict(dataset_name='noisy'))
    assert np.abs(noisy['keypoints'] - clean['keypoints']).max() > 1


def test_midpoints_are_made_of_noisy_joints():
    sample = mocap.pixels() | dict(observed_world=None)
    keypoints = RandomDetectorNoise().transform(sample)['keypoints']
    hips = keypoints[:, H36M.indices(['left_hip', 'right_hip'])].mean(1)
    np.testing.assert_allclose(keypoints[:, 0], hips, atol=1e-3)


def test_noise_leaves_the_input():
    clean = mocap.pixels()
    before = clean['keypoints'].copy()
    RandomDetectorNoise().transform(dict(clean))
    np.testing.assert_array_equal(clean['keypoints'], before)


def of_clip(frames, clip='a/x.front', **settings):
    """Window of a standing person in a long clip, with the clip's noise."""
    transform = RandomClipDetectorNoise(**settings)
    sample = mocap.pixels(len(frames)) | dict(
        clip=clip, clip_length=4000, frame_numbers=np.array(frames)
    )
    return transform.transform(sample)


def test_a_frame_has_the_clips_noise_in_every_window():
    every = of_clip(range(4000), drop=0)['keypoints']
    for frames in (
        [0, 0, 0, *range(24)],
        range(1500, 1527),
        [*range(3990, 4000), 3999],
    ):
        few = of_clip(frames, drop=0)['keypoints']
        np.testing.assert_array_equal(few, every[frames])
    assert np.abs(of_clip(range(4000), seed=1)['keypoints'] - every).max() > 1
    other = of_clip(range(4000), clip='a/x.back')['keypoints']
    assert np.abs(other - every).max() > 1


def test_noise_of_clips_is_as_large_as_that_of_windows():
    clean = mocap.pixels(4000)['keypoints']
    settings = dict(swap_legs=0.0, swap_arms=0.0)  # too rare to compare
    by_window, _ = noisy(50, **settings)
    seen = [of_clip(range(4000), seed=seed, **settings) for seed in range(3)]
    by_clip = np.concatenate([sample['keypoints'] - clean for sample in seen])
    for share in (0.25, 0.5, 0.75, 0.95):
        expected = np.quantile(np.abs(by_window), share)
        assert np.quantile(np.abs(by_clip), share) == pytest.approx(expected, rel=0.05)
    expected = np.median(np.abs(by_window), axis=(0, 1, 3))
    got = np.median(np.abs(by_clip), axis=(0, 2))
    np.testing.assert_allclose(got, expected, rtol=0.1)


def test_clips_hold_dropped_joints_from_a_windows_start_on():
    settings = only(drop=0.3)
    whole = of_clip(range(4000), **settings)
    dropped = whole['keypoints_visible'] == 0
    np.testing.assert_allclose(dropped[1:].mean(), 0.3, atol=0.01)
    part = of_clip(range(1000, 1081), **settings)
    np.testing.assert_array_equal(
        part['keypoints_visible'][1:] == 0, dropped[1001:1081]
    )
    assert not (part['keypoints_visible'][0] == 0).any()
    moving = mocap.pixels(81)
    moving['keypoints'] += np.arange(81, dtype=np.float32)[:, None, None]
    moving.update(
        clip='a/x.front', clip_length=4000, frame_numbers=np.arange(1000, 1081)
    )
    seen = RandomClipDetectorNoise(**settings).transform(dict(moving))
    for frame, joint in np.argwhere(seen['keypoints_visible'] == 0):
        before = seen['keypoints'][frame - 1, joint]
        np.testing.assert_array_equal(seen['keypoints'][frame, joint], before)


# --- frame rates -----------------------------------------------------------------


def at_rate(keypoints, fps):
    sample = mocap.window(keypoints=keypoints)
    sample['keypoints_visible'] = np.ones(keypoints.shape[:2], np.float32)
    return RandomFrameRate(fps=(fps, fps)).transform(sample)['keypoints']


@pytest.mark.parametrize('fps', [50, 60, 120])
def test_faster_films_change_nothing(fps):
    keypoints = np.random.default_rng(0).random((81, 17, 2))
    np.testing.assert_array_equal(at_rate(keypoints, fps), keypoints)


@pytest.mark.parametrize('fps', [24, 25, 29.97, 48, 5])
def test_even_motion_looks_the_same_at_any_rate(fps):
    keypoints = np.arange(81.0)[:, None, None] * np.ones((1, 17, 2))
    for _ in range(10):
        np.testing.assert_allclose(at_rate(keypoints, fps), keypoints, atol=1e-6)


def test_slow_motion_survives_and_fast_motion_is_lost():
    frames = np.arange(81)
    for frequency, low, high in ((0.5, 0, 0.005), (2, 0, 0.08), (12, 0.9, 2.1)):
        wave = np.sin(2 * np.pi * frequency * frames / 50)
        keypoints = wave[:, None, None] * np.ones((1, 17, 2))
        errors = [np.abs(at_rate(keypoints, 25) - keypoints).max() for _ in range(20)]
        assert low <= max(errors) < high


def test_phase_of_the_film_is_random():
    wave = np.sin(np.arange(81) * 1.5)[:, None, None] * np.ones((1, 17, 2))
    films = np.stack([at_rate(wave, 25)[:, 0, 0] for _ in range(100)])
    assert films.std(0)[10:70].min() > 0.05
