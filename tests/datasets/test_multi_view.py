# ruff: noqa: NPY002 - transforms draw from the global generator
"""MultiViewDataset: views of one moment, and their mirror images."""

import mocap
import numpy as np
from mmpose.registry import DATASETS
from torch.testing import assert_close

from mmhot.datasets.mocap_dataset import MocapDataset
from mmhot.geometry.keypoint_arrays import mirror_poses

PACK = [
    dict(type='mmpose.GenerateTarget', encoder=dict(type='CameraPoseLifting')),
    dict(type='mmpose.PackPoseInputs'),
]


def wrapped(project='ProjectToVirtualCamera', **settings):
    pipeline = [dict(type=f'mmpose.{project}'), *PACK]
    return dict(
        type='MocapDataset',
        **mocap.FILES,
        seq_len=27,
        num_targets=1,
        stride=20,
        pipeline=pipeline,
        **settings,
    )


def views(mirror_prob=0.0, **settings):
    dataset = dict(type='MultiViewDataset', mirror_prob=mirror_prob, **settings)
    dataset.setdefault('dataset', wrapped(camera_file='virtual_cameras.json'))
    return DATASETS.build(dataset)


def test_views_of_cameras_are_windows_of_the_same_frames():
    dataset = views()
    single = dataset.dataset
    assert len(single.clips) == 8
    assert len(dataset) == len(single) / 4
    sample = dataset[3]
    assert sample['inputs'].shape == (4, 27, 17, 2)
    meta = sample['data_samples'].metainfo
    assert sorted(meta['cameras']) == [0, 1, 2, 3]
    for view, camera in zip(sample['inputs'], meta['cameras'], strict=True):
        infos = (single.get_data_info(i) for i in range(len(single)))
        (own,) = (
            info['id']
            for info in infos
            if info['frame'] == meta['frame']
            and info['subject'] == meta['subject']
            and info['camera_param']['name'] == mocap.CAMERAS[camera]['name']
        )
        assert_close(view, single[own]['inputs'])


def test_drawn_cameras_differ_and_performances_are_numbered():
    dataset = views(dataset=wrapped('ProjectToRandomCamera'), num_views=3)
    first, last = dataset[0], dataset[len(dataset) - 1]
    assert first['inputs'].shape == (3, 27, 17, 2)
    assert (first['inputs'][0] - first['inputs'][1]).abs().max() > 0.02
    assert first['data_samples'].performance != last['data_samples'].performance


def test_a_mirrored_moment_has_all_views_mirrored_and_another_performance():
    kept, mirrored = views(), views(mirror_prob=1.0)
    plain = kept[0]
    np.random.seed(0)
    flipped = mirrored[0]
    expected = mirror_poses(plain['inputs'], kept.metainfo['flip_indices'])
    assert_close(flipped['inputs'], expected)
    performance = plain['data_samples'].performance
    assert flipped['data_samples'].performance == performance + 1


def test_views_of_a_test_keep_their_order_and_are_not_augmented():
    cameras = wrapped(camera_file='virtual_cameras.json', test_mode=True)
    dataset = views(dataset=cameras, mirror_prob=1.0)
    first, again = dataset[2], dataset[2]
    assert_close(first['inputs'], again['inputs'])
    assert first['data_samples'].cameras == [0, 1, 2, 3]
    assert first['data_samples'].performance == 0


def test_each_view_has_its_own_frame_rate():
    rate = dict(type='mmpose.RandomFrameRate', fps=(12.5, 12.5))
    cameras = wrapped(camera_file='virtual_cameras.json', test_mode=True)
    plain = views(dataset=cameras)[3]['inputs']
    cameras['pipeline'].insert(1, rate)
    np.random.seed(0)
    resampled = views(dataset=cameras)[3]['inputs']
    # straight lines between one frame of four, which differ from view to view
    straight = (resampled[:, 2:] - 2 * resampled[:, 1:-1] + resampled[:, :-2]).abs()
    bends = straight.amax((2, 3)) > 1e-4
    assert bends.sum(1).max() < 0.7 * bends.shape[1]
    assert len(bends.unique(dim=0)) > 1
    assert (resampled - plain).abs().max() < 0.2


def test_moments_that_too_few_cameras_see_are_left_out(monkeypatch):
    load = MocapDataset.load_clips
    monkeypatch.setattr(MocapDataset, 'load_clips', lambda self: load(self)[:-1])
    dataset, fewer = views(), views(num_views=3)
    kick = {dataset[i]['data_samples'].subject for i in range(len(dataset))}
    assert kick == {'S02'}
    assert len(fewer) > len(dataset)
