"""Training with two processes equals training with one."""

import os
import subprocess
import sys
from pathlib import Path

import distributed
import mocap
import pytest
import torch
from topdown_configs import TINY_GTPT, small_training


@pytest.mark.slow(reason='trains in one and two processes, 33 s')
def test_lifter_trains_equally_with_two_processes(tmp_path):
    config = mocap.tiny_config(num_samples=24)
    one = distributed.assert_two_processes_equal_one(config, tmp_path)
    assert len(one['losses']) == 3


@pytest.mark.slow(reason='trains in two processes, 20 s')
def test_learned_pruner_trains_with_two_processes(tmp_path):
    sizes = dict(embed_dims=16, num_heads=2, depth=3, mlp_dims=32)
    pruner = dict(type='GumbelPruner', num_keep=27, depth=1, embed_dims=16)
    model = dict(backbone=dict(**sizes, pruner=pruner), head=dict(in_channels=16))
    config = mocap.tiny_config('hot-mixste-xs*-10e_cmu-wild', model)
    config.model.backbone.pruner = pruner  # without arguments of the other pruner
    config.custom_imports.imports.append('examples.gumbel_pruner')
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    one, two = distributed.train(config, 2, tmp_path)
    torch.testing.assert_close(one['weights'], two['weights'])
    scorer = 'backbone.hourglass.pruners.0.scorer.1.weight'
    assert len(one['gradients']) == 2
    for gradients in one['gradients']:
        assert gradients[scorer].abs().max() > 1e-6


@pytest.mark.slow(reason='trains in one and two processes, 20 s')
def test_views_train_equally_with_two_processes(tmp_path):
    config = mocap.tiny_views()
    one = distributed.assert_two_processes_equal_one(config, tmp_path)
    assert (one['weights']['queue.performances'] >= 0).sum() == 16


@pytest.mark.slow(reason='trains in one and two processes, 20 s')
def test_gtpt_trains_equally_with_two_processes(tmp_path):
    config = small_training('body_2d_keypoint/gtpt/coco/gtpt-t_*', TINY_GTPT)
    config.train_dataloader.update(batch_size=2)
    config.train_dataloader.dataset.indices = 4
    config.train_cfg.max_epochs = 1
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    distributed.assert_two_processes_equal_one(config, tmp_path)


@pytest.mark.slow(reason='starts four processes')
def test_tools_work_under_torchrun(tmp_path, monkeypatch):
    config = mocap.tiny_config()
    config.custom_imports.imports.append('gloo_processes')
    config.dump(tmp_path / 'tiny.py')
    helpers = Path(distributed.__file__).parent
    path = f'{helpers}{os.pathsep}{os.environ.get("PYTHONPATH", "")}'
    monkeypatch.setenv('PYTHONPATH', path)
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
