"""Datasets of clips: windows, motion capture files and samplers."""

import json
import re
from collections import Counter

import mocap
import numpy as np
import pytest

import mmhot.datasets.data_loading as data_loading
from mmhot.datasets.data_loading import SubjectBalancedSampler
from mmhot.datasets.mocap_dataset import read_mocap_clips
from mmhot.geometry.windows import window_starts


@pytest.mark.parametrize('num_targets', [1, 2, 3, 9])
@pytest.mark.parametrize('stride', [1, 2, 3, 5, 9])
def test_windows_reach_every_frame_and_none_is_outside(num_targets, stride):
    for num_frames in range(1, 40):
        starts = window_starts(num_frames, num_targets, stride)
        targets = starts[:, None] + np.arange(num_targets)
        inside = (targets >= 0) & (targets < num_frames)
        assert inside.any(1).all()
        reached = np.unique(targets[inside])
        if stride <= num_targets:
            assert len(reached) == num_frames
        before, after = reached[0], num_frames - 1 - reached[-1]
        assert max(before, after) < stride
        assert np.all(np.diff(starts) == stride)
        overhang = -targets[0, 0], targets[-1, -1] - (num_frames - 1)
        assert abs(overhang[1] - overhang[0]) <= 1


def counting_clips(tmp_path, lengths, **settings):
    """Clips whose values are the frame numbers."""
    clips = {
        key: np.arange(length)[:, None, None] * np.ones((1, 17, 3))
        for key, length in lengths.items()
    }
    np.savez(tmp_path / 'clips.npz', **clips)
    return mocap.dataset(ann_file='clips.npz', data_root=str(tmp_path), **settings)


def test_every_frame_is_the_center_of_a_centered_window(tmp_path):
    settings = dict(seq_len=5, num_targets=5, centered=True)
    data = counting_clips(tmp_path, {'a/x': 4, 'b/y': 6}, **settings)
    windows = [data.get_data_info(i)['joints_world'][:, 0, 0] for i in range(len(data))]
    assert [window[2] for window in windows] == [0, 1, 2, 3, 0, 1, 2, 3, 4, 5]
    assert windows[0].tolist() == [0, 0, 0, 1, 2]
    assert windows[9].tolist() == [3, 4, 5, 5, 5]
    assert len(counting_clips(tmp_path, {'a/x': 4}, stride=3, **settings)) == 2


def test_targets_match_their_frame_numbers(tmp_path):
    settings = dict(seq_len=9, num_targets=3, stride=2)
    data = counting_clips(tmp_path, {'a/x': 30}, **settings)
    for index in range(len(data)):
        sample = data.get_data_info(index)
        frames = sample['joints_world'][sample['target_frames'], 0, 0]
        visible = sample['lifting_target_visible'][:, 0] > 0
        assert len(frames) == 3
        assert np.all(np.diff(frames[visible]) == 1)
        assert frames[1] == sample['frame']
        numbers = sample['target_frame_numbers']
        assert (numbers[visible] == frames[visible]).all()
        assert np.all(np.diff(numbers) == 1)
        inside = (numbers >= 0) & (numbers < sample['clip_length'])
        np.testing.assert_array_equal(inside, visible)
        np.testing.assert_array_equal(
            sample['frame_numbers'], sample['joints_world'][:, 0, 0]
        )


def test_indices_select_windows(tmp_path):
    lengths = {'a/x': 4, 'b/y': 6}
    few = counting_clips(tmp_path, lengths, seq_len=3, num_targets=1, indices=5)
    assert few.subject_of_window.tolist() == ['a', 'a', 'a', 'a', 'b']
    chosen = counting_clips(tmp_path, lengths, seq_len=3, num_targets=1, indices=[9, 0])
    assert [chosen.get_data_info(index)['frame'] for index in (0, 1)] == [5, 0]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(num_targets=28), r'num_targets \(28\) must be from 1 to seq_len \(27\)'),
        (dict(num_targets=0), 'must be from 1'),
        (dict(num_targets=2), 'and both odd or both even'),
        *(({x: 0}, f'{x} must be') for x in ('stride', 'times', 'downsample')),
        *(
            (
                dict(split_file='cmu_split.json', split=x),
                "some of .*'train', 'unlisted'",
            )
            for x in (None, 'test', ['val', 'test'])
        ),
    ],
)
def test_inconsistent_lengths_and_unknown_splits_are_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        mocap.dataset(**settings)


