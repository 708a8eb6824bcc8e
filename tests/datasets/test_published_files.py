"""Human3.6M and MPI-INF-3DHP in the files that other repositories publish."""

import pickle

import numpy as np
import pytest
import torch
from h36m_files import write_files
from lifters import NUM_FRAMES, batch_of, shrink_config
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import KEYPOINT_CODECS, METRICS, MODELS
from mocap import CONFIGS, FILES
from published_files import (
    CPN,
    SH,
    TEST,
    TRAIN,
    camera,
    seen,
    write_3dhp,
    write_3dhp_images,
    write_mmpose,
    write_motionbert,
    write_videopose3d,
)

from mmhot.datasets.h36m import CAMERAS
from mmhot.datasets.human36m_dataset import (
    _USED,
    Human36mClipDataset,
    MotionBERTDataset,
    VideoPose3DDataset,
)
from mmhot.datasets.mpi_inf_3dhp_dataset import MPIINF3DHPClipDataset
from mmhot.evaluation.metrics import LiftingErrorMetric
from mmhot.skeletons.joints import get_skeleton
from tools.runner import build_runner
from tools.test import format_errors

WINDOWS = dict(seq_len=9, num_targets=9, stride=9)


def videopose3d(folder, **settings):
    files = dict(
        ann_file='data_3d_h36m.npz',
        keypoint_2d_file=CPN,
        camera_param_file='cameras.pkl',
        data_root=str(folder),
    )
    return VideoPose3DDataset(**(files | WINDOWS | settings))


def test_videopose3d_files_give_the_samples_of_mmposes(tmp_path):
    world = write_videopose3d(tmp_path)
    names, poses, pixels = [], [], []
    for subject, takes in world.items():
        for take, joints in takes.items():
            for index, view in enumerate(CAMERAS):
                ours, theirs = seen(joints[:, _USED], camera(index))
                poses.append(ours)
                pixels.append(theirs)
                start = f'{subject}_{take.replace(" ", "_")}.{view}'
                names += [f'{start}_{n:06}.jpg' for n in range(len(ours))]
    joined = map(np.concatenate, (poses, pixels))
    write_mmpose(tmp_path / 'mmpose.npz', names, *joined)
    files = dict(ann_file='mmpose.npz', camera_param_file='cameras.pkl')
    wanted = Human36mClipDataset(data_root=str(tmp_path), **files, **WINDOWS)
    found = videopose3d(tmp_path)
    assert len(found) == len(wanted) == 4 * (3 + 4 + 2)
    for ours, theirs in zip(found, wanted, strict=True):
        for key in ('keypoints', 'keypoints_visible', 'lifting_target'):
            np.testing.assert_allclose(ours[key], theirs[key], rtol=0, atol=1e-4)
        for key in ('clip', 'subject', 'action', 'clip_length', 'fps'):
            assert ours[key] == theirs[key]
        np.testing.assert_array_equal(
            ours['camera_param']['R'], theirs['camera_param']['R']
        )
    assert {sample['action'] for sample in found} == {'WalkDog', 'Directions', 'Photo'}


def test_subjects_are_split_and_frames_left_out(tmp_path):
    write_videopose3d(tmp_path)
    whole = videopose3d(tmp_path, subjects=['S9'])
    assert set(whole.subject_of_window) == {'S9'}
    half = videopose3d(tmp_path, subjects=['S9'], downsample=2)
    assert [clip.num_frames for clip in half.clips] == [15] * 4 + [6] * 4
    assert half[0]['fps'] == 25
    np.testing.assert_array_equal(
        half.clips[0].arrays['keypoints'], whole.clips[0].arrays['keypoints'][::2]
    )
    with pytest.raises(ValueError, match="subjects must be one of S1, S9, got 'S11'"):
        videopose3d(tmp_path, subjects=['S11'])


