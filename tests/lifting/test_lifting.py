"""Whole clips: windows, gaps, frame rates, and the same numbers as the model's."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import mmpose
import numpy as np
import official_weights
import pytest
import torch
from lifters import lifter_config, random_state, save_lifter
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample
from mocap import dataset
from published import load_fixture

from mmhot.clips import Clip2D, Track2D
from mmhot.lifting import load_model
from mmhot.lifting.gaps import fill_joints, split_segments
from mmhot.lifting.lifter import Lifter
from mmhot.lifting.windows import lift_windows
from mmhot.skeletons.joints import get_skeleton
from mmhot.weights import index as model_index
from mmhot.weights.checkpoints import convert_file
from mmhot.windows import blend_weights

H36M = get_skeleton('h36m-17')
META_KEYS = ('id', 'camera_param', 'flip_indices', 'framing')
CODECS = ('CameraPoseLifting', 'PersonCenteredPoseLifting')


def standing(num_frames=1, speed=0.0):
    """A person (T, 17, 2) who walks to the right."""
    one = np.full((17, 2), np.nan, np.float32)
    one[H36M.index('root')] = 500, 300
    pose = fill_joints(one[None])[0]
    shift = np.arange(num_frames)[:, None, None] * np.array([speed, 0])
    return (pose + shift).astype(np.float32)


def track(frames, keypoints=None, number=0):
    frames = np.asarray(frames)
    if keypoints is None:
        keypoints = standing(len(frames), 3.0)
    scores = np.where(np.isfinite(keypoints).all(-1), np.float32(0.5), 0)
    return Track2D(number, frames, keypoints, scores)


def clip_of(*tracks, fps=50.0, skeleton='h36m-17'):
    return Clip2D('clip', skeleton, list(tracks), 1280, 720, fps, Path('clip.npz'))


def segments_of(track, max_gap=5):
    return split_segments(0, track.frames, track.keypoints, track.scores, max_gap)


def wiggling(num_frames, seed=0):
    """A person whose joints tremble, (T, 17, 2)."""
    noise = np.random.default_rng(seed).normal(0, 20, (num_frames, 17, 2))
    return (standing(num_frames, 2.0) + noise).astype(np.float32)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')


@pytest.fixture(scope='module')
def lifter(checkpoint):
    return Lifter(checkpoint=checkpoint)


# windows


@pytest.mark.parametrize('num_frames', [1, 2, 3, 8, 9, 10, 50])
@pytest.mark.parametrize(
    ('seq_len', 'num_targets', 'stride', 'causal'),
    [
        *[(9, 1, 1, False), (9, 3, 1, False), (9, 3, 3, False), (9, 9, 3, False)],
        *[(9, 9, 9, False), (8, 2, 2, False), (9, 1, 1, True), (9, 3, 2, True)],
    ],
)
def test_every_frame_is_predicted_once_its_windows_are_averaged(
    num_frames, seq_len, num_targets, stride, causal
):
    first = seq_len - num_targets if causal else (seq_len - num_targets) // 2
    clips = [np.arange(num_frames, dtype=np.float32)[:, None] + 0.5]

    def targets(windows):
        return windows[:, first : first + num_targets]

    lifted = lift_windows(targets, clips, seq_len, num_targets, stride, 4, causal)
    # float32 weights
    np.testing.assert_allclose(lifted[0], clips[0], rtol=1e-6)


def test_windows_see_the_past_only_if_causal():
    def latest(windows):
        return windows.max(1, keepdims=True)

    clip = np.arange(20, dtype=np.float32)
    (lifted,) = lift_windows(latest, [clip], 9, 1, 1, causal=True)
    np.testing.assert_array_equal(lifted, clip)
    (lifted,) = lift_windows(latest, [clip], 9, 1, 1)
    np.testing.assert_array_equal(lifted, np.minimum(clip + 4, 19))


def test_clips_that_share_batches_do_not_mix():
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(n, 2)).astype(np.float32) for n in (1, 30, 7, 2)]

    def predict(windows):
        return windows[:, 3:6] * windows.mean(1, keepdims=True)

    together = lift_windows(predict, clips, 9, 3, 2, batch_size=5)
    for clip, result in zip(clips, together, strict=True):
        alone = lift_windows(predict, [clip], 9, 3, 2, batch_size=1)[0]
        np.testing.assert_array_equal(alone, result)


def test_seams_of_chunks_fade():
    clips = [np.zeros(81, np.float32)]
    count = 0

    def alternating(windows):
        nonlocal count
        values = (count + np.arange(len(windows))) % 2
        count += len(windows)
        return np.repeat(values[:, None], 27, 1).astype(np.float32)

    hard = lift_windows(alternating, clips, 27, 27, 27)[0]
    count = 0
    soft = lift_windows(alternating, clips, 27, 27, 9)[0]
    assert np.abs(np.diff(hard)).max() == 1
    assert np.abs(np.diff(soft)).max() < 0.15


def test_blend_weights_are_positive_and_symmetric():
    for count in (1, 2, 9):
        weights = blend_weights(count)
        assert (weights > 0).all()
        np.testing.assert_array_equal(weights, weights[::-1])


@pytest.mark.parametrize('stride', [0, 4])
def test_strides_that_leave_frames_out_are_refused(stride):
    with pytest.raises(ValueError, match=rf'stride \({stride}\) must be from 1 to'):
        lift_windows(lambda w: w, [np.zeros(5)], 3, 3, stride)


def test_progress_grows_to_the_number_of_frames():
    done = []
    clips = [np.zeros(20, np.float32), np.zeros(3, np.float32)]
    lift_windows(lambda w: w[:, 4:5], clips, 9, 1, 1, 4, progress=done.append)
    assert done == sorted(done)
    assert done[-1] == 23


# gaps


def test_complete_tracks_stay_as_they_are():
    given = track(range(7, 17))
    (segment,) = segments_of(given)
    np.testing.assert_array_equal(segment.frames, given.frames)
    np.testing.assert_array_equal(segment.keypoints, given.keypoints)
    np.testing.assert_array_equal(segment.scores, given.scores)


def test_short_gaps_are_filled_and_marked():
    keypoints = standing(20, 3.0)
    frames = np.r_[100:105, 110:120]
    (segment,) = segments_of(track(frames, keypoints[frames - 100]), max_gap=5)
    np.testing.assert_array_equal(segment.frames, np.arange(100, 120))
    np.testing.assert_allclose(segment.keypoints, keypoints, rtol=1e-6)
    expected = np.where(np.isin(segment.frames, frames), 0.5, 0)
    np.testing.assert_array_equal(segment.scores, expected[:, None].repeat(17, 1))


def test_long_gaps_split_a_track():
    segments = segments_of(track([3, 4, 11, 2_000_000]), max_gap=5)
    assert [s.frames.tolist() for s in segments] == [[3, 4], [11], [2_000_000]]


@pytest.mark.parametrize(
    'seen',
    [[0], [29], [14], [10, 11], [0, 29], [2, 12, 27], [5, 6, 20]],
    ids=str,
)
@pytest.mark.parametrize('max_gap', [0, 5, 100])
def test_rows_without_any_joint_are_kept(seen, max_gap):
    keypoints = standing(30, 3.0)
    keypoints[np.setdiff1d(np.arange(30), seen)] = np.nan
    segments = segments_of(track(range(30), keypoints), max_gap)
    frames = np.concatenate([s.frames for s in segments])
    np.testing.assert_array_equal(frames, np.arange(30))
    filled = np.concatenate([s.keypoints for s in segments])
    np.testing.assert_array_equal(filled[seen], keypoints[seen])
    scores = np.concatenate([s.scores for s in segments])
    assert set(np.flatnonzero(scores.any(1))) == set(seen)
    if max_gap == 100:
        steps = np.diff(filled[:, 0, 0])
        assert steps.min() >= 0
        assert steps.max() < 3.001


def test_empty_rows_take_the_nearest_pose_where_nothing_was_seen_for_long():
    keypoints = standing(31, 3.0)
    keypoints[1:30] = np.nan
    segments = segments_of(track(range(31), keypoints))
    assert [len(s.frames) for s in segments] == [16, 15]
    np.testing.assert_array_equal(segments[0].keypoints, keypoints[:1].repeat(16, 0))
    np.testing.assert_array_equal(segments[1].keypoints, keypoints[30:].repeat(15, 0))


def test_empty_rows_between_long_gaps_are_kept_without_filling_the_gaps():
    keypoints = standing(4, 3.0)
    keypoints[1:3] = np.nan
    segments = segments_of(track([0, 500, 502, 1000], keypoints))
    frames = [s.frames.tolist() for s in segments]
    assert sum(frames, []) == [0, 500, 501, 502, 1000]
    assert all(np.isfinite(s.keypoints).all() for s in segments)


def test_tracks_without_any_joint_give_nothing():
    assert segments_of(track(range(4), np.full((4, 17, 2), np.nan, np.float32))) == []


def test_single_frame_and_single_joint_become_a_standing_person():
    keypoints = np.full((1, 17, 2), np.nan, np.float32)
    keypoints[0, H36M.index('left_wrist')] = 300, 200
    (segment,) = segments_of(track([9], keypoints))
    pose = dict(zip(H36M.joints, segment.keypoints[0], strict=True))
    assert pose['left_wrist'].tolist() == [300, 200]
    heights = [pose[j][1] for j in ('head', 'thorax', 'root', 'left_knee', 'left_foot')]
    assert heights == sorted(heights)
    for joint in ('hip', 'shoulder', 'wrist', 'foot'):
        assert pose[f'left_{joint}'][0] > pose[f'right_{joint}'][0]
    assert np.count_nonzero(segment.scores) == 1


def test_joints_never_seen_fit_the_size_of_those_that_are():
    keypoints = standing(3, 5.0) * 2
    hidden = keypoints.copy()
    legs = H36M.indices(['left_knee', 'right_knee', 'left_foot', 'right_foot'])
    hidden[:, legs] = np.nan
    np.testing.assert_allclose(fill_joints(hidden), keypoints, rtol=1e-5)


def test_hidden_hands_move_with_the_body():
    keypoints = standing(30)
    keypoints[..., 0] += 100 * np.sin(np.arange(30))[:, None]
    hidden = keypoints.copy()
    hidden[5:25, H36M.index('left_wrist')] = np.nan
    filled = fill_joints(hidden)
    np.testing.assert_allclose(filled, keypoints, rtol=1e-5)
    seen = np.isfinite(hidden)
    np.testing.assert_array_equal(filled[seen], hidden[seen])


# clips


@pytest.mark.parametrize('fps', [24, 25, 30000 / 1001, 30, 50, 60, 120, 1000, 1])
@pytest.mark.parametrize('num_frames', [1, 2, 3, 40])
def test_every_frame_of_every_rate_is_lifted(lifter, fps, num_frames):
    lifted = lifter(clip_of(track(range(5, 5 + num_frames)), fps=float(fps)))
    np.testing.assert_array_equal(lifted.frame, np.arange(5, 5 + num_frames))
    assert np.isfinite(lifted.keypoints_3d).all()
    assert lifted.fps == fps


@pytest.mark.parametrize('fps', [24, 25, 30000 / 1001, 30, 50, 60, 120, 1000, 1])
@pytest.mark.parametrize('num_frames', [1, 2, 3, 40])
def test_rates_there_and_back_keep_even_movement(lifter, fps, num_frames):
    given = standing(num_frames, 3.0)
    windows = lifter.to_model_rate(given, np.arange(len(given)) / fps)
    seconds = (num_frames - 1) / fps
    assert abs((len(windows) - 1) / 50 - seconds) < 1 / 50
    back = lifter.from_model_rate(windows, np.arange(num_frames) / fps)
    np.testing.assert_allclose(back, given, rtol=1e-6)


def test_the_models_own_rate_is_not_touched(lifter):
    given, times = wiggling(33), np.arange(7, 40) / 50
    windows = lifter.to_model_rate(given, times)
    np.testing.assert_array_equal(windows, given)
    np.testing.assert_array_equal(lifter.from_model_rate(given, times), given)


def test_frames_of_a_varying_rate_are_lifted_at_their_times(lifter):
    even = standing(41, 3.0)
    kept = np.unique(np.r_[0, np.random.default_rng(0).choice(40, 20), 40])
    clip = clip_of(track(range(len(kept)), even[kept]), fps=25.0)
    lifted = lifter(replace(clip, times=kept / 25)).keypoints_3d
    whole = lifter(clip_of(track(range(41), even), fps=25.0)).keypoints_3d
    np.testing.assert_allclose(lifted, whole[kept], atol=1e-5)
    assert np.abs(lifter(clip).keypoints_3d - whole[kept]).max() > 1e-4


def test_model_sees_windows_of_its_own_rate(lifter):
    filmed = wiggling(31)
    at_50 = lifter.to_model_rate(filmed, np.arange(len(filmed)) / 25)
    lifted = lifter(clip_of(track(range(31), filmed), fps=25.0)).keypoints_3d
    expected = lifter(clip_of(track(range(61), at_50), fps=50.0)).keypoints_3d[::2]
    np.testing.assert_allclose(lifted, expected, atol=1e-6)
    unaware = lifter(clip_of(track(range(31), filmed), fps=50.0)).keypoints_3d
    assert np.abs(unaware - expected).max() > 1e-3


def test_rows_of_all_people_are_sorted(lifter):
    people = [
        track(range(4, 9), wiggling(5, 1), number=7),
        track([2, 3, 90], wiggling(3, 2), number=3),
        track([6], wiggling(1, 3), number=12),
    ]
    lifted = lifter(clip_of(*people))
    rows = list(zip(lifted.frame.tolist(), lifted.track.tolist(), strict=True))
    wanted = [(f, t.track) for t in people for f in t.frames.tolist()]
    assert rows == sorted(wanted)
    for person in people:
        own = lifted.keypoints_2d[lifted.track == person.track]
        np.testing.assert_array_equal(own, person.keypoints)


def test_results_do_not_depend_on_batches_and_company(checkpoint, lifter):
    people = [track(range(n), wiggling(n, n), number=n) for n in (1, 40, 13)]
    together = lifter(clip_of(*people))
    small = Lifter(checkpoint=checkpoint, batch_size=3)
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


def test_boxes_may_be_unknown(lifter):
    person = track(range(3))
    person.bboxes = np.full((3, 4), np.nan, np.float32)
    assert len(lifter(clip_of(person))) == 3


def test_root_is_the_origin(lifter):
    assert not lifter(clip_of(track(range(3)))).keypoints_3d[:, 0].any()


def test_people_without_a_joint_of_h36m_are_left_out_with_a_warning(lifter, caplog):
    eye = np.full((2, 17, 2), np.nan, np.float32)
    eye[:, get_skeleton('coco-17').index('left_eye')] = 100
    whole = np.random.default_rng(0).uniform(100, 600, (2, 17, 2)).astype(np.float32)
    people = [track([0, 1], whole, 0), track([0, 1], eye, 4)]
    with caplog.at_level(logging.WARNING):
        lifted = lifter(clip_of(*people, skeleton='coco-17'))
    assert set(lifted.track.tolist()) == {0}
    assert 'clip: track 4 has no joint of Human3.6M' in caplog.text
    with pytest.raises(ValueError, match='no keypoint can be converted from coco-17'):
        lifter(clip_of(people[1], skeleton='coco-17'))


@pytest.mark.parametrize('max_gap', [-1, np.nan])
def test_wrong_gaps_are_refused(lifter, max_gap):
    with pytest.raises(ValueError, match='max_gap must be at least 0'):
        lifter(clip_of(track([0])), max_gap=max_gap)


def test_gaps_are_seconds(lifter):
    person = track([0, 26])
    assert len(lifter(clip_of(person, fps=25.0))) == 27
    assert len(lifter(clip_of(person, fps=24.0))) == 2
    assert len(lifter(clip_of(person, fps=24.0), max_gap=2)) == 27


def test_progress_counts_the_clips_own_frames(lifter):
    seen = []
    people = [track(range(60), number=0), track(range(7), number=1)]
    lifter(clip_of(*people, fps=25.0), progress=lambda *counts: seen.append(counts))
    assert seen == sorted(seen)
    assert seen[-1] == (67, 67)


# the same numbers as the model's


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('flip_test', [True, False])
def test_windows_are_lifted_as_the_model_predicts(codec, flip_test, tmp_path):
    lifter = Lifter(
        checkpoint=save_lifter(tmp_path / 'a.pth', codec=codec), flip_test=flip_test
    )
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
    lifter.model.test_cfg['flip_test'] = flip_test
    with torch.inference_mode():
        predicted = lifter.model.predict(torch.stack(inputs), samples)
    expected = np.stack([sample.pred_instances.keypoints for sample in predicted])
    np.testing.assert_allclose(lifted, expected, atol=1e-6)


@pytest.mark.parametrize('codec', CODECS)
def test_clips_are_lifted_as_dataset_and_model_do(codec, tmp_path):
    """The center frame of real motions seen by a camera whose lens nobody knows."""
    checkpoint = save_lifter(tmp_path / 'a.pth', num_keep_frames=1, codec=codec)
    lifter = Lifter(checkpoint=checkpoint)
    pipeline = [
        dict(type='ProjectToVirtualCamera', known_intrinsics=False),
        dict(type='GenerateTarget', encoder=dict(type=codec)),
        dict(type='PackPoseInputs', meta_keys=META_KEYS),
    ]
    with DefaultScope.overwrite_default_scope('mmpose'):
        windows = dataset(
            seq_len=9,
            num_targets=1,
            stride=40,
            camera_file='virtual_cameras.json',
            pipeline=pipeline,
        )
    chosen = range(0, len(windows), 5)
    with torch.inference_mode():
        batch = pseudo_collate([windows[index] for index in chosen])
        predicted = lifter.model.test_step(batch)

    for index, sample in zip(chosen, predicted, strict=True):
        seen = windows.pipeline.transforms[0](windows.get_data_info(index))
        camera = seen['camera_param']
        clip = Clip2D(
            'clip',
            'h36m-17',
            [track(range(9), seen['keypoints'])],
            camera['w'],
            camera['h'],
            50.0,
            Path('clip.npz'),
        )
        lifted = lifter(clip).keypoints_3d[4]
        np.testing.assert_allclose(
            lifted, sample.pred_instances.keypoints[0], atol=1e-6
        )


# loading


def test_strides_come_from_the_config_or_let_nine_windows_see_each_frame(tmp_path):
    checkpoint = save_lifter(tmp_path / 'a.pth', num_frames=27, num_keep_frames=9)
    assert Lifter(checkpoint=checkpoint).stride == 1
    assert Lifter(checkpoint=checkpoint, stride=3).stride == 3
    checkpoint = save_lifter(tmp_path / 'b.pth', stride=2, fps=25.0, mapping='hot')
    lifter = Lifter(checkpoint=checkpoint)
    assert (lifter.stride, lifter.fps, lifter.mapping) == (2, 25.0, 'hot')
    with pytest.raises(ValueError, match=r'stride \(0\) must be from 1'):
        Lifter(checkpoint=checkpoint, stride=0)(clip_of(track([0])))


@pytest.mark.parametrize('stride', [1, 3, 9])
def test_whole_window_models_lift_every_frame(stride, tmp_path):
    checkpoint = save_lifter(tmp_path / 'a.pth', num_keep_frames=9)
    lifter = Lifter(checkpoint=checkpoint, stride=stride)
    lifted = lifter(clip_of(track(range(31), wiggling(31))))
    assert np.isfinite(lifted.keypoints_3d).all()
    assert len(lifted) == 31


@pytest.mark.parametrize('causal', [True, False])
def test_causal_models_do_not_see_the_future(causal, tmp_path):
    checkpoint = save_lifter(tmp_path / 'a.pth', causal=causal, stride=3)
    lifter = Lifter(checkpoint=checkpoint)
    other = wiggling(30)
    other[20:] += 50
    lifted, changed = (
        lifter(clip_of(track(range(30), keypoints))).keypoints_3d
        for keypoints in (wiggling(30), other)
    )
    # windows predict three frames; those up to frame 17 end before frame 20
    assert np.array_equal(lifted[:18], changed[:18]) == causal


def test_config_and_checkpoint_are_named_in_the_result(tmp_path):
    checkpoint = save_lifter(tmp_path / 'best.pth')
    config = tmp_path / 'tiny.py'
    config.write_text(lifter_config().pretty_text)
    clip = clip_of(track([0]))
    assert Lifter(checkpoint=checkpoint)(clip).model == 'best'
    assert Lifter(config, checkpoint)(clip).model == 'tiny (best.pth)'


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Two lifters in the place of what is shipped."""
    folder = tmp_path / 'weights'
    folder.mkdir()
    monkeypatch.setattr(model_index, 'WEIGHTS_FOLDER', folder)
    save_lifter(folder / 'tiny-a.pth')
    save_lifter(folder / 'tiny-b.pth', num_frames=27)
    monkeypatch.setattr(load_model, 'DEFAULT_LIFTER', 'tiny-b')
    return folder


