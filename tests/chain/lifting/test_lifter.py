"""Lifting of clips: frame rates, people, strides, and the model's own numbers."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from lifters import save_lifter
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample
from mocap import dataset
from tracks import H36M, clip_of, standing, track, wiggling

from mmhot.chain.lifting.lifter import Lifter
from mmhot.skeletons.joints import get_skeleton

META_KEYS = ('id', 'camera_param', 'flip_indices', 'framing')
CODECS = ('CameraPoseLifting', 'PersonCenteredPoseLifting')


@pytest.fixture(scope='module')
def lifter(checkpoint):
    return Lifter(checkpoint=checkpoint, accuracy='fast')


def test_networks_take_windows_of_any_float(lifter):
    windows = np.random.default_rng(0).normal(size=(2, 9, 17, 2))
    camera = dict(w=1280, h=720, f=[[1000], [1000]], c=[[640], [360]])
    results = [lifter.network(windows.astype(kind)) for kind in ('f4', 'f8', 'f2')]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_allclose(results[0], results[2], atol=0.02)
    assert lifter.predict(640 + 100 * windows, camera).dtype == np.float32


@pytest.mark.parametrize('fps', [24, 25, 30000 / 1001, 30, 50, 60, 120, 1000, 1])
@pytest.mark.parametrize('num_frames', [1, 2, 3, 40])
def test_every_frame_of_every_rate_is_lifted(lifter, fps, num_frames):
    lifted = lifter(clip_of(track(range(5, 5 + num_frames)), fps=float(fps)))
    np.testing.assert_array_equal(lifted.frame, np.arange(5, 5 + num_frames))
    assert np.isfinite(lifted.keypoints_3d).all()
    assert lifted.fps == fps


@pytest.mark.parametrize('fps', [24, 25, 30000 / 1001, 30, 50, 60, 120, 1000, 1])
@pytest.mark.parametrize('num_frames', [1, 2, 3, 40])
def test_resampling_there_and_back_keeps_constant_speed(lifter, fps, num_frames):
    given = standing(num_frames, 3.0)
    times = np.arange(num_frames) / fps
    windows = lifter.sample(given, np.ones(given.shape[:2]), times)
    seconds = (num_frames - 1) / fps
    assert abs((len(windows) - 1) / 50 - seconds) < 1 / 50
    back = lifter.resample_back(windows, times)
    np.testing.assert_allclose(back, given, rtol=1e-6)


def test_keypoints_at_the_model_rate_are_unchanged(lifter):
    given, times = wiggling(33), np.arange(7, 40) / 50
    windows = lifter.sample(given, np.ones(given.shape[:2]), times)
    np.testing.assert_array_equal(windows, given)
    np.testing.assert_array_equal(lifter.resample_back(given, times), given)


def test_variable_frame_rates_are_lifted_at_their_timestamps(lifter):
    even = standing(41, 3.0)
    kept = np.unique(np.r_[0, np.random.default_rng(0).choice(40, 20), 40])
    clip = clip_of(track(range(len(kept)), even[kept]), fps=25.0)
    lifted = lifter(replace(clip, times=kept / 25)).keypoints_3d
    whole = lifter(clip_of(track(range(41), even), fps=25.0)).keypoints_3d
    np.testing.assert_allclose(lifted, whole[kept], atol=1e-5)
    assert np.abs(lifter(clip).keypoints_3d - whole[kept]).max() > 1e-4


def test_windows_have_the_frame_rate_of_the_model(lifter):
    given = wiggling(31)
    at_50 = lifter.sample(given, np.ones(given.shape[:2]), np.arange(len(given)) / 25)
    lifted = lifter(clip_of(track(range(31), given), fps=25.0)).keypoints_3d
    expected = lifter(clip_of(track(range(61), at_50), fps=50.0)).keypoints_3d[::2]
    np.testing.assert_allclose(lifted, expected, atol=1e-6)
    unaware = lifter(clip_of(track(range(31), given), fps=50.0)).keypoints_3d
    assert np.abs(unaware - expected).max() > 1e-3


def test_rows_of_all_people_are_sorted(lifter):
    people = [
        track(range(4, 9), wiggling(5, 1), number=7),
        track([2, 3, 90], wiggling(3, 2), number=3),
        track([6], wiggling(1, 3), number=12),
    ]
    lifted = lifter(clip_of(*people))
    rows = list(zip(lifted.frame.tolist(), lifted.track.tolist(), strict=True))
    expected = [(f, t.track) for t in people for f in t.frames.tolist()]
    assert rows == sorted(expected)
    for person in people:
        pixels = lifted.keypoints_2d[lifted.track == person.track]
        np.testing.assert_array_equal(pixels, person.keypoints)


def test_results_do_not_depend_on_batches_and_other_people(checkpoint, lifter):
    people = [track(range(n), wiggling(n, n), number=n) for n in (1, 40, 13)]
    seen = []
    together = lifter(clip_of(*people), lambda *counts: seen.append(counts))
    assert seen[-1] == (54, 54)  # frames of the clip
    small = Lifter(checkpoint=checkpoint, accuracy='fast')
    small.batch_size = 3
    for person in people:
        alone = small(clip_of(person)).keypoints_3d
        own = together.keypoints_3d[together.track == person.track]
        # matrix products round differently in batches of other sizes
        np.testing.assert_allclose(alone, own, atol=1e-5)


def test_interpolated_joints_have_score_zero(lifter):
    keypoints = wiggling(12)
    keypoints[3:5, 2] = np.nan
    keypoints[:, 9] = np.nan
    lifted = lifter(clip_of(track(range(12), keypoints)))
    missing = ~np.isfinite(keypoints).all(-1)
    np.testing.assert_array_equal(lifted.keypoint_scores_3d == 0, missing)
    np.testing.assert_array_equal(lifted.scores, lifted.keypoint_scores_3d)
    assert np.isfinite(lifted.keypoints_3d).all()
    assert np.isfinite(lifted.keypoints_2d).all()


def test_people_without_a_joint_of_h36m_are_left_out_with_a_warning(lifter, caplog):
    eye = np.full((2, 17, 2), np.nan, np.float32)
    eye[:, get_skeleton('coco-17').index('left_eye')] = 100
    whole = np.random.default_rng(0).uniform(100, 600, (2, 17, 2)).astype(np.float32)
    people = [track([0, 1], *who) for who in ((whole, 0), (eye, 4), (eye, 7))]
    with caplog.at_level(logging.WARNING):
        lifted = lifter(clip_of(*people, skeleton='coco-17'))
    assert set(lifted.track.tolist()) == {0}
    [record] = caplog.records
    assert record.getMessage().endswith(
        ': people 4, 7 left out, as no joint of h36m-17 is known'
    )
    with pytest.raises(ValueError, match='no keypoint can be converted from coco-17'):
        lifter(clip_of(people[1], skeleton='coco-17'))


@pytest.mark.parametrize('codec', CODECS)
def test_clips_are_lifted_as_dataset_and_model_do(codec, tmp_path):
    """Center frames of real motions with an unknown lens."""
    checkpoint = save_lifter(tmp_path / 'a.pth', num_keep_frames=1, codec=codec)
    lifter = Lifter(checkpoint=checkpoint, accuracy='fast')
    pipeline = [
        dict(type='ProjectToVirtualCamera', known_intrinsics=False),
        dict(type='GenerateTarget', encoder=dict(type=codec)),
        dict(type='PackPoseInputs', meta_keys=META_KEYS),
    ]
    settings = dict(seq_len=9, num_targets=1, stride=40, pipeline=pipeline)
    with DefaultScope.overwrite_default_scope('mmpose'):
        windows = dataset(camera_file='virtual_cameras.json', **settings)
    chosen = range(0, len(windows), 5)
    with torch.inference_mode():
        batch = pseudo_collate([windows[index] for index in chosen])
        predicted = lifter.network.model.test_step(batch)

    for index, sample in zip(chosen, predicted, strict=True):
        seen = windows.pipeline.transforms[0](windows.get_data_info(index))
        camera = seen['camera_param']
        clip = clip_of(track(range(9), seen['keypoints']))
        clip = replace(clip, width=camera['w'], height=camera['h'])
        lifted, pose = lifter(clip).keypoints_3d[4], sample.pred_instances.keypoints[0]
        np.testing.assert_allclose(lifted, pose, atol=1e-6)


def test_stride_is_the_argument_or_a_ninth_of_the_targets(tmp_path):
    checkpoint = save_lifter(tmp_path / 'a.pth', num_frames=27, num_keep_frames=9)
    assert Lifter(checkpoint=checkpoint).stride == 1
    assert Lifter(checkpoint=checkpoint, stride=3).stride == 3
    checkpoint = save_lifter(tmp_path / 'b.pth', fps=25.0, mapping='hot')
    lifter = Lifter(checkpoint=checkpoint)
    assert (lifter.fps, lifter.mapping) == (25.0, 'hot')


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('flip_test', [True, False])
def test_windows_are_lifted_as_the_model_predicts(codec, flip_test, tmp_path):
    checkpoint = save_lifter(tmp_path / 'a.pth', codec=codec)
    lifter = Lifter(checkpoint=checkpoint, flip_test=flip_test)
    windows = np.stack([wiggling(9, seed) for seed in range(4)])
    camera = dict(w=1280, h=720)
    with torch.inference_mode():
        lifted = lifter.predict(windows, camera)

    inputs, samples = [], []
    codec = KEYPOINT_CODECS.build(dict(type=codec))
    for window in windows:
        encoded = codec.encode(window, camera_param=camera)
        inputs.append(torch.from_numpy(encoded.pop('keypoint_labels')))
        sample = PoseDataSample(metainfo=dict(flip_indices=H36M.flip_indices))
        sample.set_metainfo({k: v for k, v in encoded.items() if k == 'framing'})
        samples.append(sample)
    lifter.network.model.test_cfg['flip_test'] = flip_test
    with torch.inference_mode():
        predicted = lifter.network.model.predict(torch.stack(inputs), samples)
    expected = np.stack([sample.pred_instances.keypoints for sample in predicted])
    np.testing.assert_allclose(lifted, expected, atol=1e-6)