def test_wrong_videopose3d_files_are_an_error(tmp_path):
    write_videopose3d(tmp_path, extra=-1)
    with pytest.raises(
        ValueError, match=r'S1_WalkingDog.* has 19 2D poses for 20 3D poses'
    ):
        videopose3d(tmp_path)
    write_videopose3d(tmp_path, left=[1, 3, 5, 7, 9, 11, 13, 15])
    with pytest.raises(ValueError, match=r"left ones \[1, 3.*, but Human3.6M's are"):
        videopose3d(tmp_path)
    write_videopose3d(tmp_path)
    with pytest.raises(ValueError, match=r"dbb.npz: lacks 'positions_3d'"):
        videopose3d(tmp_path, ann_file=CPN)
    with pytest.raises(FileNotFoundError, match='none.npz does not exist; see "Human3'):
        videopose3d(tmp_path, ann_file='none.npz')
    (tmp_path / 'cameras.pkl').write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match='cameras.pkl lacks camera .* of S1, or its'):
        videopose3d(tmp_path)


def motionbert(folder, split='test', **settings):
    files = dict(ann_file=SH, data_root=str(folder))
    return MotionBERTDataset(split=split, **files, **(WINDOWS | settings))


def encoded(sample):
    """What the codec of MotionBERT makes of a sample."""
    with DefaultScope.overwrite_default_scope('mmpose'):
        codec = KEYPOINT_CODECS.build(dict(type='ImageSpacePoseLifting'))
    keys = 'keypoints', 'keypoints_visible', 'lifting_target', 'camera_param'
    return codec.encode(**{key: sample[key] for key in keys})


def test_motionbert_file_gives_its_own_labels_and_millimeters(tmp_path):
    data = write_motionbert(tmp_path)
    dataset = motionbert(tmp_path, keep_rest=False)
    first, last = dataset[0], dataset[len(dataset) - 1]
    assert first['clip'] == 's_09_act_05_subact_02.ca_01'
    assert first['action'] == 'Greeting'
    assert (last['subject'], last['action']) == ('S11', 'WalkTogether')
    assert (first['camera_param']['h'], last['camera_param']['h']) == (1002, 1000)
    true = motionbert(tmp_path, ground_truth=True, keep_rest=False)[0]
    np.testing.assert_allclose(
        true['keypoints'], data['joint3d_image'][:9, :, :2], atol=1e-3
    )
    assert (true['keypoints_visible'] == 1).all()
    found = encoded(first)
    label = data['joint3d_image'][:9] - data['joint3d_image'][:9, :1]
    np.testing.assert_allclose(found['lifting_target_label'], label / 500, atol=1e-5)
    millimeters = data['joints_2.5d_image'][:9]
    millimeters = millimeters - millimeters[:, :1]
    np.testing.assert_allclose(1000 * found['lifting_target'], millimeters, atol=0.01)
    scores = found['keypoint_labels'][..., 2]
    np.testing.assert_allclose(scores, data['confidence'][:9], atol=1e-6)


def test_motionbert_training_needs_a_scale(tmp_path):
    write_motionbert(tmp_path, **{'2.5d_factor': None})
    with pytest.raises(
        ValueError, match='train has no 2.5d_factor, .* set millimeters_per'
    ):
        motionbert(tmp_path, 'train')
    both = [motionbert(tmp_path, 'train', millimeters_per_pixel=x)[1] for x in (4, 5)]
    np.testing.assert_allclose(
        *(encoded(x)['lifting_target_label'] for x in both), atol=1e-5
    )


def test_3dhp_has_human36ms_joints_and_two_image_sizes(tmp_path):
    write_3dhp(tmp_path)
    train = MPIINF3DHPClipDataset(ann_file=TRAIN, data_root=str(tmp_path), **WINDOWS)
    assert [clip.name for clip in train.clips] == ['S1_Seq2_Cam0', 'S1_Seq2_Cam8']
    assert set(train.subject_of_window) == {'S1'}
    joints = get_skeleton('mpi-inf-3dhp-17').joints
    numbers = train[0]['keypoints'][0, :, 0].astype(int) - 700
    order = [joints[index] for index in numbers]
    assert ' '.join(order[:8]) == (
        'root right_hip right_knee right_ankle left_hip left_knee left_ankle spine'
    )
    assert ' '.join(order[8:]) == (
        'neck head head_top left_shoulder left_elbow left_wrist '
        'right_shoulder right_elbow right_wrist'
    )
    # millimeters in the file, meters in samples
    order = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
    np.testing.assert_allclose(
        1000 * train[0]['lifting_target'][0, :, 0], order, atol=1e-4
    )
    test = MPIINF3DHPClipDataset(ann_file=TEST, data_root=str(tmp_path), **WINDOWS)
    sizes = {
        s['subject']: (s['camera_param']['w'], s['camera_param']['h']) for s in test
    }
    assert sizes == {'TS1': (2048, 2048), 'TS6': (1920, 1080)}