def test_shipped_lifters_go_by_name(shipped):
    assert Lifter().name == 'tiny-b'
    assert Lifter('tiny-a').name == 'tiny-a'
    assert Lifter('mmhot://tiny-a').seq_len == 9
    assert Lifter(checkpoint='mmhot://tiny-b').seq_len == 27


def test_shipped_lifters_take_other_weights(shipped, tmp_path):
    other = save_lifter(tmp_path / 'other.pth')
    assert Lifter('tiny-a', other).name == 'tiny-a (other.pth)'
    with pytest.raises(ValueError, match=f'^{other} is a checkpoint of another model'):
        Lifter('tiny-b', other)


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('tinya', 'did you mean tiny-a?'),
        ('mmhot://tinyb', 'did you mean tiny-b?'),
        ('xyz', 'shipped: tiny-a, tiny-b'),
    ],
)
def test_unknown_lifters_get_a_hint(name, hint, shipped):
    with pytest.raises(ValueError, match=re.escape(hint)):
        Lifter(name)


@pytest.mark.parametrize(
    ('cfg', 'said'),
    [
        ('import os', 'is not run'),
        ('model = dict(type="SequencePoseLifter", **x)', 'is not run'),
        ('model = {[1]: 2}', 'and is not run'),
        ('filename = 1', 'filename is reserved'),
        ('model = [1]', 'is no config of a lifter'),
        ('optim = 3', 'is no config of a lifter'),
        (None, 'does not say what model it is for'),
    ],
)
def test_configs_within_checkpoints_cannot_do_harm(cfg, said, tmp_path):
    path = tmp_path / 'bad.pth'
    torch.save(dict(meta=dict(cfg=cfg), state_dict={}), path)
    with pytest.raises(ValueError, match=said) as caught:
        Lifter(checkpoint=path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize('name', ['os.system', 'mmengine.utils.mkdir_or_exist', 'this'])
def test_configs_within_checkpoints_build_registered_classes_only(name, tmp_path):
    config = lifter_config()
    config.model.backbone = dict(type=name, command=f'touch {tmp_path}/harm')
    path = tmp_path / 'bad.pth'
    torch.save(dict(meta=dict(cfg=config.pretty_text), state_dict={}), path)
    with pytest.raises(ValueError, match=f"names '{name}', which is nothing"):
        Lifter(checkpoint=path)
    assert not (tmp_path / 'harm').exists()


def test_lifters_of_other_kinds_get_one_line(tmp_path):
    folder = Path(mmpose.__file__).parent / '.mim/configs/body_3d_keypoint'
    config = next(folder.rglob('video-pose-lift_tcn-27frm-supv_*.py'))
    weights = save_lifter(tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='num_keep_frames, and TCN has not'):
        Lifter(config, weights)
    other = lifter_config(codec='VideoPoseLifting')
    other.model.head.decoder.num_keypoints = 17
    (tmp_path / 'other.py').write_text(other.pretty_text)
    with pytest.raises(ValueError, match='keypoints, not VideoPoseLifting'):
        Lifter(tmp_path / 'other.py', weights)


def changed(state, how):
    name = next(iter(state))
    if how == 'text':
        return dict(state, **{name: 'text'})
    if how == 'missing':
        return {key: value for key, value in state.items() if key != name}
    if how == 'unknown':
        return dict(state, more=torch.zeros(1))
    if how == 'shape':
        return dict(state, **{name: torch.zeros(1, 1)})
    return dict(state, **{name: torch.full_like(state[name], torch.nan)})


@pytest.mark.parametrize(
    ('how', 'said'),
    [
        ('text', 'another model: .* is str instead of'),
        ('missing', 'another model: .* is missing'),
        ('unknown', 'another model: more is not known'),
        ('shape', r'another model: .* is \(1, 1\) instead of'),
        ('nan', 'is damaged: .* is not finite'),
    ],
)
def test_wrong_weights_are_named(how, said, tmp_path):
    path = save_lifter(tmp_path / 'a.pth')
    content = torch.load(path)
    content['state_dict'] = changed(content['state_dict'], how)
    torch.save(content, path)
    with pytest.raises(ValueError, match=f'^{path} is .*{said}|^{path} {said}'):
        Lifter(checkpoint=path)


def test_bare_state_dicts_load_into_a_config(tmp_path):
    (tmp_path / 'tiny.py').write_text(lifter_config().pretty_text)
    torch.save(random_state(lifter_config()), tmp_path / 'bare.pth')
    assert Lifter(tmp_path / 'tiny.py', tmp_path / 'bare.pth').seq_len == 9


def test_converted_published_checkpoints_lift_clips(tmp_path):
    meta, _ = load_fixture('nanohtnet_81f_9k')
    torch.save(official_weights.state_dict(meta), tmp_path / 'published.pth')
    convert_file(tmp_path / 'published.pth', tmp_path / 'ours.pth', **meta['config'])
    lifter = Lifter(checkpoint=tmp_path / 'ours.pth')
    settings = (lifter.fps, lifter.mapping, lifter.seq_len, lifter.stride)
    assert settings == (50.0, 'hot', 81, 1)
    assert len(lifter(clip_of(track(range(5))))) == 5


def test_models_behind_mmposes_own_estimator_are_lifted_alike(lifter, checkpoint):
    config = lifter_config()
    config.model.type = 'PoseLifter'
    path = checkpoint.with_suffix('.py')
    path.write_text(config.pretty_text)
    clip = clip_of(track(range(12)))
    other = Lifter(path, checkpoint)(clip)
    np.testing.assert_array_equal(other.keypoints_3d, lifter(clip).keypoints_3d)


def test_half_precision_weights_are_computed_in_single(tmp_path):
    path = save_lifter(tmp_path / 'a.pth')
    content = torch.load(path)
    content['state_dict'] = {k: v.half() for k, v in content['state_dict'].items()}
    torch.save(content, path)
    parameters = Lifter(checkpoint=path).model.parameters()
    assert {p.dtype for p in parameters} == {torch.float32}
