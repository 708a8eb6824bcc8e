"""Training with two processes equals training with one."""

import subprocess
import sys

import distributed
import mocap
import pytest
from mmengine.config import Config
from topdown_configs import on_drawn_people


def test_lifter_trains_equally_with_two_processes(tmp_path):
    model = dict(backbone=dict(embed_dims=48, depth=1))
    config = mocap.tiny_config('nanohtnet*-30e_cmu-wild', model, num_samples=24)
    one = distributed.assert_two_processes_equal_one(config, tmp_path)
    assert len(one['losses']) == 3


def test_mmposes_lifter_trains_equally_with_two_processes(tmp_path):
    model = dict(backbone=dict(net=dict(stem_channels=16)), head=dict(in_channels=16))
    config = mocap.tiny_config('video-pose-lift_tcn-27frm*', model)
    distributed.assert_two_processes_equal_one(config, tmp_path)


def test_hourglass_trains_equally_with_two_processes(tmp_path):
    model = dict(
        backbone=dict(embed_dims=32, mlp_dims=32, depth=4), head=dict(in_channels=32)
    )
    config = mocap.tiny_config('hot-mixste_81frm*', model, num_samples=4)
    config.train_dataloader.batch_size = 2
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    # velocities of repeated frames are near zero, where their lengths have a kink
    config.model.head.loss = dict(type='MPJPELoss')
    distributed.assert_two_processes_equal_one(config, tmp_path)


def test_gtpt_trains_equally_with_two_processes(tmp_path):
    (path,) = mocap.CONFIGS.glob('body_2d_keypoint/gtpt/coco/gtpt-t_*.py')
    config = on_drawn_people(Config.fromfile(path))
    config.train_dataloader.update(batch_size=2)
    config.train_dataloader.dataset.indices = 4
    config.train_cfg.max_epochs = 1
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    config.log_level = 'ERROR'
    distributed.assert_two_processes_equal_one(config, tmp_path)


@pytest.mark.slow(reason='starts four processes')
def test_tools_work_under_torchrun(tmp_path):
    model = dict(backbone=dict(embed_dims=48, depth=1))
    mocap.tiny_config('nanohtnet*-30e_cmu-wild', model).dump(tmp_path / 'tiny.py')
    tools = mocap.CONFIGS.parent / 'tools'
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    common = [tmp_path / 'tiny.py', '--launcher', 'pytorch', '--work-dir', tmp_path]
    for tool in (['train.py'], ['test.py', tmp_path / 'epoch_1.pth']):
        command = [*torchrun, '--nproc-per-node', '2', tools / tool[0], *common]
        command += tool[1:]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    # one process prints the table
    assert done.stdout.count('P-MPJPE') == 1


def test_several_processes_need_a_launcher(run_tool, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    (path,) = mocap.CONFIGS.glob('body_3d_keypoint/nanohtnet/cmu_mocap/*-30e_*.py')
    code, err = run_tool('train', path, '--sample', '--launcher', 'pytorch')
    assert code == 2
    assert 'start the tool with torchrun' in err