def test_invalid_frames_do_not_count_and_metrics_are_the_official(tmp_path):
    """The formulas of MPI-INF-3DHP's mpii_compute_3d_pck.m, written down again."""
    files, valid = write_3dhp(tmp_path)
    dataset = MPIINF3DHPClipDataset(
        ann_file=TEST, data_root=str(tmp_path), **(WINDOWS | dict(stride=4))
    )
    rng = np.random.default_rng(3)
    noise = {name: rng.normal(0, 0.07, (12, 17, 3)) for name in files}
    samples = []
    for info in dataset:
        target = info['lifting_target'] - info['lifting_target'][:, :1]
        frames = info['target_frame_numbers'].clip(0, 11)
        pred = target + noise[info['clip']][frames]
        truth = {x: info[x] for x in ('lifting_target', 'lifting_target_visible')}
        instances = dict(gt_instances=truth, pred_instances=dict(keypoints=pred))
        samples.append(info | instances)
    metric = LiftingErrorMetric(average='frames')
    metric.dataset_meta = dataset.metainfo
    metric.process({}, samples)
    found = metric.evaluate(len(samples))

    errors = np.concatenate([noise[name][valid] for name in files])
    errors = 1000 * np.linalg.norm(errors - errors[:, :1], axis=-1)
    names = get_skeleton('h36m-17').joints
    counted = [j for j in range(17) if names[j] not in ('root', 'spine', 'neck_base')]
    assert len(counted) == 14
    rates = [100 * (errors[:, counted] < limit).mean() for limit in range(0, 151, 5)]
    assert metric.report.num_frames('h36m') == 16
    assert found['MPJPE'] == pytest.approx(errors.mean())
    assert found['PCK@150'] == pytest.approx(rates[-1])
    assert found['AUC'] == pytest.approx(np.mean(rates))


def test_motion_capture_and_3dhp_are_trained_and_tested_together(tmp_path):
    write_3dhp(tmp_path)
    (path,) = CONFIGS.glob('*/hot/*/*_cmu-3dhp.py')
    config = Config.fromfile(path)
    cmu, mpi_inf_3dhp = config.train_dataloader.dataset.datasets
    cmu.update(FILES, skip_subjects=())
    mpi_inf_3dhp.data_root = str(tmp_path)
    config.model.backbone.update(embed_dims=16, num_heads=2, mlp_dims=16)
    config.model.head.in_channels = 16
    workers = dict(num_workers=0, persistent_workers=False)
    config.train_dataloader.update(workers)
    config.train_dataloader.sampler.num_samples = 16
    config.train_cfg = dict(by_epoch=True, max_epochs=1)
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.work_dir = str(tmp_path)
    tested = config.test_dataloader.pop('dataset')
    *before, pack = tested.pipeline
    tested.update(FILES, pipeline=before)
    other = dict(ann_file='data_test_3dhp.npz', test_mode=True, pipeline=before[-1:])
    parts = dict(datasets=[tested, mpi_inf_3dhp.to_dict() | other], pipeline=[pack])
    combined = config.train_dataloader.dataset.to_dict() | parts
    config.test_dataloader.update(dataset=combined, **workers)
    runner = build_runner(config)
    runner.train()
    assert (tmp_path / 'epoch_1.pth').is_file()
    metrics = runner.test()
    assert {name.split('/')[0] for name in metrics} == {'gt', 'noisy', 'h36m'}
    samples = [x for batch in runner.train_dataloader for x in batch['data_samples']]
    assert {'S1_Seq2' in sample.clip for sample in samples} == {True, False}


