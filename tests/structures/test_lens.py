"""Camera intrinsics: files, undistortion, and lifting with distorted cameras."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from lifters import save_lifter
from mocap import CAMERAS, KICK, joints_of
from rendered_clips import make_clip
from tracks import clip_of, track

from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.lifting.world import place_people
from mmhot.io.lifted import read_lifted, write_json, write_npz
from mmhot.io.readers.lens import read_lens
from mmhot.structures.lens import Lens, assumed_focal, camera_intrinsics, ideal_camera

SIZE = (1280, 720)
# An action camera: 19 % distortion at the corners, decentered, non-square pixels.
LENS = Lens((900.0, 920.0), (655.0, 340.0), (-0.28, 0.09, 0.001, -0.0008, -0.012), SIZE)
IDEAL = Lens((900.0, 900.0), (640.0, 360.0))
MATRIX = [[900.0, 0.0, 655.0], [0.0, 920.0, 340.0], [0.0, 0.0, 1.0]]
ROS = """image_width: 1280
image_height: 720
camera_matrix: {rows: 3, cols: 3, data: [900, 0, 655, 0, 920, 340, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.28, 0.09, 0.001, -0.0008, -0.012]}
"""
FISHEYE = ROS.replace('plumb_bob', 'equidistant')
NAMED = {
    **{'fx': 900, 'fy': 920, 'cx': 655, 'cy': 340, 'width': 1280, 'height': 720},
    **{'k1': -0.28, 'k2': 0.09, 'p1': 0.001, 'p2': -0.0008, 'k3': -0.012},
}
LISTED = {'K': MATRIX, 'dist': list(LENS.distortion), 'w': 1280, 'h': 720}


def write(path, content):
    """Write a file in the format of its suffix."""
    if path.suffix == '.npz':
        np.savez(path, **content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('ros.yaml', ROS),
        ('named.json', NAMED),
        ('listed.json', LISTED),
        ('arrays.npz', {k: np.array(v) for k, v in LISTED.items()}),
    ],
)
def test_files_of_all_programs_are_read_alike(tmp_path, name, content):
    assert read_lens(write(tmp_path / name, content)) == LENS


@pytest.mark.parametrize('suffix', ['yml', 'json'])
def test_files_of_opencv_are_read(tmp_path, suffix):
    path = tmp_path / f'camera.{suffix}'
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write('image_width', 1280)
    storage.write('image_height', 720)
    storage.write('camera_matrix', np.array(MATRIX))
    storage.write('dist_coeffs', np.array([LENS.distortion]))
    storage.release()
    assert read_lens(path) == LENS


@pytest.mark.parametrize(
    ('distortion', 'expected'),
    [
        ({}, ()),
        ({'k1': 0, 'k2': 0}, ()),
        ({'k1': 0.1}, (0.1, 0, 0, 0)),
        ({'k1': 0.1, 'k3': 0.2}, (0.1, 0, 0, 0, 0.2)),
        ({'k6': 0.3}, (0, 0, 0, 0, 0, 0, 0, 0.3)),
        ({'dist': [0.1, 0.2]}, (0.1, 0.2, 0, 0)),
        ({'D': None}, ()),
    ],
)
def test_distortion_is_in_opencvs_order(tmp_path, distortion, expected):
    content = {'fx': 9, 'fy': 9, 'cx': 3, 'cy': 4, **distortion}
    lens = read_lens(write(tmp_path / 'a.json', content))
    assert lens == Lens((9, 9), (3, 4), expected)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.json', {'fx': 900, 'cx': 1}, 'a.json: lacks fy, cy: camera_matrix'),
        ('a.json', {**NAMED, 'fx': 'wide'}, 'fx must be numbers, in lists'),
        ('a.json', {**NAMED, 'fx': -1}, 'no lens has these intrinsics'),
        (
            'a.json',
            {'K': np.transpose(MATRIX).tolist()},
            'the camera matrix must be .*fx, 0, cx',
        ),
        ('a.json', {'K': MATRIX, 'dist': [1.0] * 6 + [0] * 9}, 'distortion must be 4,'),
        ('a.json', [1], 'a.json: has no intrinsics: camera_matrix'),
        ('a.yml', 'a: [', 'is not valid YAML'),
        ('a.yml', 'K: !!python/object/apply:os.getcwd []', 'is not valid YAML'),
        ('a.yml', FISHEYE, "'equidistant' is not supported"),
        ('a.txt', 'x', 'must be a .json, .yml, .yaml or .npz file'),
    ],
)
def test_invalid_files_are_refused_in_one_line(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_lens(write(tmp_path / name, content))
    assert '\n' not in str(caught.value)


def distorted(points):
    """Project points (..., 3) to pixels (..., 2) with distortion."""
    settings = np.zeros(3), np.zeros(3), np.array(MATRIX), np.array(LENS.distortion)
    pixels, _ = cv2.projectPoints(points.reshape(-1, 3).astype(float), *settings)
    return pixels.reshape(*points.shape[:-1], 2)


def ideal(points):
    """Project points with an ideal lens."""
    return points[..., :2] / points[..., 2:] * 900 + np.array(SIZE) / 2


def test_straight_pixels_are_those_of_an_ideal_lens():
    draw = np.random.default_rng(0).uniform
    points = np.stack([draw(-3, 3, 500), draw(-1.8, 1.8, 500), np.full(500, 5)], -1)
    pixels = distorted(points)
    assert np.linalg.norm(pixels - ideal(points), axis=-1).max() > 50
    np.testing.assert_allclose(LENS.undistort(pixels), ideal(points), atol=0.02)


def test_unknown_pixels_stay_nan_and_distant_ones_finite():
    pixels = np.array([[np.nan, 1], [640, 360], [9e4, -9e4]])
    straight = LENS.undistort(pixels)
    assert np.isnan(straight[0]).all()
    assert np.isfinite(straight[1:]).all()


def test_lens_is_scaled_to_images_of_its_aspect_ratio():
    half = LENS.fitted(640, 360)
    assert half.parameters[:4] == (450, 460, 327.5, 170)
    pixels = distorted(np.array([[1.0, 0.5, 5.0]]))
    np.testing.assert_allclose(
        half.undistort(pixels / 2), LENS.undistort(pixels) / 2, atol=1e-3
    )
    text = '1280x720, which are not a scaled version of 640'
    with pytest.raises(ValueError, match=text):
        LENS.fitted(640, 480)


@pytest.mark.parametrize(
    ('size', 'true', 'error'),
    [
        ((1000, 1002), 1145, 0.02),  # Human3.6M
        ((1920, 1080), 0.877 * 1920, 0.02),  # MPI-INF-3DHP's outdoors
        ((1080, 1920), 0.72 * 1920, 0.12),  # phones
        ((1080, 1920), 0.78 * 1920, 0.03),
        ((1088, 1920), 1681, 0.09),  # pose2sim's four cameras
    ],
)
def test_assumed_lenses_are_those_of_usual_cameras(size, true, error):
    assert assumed_focal(*size) == pytest.approx(true, rel=error)
    focal, _ = camera_intrinsics(ideal_camera(*size))
    np.testing.assert_allclose(focal, assumed_focal(*size), rtol=1e-6)


@pytest.mark.parametrize('size', [(3000, 2000), (2000, 3000)])
def test_equivalents_have_the_same_angle_of_view_in_both_orientations(size):
    assert Lens.of_35mm(36, *size).focal[0] == pytest.approx(3000)


def clip_with(lens, keypoints):
    person = track(range(len(keypoints)), keypoints.astype(np.float32))
    return replace(clip_of(person), lens=lens)


@pytest.fixture(
    scope='module', params=['PersonCenteredPoseLifting', 'CameraPoseLifting']
)
def lifter(request, tmp_path_factory):
    path = tmp_path_factory.mktemp('lifter') / 'tiny.pth'
    return Lifter(None, save_lifter(path, codec=request.param))


def in_a_corner(num_frames=60):
    """Return a kick near the edge of the image, (T, 17, 3)."""
    camera = CAMERAS[0]
    points = (joints_of(KICK, num_frames).astype(float) - camera['T']) @ camera['R']
    return points - points[:1, :1] + [1.1, 0.3, 3.5]


def test_distorted_camera_gives_the_same_poses_as_an_ideal_one(lifter):
    points = in_a_corner()
    seen = distorted(points)
    wanted = lifter(clip_with(IDEAL, ideal(points)))
    lifted = lifter(clip_with(LENS, seen))
    np.testing.assert_allclose(lifted.keypoints_3d, wanted.keypoints_3d, atol=1e-5)
    np.testing.assert_allclose(lifted.root_3d, wanted.root_3d, atol=1e-4)
    np.testing.assert_allclose(lifted.keypoints_2d, seen, atol=1e-3)


@pytest.mark.parametrize(('lens', 'least', 'most'), [(LENS, 0, 0.02), (IDEAL, 0.1, 1)])
def test_positions_are_right_if_the_lens_is_known(lens, least, most):
    points = in_a_corner()
    clip = make_clip(points - points[:, :1], distorted(points), fps=50.0)
    errors = np.linalg.norm(place_people(clip, lens).root_3d - points[:, 0], axis=-1)
    assert least < errors.mean() < most


def test_results_contain_the_intrinsics(lifter, tmp_path):
    points = joints_of(KICK, 9)[..., [0, 2, 1]] * (1, -1, 1) + (0, 1, 5)
    clip = lifter(clip_with(LENS, distorted(points)))
    assert (clip.lens, clip.focal_length) == (LENS, 900)
    write_npz(clip, tmp_path / 'a.npz')
    write_json(clip, tmp_path / 'a.json')
    read = [read_lifted(tmp_path / name) for name in ('a.npz', 'a.json')]
    assert [each.lens for each in read] == [LENS] * 2
