"""Human3.6M in files as MMPose prepares them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from h36m_files import write_files
from lifters import NUM_FRAMES, batch_of
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.datasets.datasets import Human36mDataset as MMPoseHuman36m
from mmpose.registry import MODELS

from mmhot.datasets.human36m_dataset import Human36mClipDataset


@torch.no_grad()
def test_views_are_the_cameras_of_the_files(tmp_path, pytestconfig):
    write_files(tmp_path, cameras=('54138969', '55011271', '60457274'))
    (path,) = pytestconfig.rootpath.glob('configs/*/poseclr/h36m/poseclr_*.py')
    config = Config.fromfile(path)
    tiny = dict(num_frames=NUM_FRAMES, num_keep_frames=3, embed_dims=48, depth=1)
    config.model.backbone.update(tiny)
    config.model.projector.num_frames = 3
    dataset = config.train_dataloader.dataset.dataset
    dataset.update(data_root=str(tmp_path), seq_len=NUM_FRAMES, stride=5, num_targets=3)
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(config.model)
        dataset, batch = batch_of(config, 'train', model)
        # targets of 3 frames, 5 apart, in 21 and 12
        assert len(dataset) == 4 + 2
        assert batch['inputs'][0].shape == (3, NUM_FRAMES, 17, 2)
        assert sorted(batch['data_samples'][0].cameras) == [0, 1, 2]
        assert torch.isfinite(model(**batch, mode='loss')['loss'])


FILES = dict(
    ann_file='annotation_body3d/fps50/h36m_test.npz',
    keypoint_2d_det_file='joint_2d_det_files/cpn_ft_h36m_dbb_test.npy',
    camera_param_file='annotation_body3d/cameras.pkl',
)


def mmpose_dataset(folder, **settings):
    """MMPose's dataset of the same files."""
    settings |= dict(keypoint_2d_src='detection', test_mode=True)
    return MMPoseHuman36m(data_root=str(folder), **FILES, **settings)


def clip_dataset(folder, **settings):
    return Human36mClipDataset(data_root=str(folder), **(FILES | settings))


@pytest.mark.parametrize(
    ('windows', 'mmpose_settings'),
    [
        (dict(seq_len=9), dict(seq_len=9, causal=False, pad_video_seq=True)),
        (
            dict(seq_len=9, num_targets=9, stride=4, keep_rest=False),
            dict(multiple_target=9, multiple_target_step=4),
        ),
    ],
)
def test_windows_equal_mmposes(tmp_path, windows, mmpose_settings):
    write_files(tmp_path)
    found, wanted = (
        clip_dataset(tmp_path, **windows),
        mmpose_dataset(tmp_path, **mmpose_settings),
    )
    assert len(found) == len(wanted) > 4
    for mine, other in zip(found, wanted, strict=True):
        for key in ('keypoints', 'keypoints_visible', 'lifting_target'):
            np.testing.assert_array_equal(mine[key], other[key])
        np.testing.assert_equal(mine['camera_param'], other['camera_param'])
        assert mine['flip_indices'] == other['flip_indices']
        image = Path(other['target_img_path'][0]).stem
        assert image == f'{mine["clip"]}_{mine["target_frame_numbers"][0] + 1:06}'
        assert image.startswith(f'{mine["subject"]}_{mine["action"]}')


def test_frames_are_ordered_and_split_by_their_names(tmp_path):
    write_files(tmp_path)
    path = tmp_path / FILES['ann_file']
    arrays = dict(np.load(path))
    kept = np.r_[32:20:-1, 0:5, 8:21]
    np.savez(path, **{name: array[kept] for name, array in arrays.items()})
    cameras = str(tmp_path / FILES['camera_param_file'])
    files = dict(ann_file=str(path), camera_param_file=cameras)
    clips = Human36mClipDataset(**files, seq_len=3).clips
    name = 'S9_Directions_1.54138969'
    assert [clip.name.removeprefix(name) for clip in clips[:2]] == ['.1', '.9']
    assert [clip.num_frames for clip in clips] == [5, 13, 12]
    for clip, rows in zip(clips, (range(5), range(8, 21), range(21, 33)), strict=True):
        joints = arrays['S'][rows, :, :3].astype(np.float32)
        np.testing.assert_array_equal(clip.arrays['lifting_target'], joints)


def test_steps_of_frames_are_their_rate(tmp_path):
    """MMPose's files with 10 frames per second have frames 1, 6, 11, ..."""
    write_files(tmp_path)
    path = tmp_path / FILES['ann_file']
    arrays = dict(np.load(path))
    fifth = [int(name[-10:-4]) % 5 == 1 for name in arrays['imgname']]
    np.savez(path, **{name: array[fifth] for name, array in arrays.items()})
    clips = clip_dataset(tmp_path, seq_len=3, keypoint_2d_det_file=None).clips
    assert [(clip.fps, clip.num_frames) for clip in clips] == [(10, 5), (10, 3)]