def test_splits_and_subjects_select_clips(tmp_path):
    split = dict(split_file='cmu_split.json')
    assert set(mocap.dataset(**split, split='train').subject_of_window) == {'S11'}
    assert set(mocap.dataset(**split, split='val').subject_of_window) == {'S02'}
    both = mocap.dataset(**split, split=['train', 'val'])
    assert set(both.subject_of_window) == {'S02', 'S11'}
    assert set(mocap.dataset(skip_subjects=['S02']).subject_of_window) == {'S11'}
    assert set(mocap.dataset(subjects=['S11']).subject_of_window) == {'S11'}
    (tmp_path / 'split.json').write_text(json.dumps({'a': ['a/x'], 'none': []}))
    rest = counting_clips(
        tmp_path, {'a/x': 40, 'b/y': 40}, split_file='split.json', split='unlisted'
    )
    assert set(rest.subject_of_window) == {'b'}


def test_every_camera_and_source_sees_every_clip():
    data = mocap.dataset(
        camera_file='virtual_cameras.json', sources=['gt', 'noisy'], stride=27
    )
    samples = [data.get_data_info(index) for index in range(len(data))]
    seen = Counter((sample['clip'], sample['dataset_name']) for sample in samples)
    assert len(seen) == 2 * 4 * 2
    assert len(set(seen.values())) == 1
    camera = samples[0]['camera_param']
    assert camera['R'].shape == (3, 3)
    assert camera['T'].shape == (3,)
    assert (camera['w'], camera['h']) == (1000, 1000)


@pytest.mark.parametrize('key', ['ann_file', 'split_file', 'camera_file'])
def test_missing_files_are_named(key):
    with pytest.raises(FileNotFoundError, match='none.x does not exist; see .*data.md'):
        mocap.dataset(**{key: 'none.x'}, split='val')


class SubjectWindows:
    """Stand-in for a dataset with one window per frame of each subject."""

    def __init__(self, **sizes):
        self.subject_of_window = np.repeat(list(sizes), list(sizes.values()))
        self.frames_of_subject = sizes


def test_subjects_get_even_shares_and_small_ones_less(monkeypatch):
    monkeypatch.setattr(SubjectBalancedSampler, 'full_share_frames', 1000)
    data = SubjectWindows(much=20000, many=5000, some=400)
    sampler = SubjectBalancedSampler(data, 6000, seed=0)
    indices = list(sampler)
    counts = Counter(data.subject_of_window[indices])
    # shares 1 : 1 : 0.4 of 6000; a multinomial's standard deviation is below 40
    assert abs(counts['much'] - 2500) < 160
    assert abs(counts['many'] - 2500) < 160
    assert abs(counts['some'] - 1000) < 120
    assert len(indices) == len(sampler) == 6000


def test_subjects_of_short_clips_have_shares_of_their_frames(tmp_path):
    """Ten clips of nine frames have 10 windows of 9, one of ninety has 82."""
    clips = {'long/x': 90} | {f'short/{number}': 9 for number in range(10)}
    data = counting_clips(tmp_path, clips, seq_len=9, num_targets=9)
    assert Counter(data.subject_of_window) == dict(long=82, short=10)
    assert data.frames_of_subject == dict(long=90, short=90)
    sampler = SubjectBalancedSampler(data, 1000, seed=0)
    counts = Counter(data.subject_of_window[list(sampler)])
    assert abs(counts['short'] - 500) < 65


def test_ranks_share_an_epoch_without_overlap(monkeypatch):
    data = SubjectWindows(a=300, b=300)
    alone = list(SubjectBalancedSampler(data, 102, seed=5))
    parts = []
    for rank in range(4):
        monkeypatch.setattr(data_loading, 'get_dist_info', lambda rank=rank: (rank, 4))
        sampler = SubjectBalancedSampler(data, 102, seed=5)
        parts.append(list(sampler))
        assert len(parts[-1]) == len(sampler) == 26
    together = [index for indices in zip(*parts, strict=True) for index in indices]
    assert len(set(together)) == 104
    assert len(alone) == 102


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(walk=np.zeros((9, 17, 2))), 'walk must be (T, 17, 3), got (9, 17, 2)'),
        (dict(walk=np.zeros((0, 17, 3))), 'walk must be (T, 17, 3), got (0, 17, 3)'),
        (dict(walk=np.full((2, 17, 3), np.nan)), 'walk: frame 0 has NaN'),
        (b'text', 'cannot be read'),
    ],
)
def test_clips_that_cannot_be_read_are_named(tmp_path, content, message):
    path = tmp_path / 'clips.npz'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_mocap_clips(path)
    assert str(path) in str(error.value)
    with pytest.raises(FileNotFoundError, match=r'none\.npz does not exist'):
        read_mocap_clips(tmp_path / 'none.npz')
