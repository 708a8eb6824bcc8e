"""Clips with ground truth, if the renderer's packages are installed."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_render_people import MOTIONS, slow


@slow
def test_ground_truth_of_clips_is_what_their_camera_sees(modules, tmp_path):
    clips = modules.clips
    settings = clips._Settings((160, 90), 10.0, 4, 0)
    motions = modules.shards.read_motions(MOTIONS)
    clips.ClipRenderer(motions, [], settings)('kick', tmp_path)
    video = cv2.VideoCapture(str(tmp_path / 'kick.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    truth, listed = (dict(np.load(tmp_path / f'kick{x}.npz')) for x in ('_1', ''))
    for kind in ('h36m', 'coco'):
        points = truth[f'{kind}_cam3d'] @ truth['K'].T
        pixels = truth['h36m_2d' if kind == 'h36m' else 'keypoints_2d']
        assert_allclose(points[..., :2] / points[..., 2:], pixels, atol=0.01)
    world = truth['h36m_world3d'] - truth['cam_center']
    assert_allclose(world @ truth['R_world_to_cam'].T, truth['h36m_cam3d'], atol=1e-5)
    assert_array_equal(listed['frame'], range(4))
    assert_array_equal(listed['person'], 1)
    assert_allclose(listed['keypoints'], truth['keypoints_2d'], atol=1e-4)
    assert -0.1 < truth['h36m_world3d'][..., 2].min() < 0.2
    # the path is the motion capture's, scaled by the length of the legs
    root = motions['S11/11_01'][25:41:5, 0, :2]
    steps = (np.diff(x, axis=0) for x in (truth['h36m_world3d'][:, 0, :2], root))
    own, captured = (np.linalg.norm(x, axis=1).sum() for x in steps)
    assert 0.6 < own / captured < 1.3


@slow
def test_children_are_smaller(modules):
    anny = modules.bodies.build_anny()
    heights = [
        np.ptp(modules.bodies.sample_bodies(anny, 8, 1, x).heads[..., 2], axis=1)
        for x in (0.0, 1.0)
    ]
    assert heights[1].mean() < 0.85 * heights[0].mean()


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_blended_poses_lie_between_two(modules, share):
    sampler = modules.sampling.PoseSampler(modules.shards.read_motions(MOTIONS))
    one, other = (sampler(np.random.default_rng(seed)) for seed in (1, 2))
    mixed = modules.clips.blend(one, other, share)
    whole = (other.chest * one.chest.inv()).magnitude()
    assert_allclose(
        (mixed.chest * one.chest.inv()).magnitude(), share * whole, atol=1e-9
    )