def test_3dhp_of_mmpose_is_cut_where_images_are_missing(tmp_path):
    write_3dhp_images(tmp_path, [3, 1, 2, 10, 11])
    cameras = {'TS6': dict(f=[1683, 1672], c=[940, 560], w=1920, h=1080)}
    (tmp_path / 'cameras.pkl').write_bytes(pickle.dumps(cameras))
    files = dict(ann_file='images.npz', data_root=str(tmp_path))
    settings = dict(camera_param_file='cameras.pkl', seq_len=3, num_targets=1)
    dataset = MPIINF3DHPClipDataset(**files, **settings)
    lengths = {clip.name: clip.num_frames for clip in dataset.clips}
    assert [*lengths.items()] == [('TS6.1', 3), ('TS6.10', 2)]
    assert dataset[0]['camera_param']['f'] == [1683, 1672]
    write_3dhp_images(tmp_path, [1], name='image{}.jpg')
    with pytest.raises(ValueError, match=r'image1.jpg is not named like .*Cam'):
        MPIINF3DHPClipDataset(**files)


@pytest.mark.parametrize(
    'name',
    [
        'hot/h36m/hot-mixste_243frm-keep81_1xb4-160e_h36m-cpn',
        'hot/h36m/hot-motionbert-lite_243frm-keep81_1xb32-60e_h36m-sh',
        'mhformer/h36m/tpc-mhformer_351frm-keep117_1xb210-20e_h36m-cpn',
        'mhformer/mpi_inf_3dhp/mhformer_81frm_1xb128-20e_3dhp',
        'motionagformer/h36m/hot-motionagformer-b_243frm-keep81_1xb16-60e_h36m-sh',
        'motionagformer/mpi_inf_3dhp/motionagformer-b_81frm_1xb16-90e_3dhp',
        'nanohtnet/mpi_inf_3dhp/nanohtnet_81frm-keep9_1xb256-49e_3dhp',
        'nanohtnet/h36m/nanohtnet_243frm-keep9_1xb256-49e_h36m-cpn',
        'motionbert/h36m/motionbert_243frm_1xb32-120e_h36m-sh',
        'hot/h36m/tps-tri-motionbert-xs_81frm-25fps-keep27_1xb8-15e_h36m',
    ],
)
def test_configs_train_and_evaluate(tmp_path, name):
    write_files(tmp_path)
    write_videopose3d(tmp_path)
    write_motionbert(tmp_path)
    write_3dhp(tmp_path)
    config = Config.fromfile(CONFIGS / f'body_3d_keypoint/{name}.py')
    shrink_config(config, tmp_path)
    for split in ('train', 'val'):
        if 'subjects' in config[f'{split}_dataloader'].dataset:
            config[f'{split}_dataloader'].dataset.subjects = ['S9']
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(config.model)
        _, batch = batch_of(config, 'train', model)
        losses = model.train()(**batch, mode='loss')
        assert 0 < losses['loss_pose3d'].item() < 100
        losses['loss_pose3d'].backward()
        assert all(each.grad.isfinite().all() for each in model.parameters())
        dataset, batch = batch_of(config, 'val', model.eval())
        with torch.no_grad():
            predicted = model(**batch, mode='predict')
        metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = dataset.metainfo
    metric.process(batch, [sample.to_dict() for sample in predicted])
    # an untrained model's poses are small, those of the files 0.5 m in size
    assert 200 < metric.evaluate(len(dataset))['MPJPE'] < 1500
    dataset_name = '3dhp' if name.endswith('3dhp') else 'h36m'
    assert metric.report.datasets == [dataset_name]
    actions = metric.report.actions(dataset_name)
    wanted = {'3dhp': 0, 'cpn': 2, '-sh': 1, '_h36m': 2}
    # one of the two videos of hourglass detections is left out
    assert len(actions) == next(n for end, n in wanted.items() if name.endswith(end))
    kept = (3, NUM_FRAMES) if 'pruner' in config.model.backbone else None
    assert metric.report.kept(dataset_name) == kept
    row = format_errors(metric.report).splitlines()[2]
    assert (', 3 of 9 kept of each window' in row) == (kept is not None)
