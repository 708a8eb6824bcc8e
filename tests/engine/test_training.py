"""Trainings go on from whole checkpoints; diverged ones stop."""

import json
import resource
import sys

import mocap
import numpy as np
import pytest
import torch

from mmhot.engine.hooks import FiniteLossHook


@pytest.fixture
def train(tmp_path):
    """Return the command of a training of two epochs, two steps each, in ``work``."""
    config = mocap.tiny_config()
    config.train_cfg.max_epochs = 2
    # one of mmhot's own optimizers, which is registered
    config.optim_wrapper.optimizer = dict(type='MuonAdamW', lr=1e-3)
    config.default_hooks.checkpoint.max_keep_ckpts = 2
    config.val_dataloader.dataset.stride = 200
    config.dump(tmp_path / 'tiny.py')

    def command(*options, **settings):
        folder = ['--work-dir', tmp_path / 'work']
        logged = ['--cfg-options', 'default_hooks.logger.interval=1']
        changed = [f'{key}={value}' for key, value in settings.items()]
        return ['train', tmp_path / 'tiny.py', *folder, *options, *logged, *changed]

    return command


def checkpoints(tmp_path):
    return sorted(path.name for path in (tmp_path / 'work').glob('*.pth'))


def test_nan_loss_stops_and_keeps_the_last_checkpoint(
    train, run_tool, tool_error, tmp_path, monkeypatch
):
    run_tool(*train(**{'train_cfg.max_epochs': 1}))

    def spoil(self, runner, batch_idx, data_batch=None):
        if runner.iter == 2:
            next(runner.model.parameters()).data.fill_(torch.nan)

    monkeypatch.setattr(FiniteLossHook, 'before_train_iter', spoil)
    line = tool_error(*train('--resume'))
    assert 'stopped in epoch 2, ' in line
    assert ' is not finite: lower optim_wrapper.optimizer.lr' in line
    assert line.endswith(f'last checkpoint: {tmp_path}/work/epoch_1.pth')
    assert checkpoints(tmp_path) == ['epoch_1.pth']


def test_loss_that_stays_nan_stops_within_the_epoch():
    class Runner:
        epoch, work_dir = 0, '.'

    hook, runner = FiniteLossHook(), Runner()
    hook.patience = 3
    losses = [1, np.nan, 1, np.inf, 1, 1, np.nan, np.nan, np.nan]
    for runner.iter, loss in enumerate(losses):
        step = (runner, runner.iter, None, dict(loss=torch.tensor(float(loss))))
        if runner.iter < 8:
            hook.after_train_iter(*step)
    with pytest.raises(ValueError, match='the loss is not finite since step 7:'):
        hook.after_train_iter(*step)


@pytest.mark.skipif(sys.platform == 'win32', reason='limits of file sizes are POSIX')
def test_full_disk_keeps_the_checkpoint_before(train, run_tool, tool_error, tmp_path):
    run_tool(*train(**{'train_cfg.max_epochs': 1}))
    size = (tmp_path / 'work/epoch_1.pth').stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, before[1]))
    try:
        assert 'File too large' in tool_error(*train('--resume'))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    last = (tmp_path / 'work/last_checkpoint').read_text()
    assert last == f'{tmp_path}/work/epoch_1.pth'
    run_tool(*train('--resume'))
    assert checkpoints(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']


def test_weights_of_another_model_are_refused_as_the_start_of_a_part(
    train, run_tool, tool_error, tmp_path
):
    run_tool(*train(**{'train_cfg.max_epochs': 1}))
    path = tmp_path / 'work/epoch_1.pth'
    content = torch.load(path, weights_only=False)
    name = next(key for key in content['state_dict'] if key.endswith('mlp.fc1.weight'))
    content['state_dict'][name] = content['state_dict'][name][:, :8]
    torch.save(content, path)
    start = dict(type='Pretrained', checkpoint=path, prefix='backbone')
    settings = {f'model.backbone.init_cfg.{k}': v for k, v in start.items()}
    error = tool_error(*train(**settings))
    assert 'epoch_1.pth is a checkpoint of another model: size mismatch for ' in error


def test_extra_train_logs_to_tensorboard(train, run_tool, tmp_path):
    """The visualizer of docs/training.md."""
    event_files = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator'
    )
    backends = [dict(type=f'{name}VisBackend') for name in ('Local', 'Tensorboard')]
    with (tmp_path / 'tiny.py').open('a') as config:
        config.write(f'\nvisualizer.update(vis_backends={backends})\n')
    run_tool(*train())
    (log,) = (tmp_path / 'work').rglob('scalars.json')
    events = event_files.EventAccumulator(str(log.parent))
    events.Reload()
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [line['loss'] for line in logged if 'loss' in line]
    assert [event.value for event in events.Scalars('loss')] == pytest.approx(losses)
