"""A training that was interrupted goes on as if it had not been."""

import json

import mocap
import pytest
import torch

from mmhot.engine.hooks import EpochSeedHook

MODEL = dict(
    backbone=dict(
        embed_dims=48, depth=1, proj_drop_rate=0.1, drop_path_rates=(0.1, 0.3)
    )
)


@pytest.fixture
def config(tmp_path):
    """A training of epochs of two steps, with dropout, noise and averaging."""
    config = mocap.tiny_config(model=MODEL)
    config.randomness = dict(seed=None)  # a random one
    config.train_cfg.max_epochs = 3
    config.default_hooks.logger.interval = config.log_processor.window_size = 1
    config.default_hooks.checkpoint.max_keep_ckpts = 3
    config.val_dataloader.dataset.stride = 200  # few windows will do
    config.dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


def curve(work_dir):
    """All that was logged, in order, but what depends on the machine."""
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    ignored = {'time', 'data_time', 'memory'}
    return [{k: v for k, v in line.items() if k not in ignored} for line in lines]


def the_same_training(whole, resumed, epochs=2):
    """Compare trainings of some epochs, one gone on with after the first.

    Returns their averaged and their last state.
    """
    log = curve(whole)
    assert len(log) == 3 * epochs  # two steps and a validation each epoch
    assert curve(resumed) == log[3:]
    one, other = (
        torch.load(folder / f'epoch_{epochs}.pth', weights_only=False)
        for folder in (whole, resumed)
    )
    exact = dict(rtol=0, atol=0)
    torch.testing.assert_close(other['state_dict'], one['state_dict'], **exact)
    torch.testing.assert_close(other['ema_state_dict'], one['ema_state_dict'], **exact)
    torch.testing.assert_close(
        other['optimizer']['state'], one['optimizer']['state'], **exact
    )
    assert other['param_schedulers'] == one['param_schedulers']
    assert one['ema_state_dict']['steps'] == 2 * epochs
    return one['state_dict'], one['ema_state_dict']


# Workers that stay are in their second epoch in the third only.
@pytest.mark.parametrize(
    ('num_workers', 'persistent', 'epochs'),
    [
        (0, False, 2),
        (1, False, 2),
        pytest.param(2, True, 3, marks=pytest.mark.slow(reason='as with one, 10 s')),
    ],
)
def test_resumed_training_is_the_uninterrupted_one(
    num_workers, persistent, epochs, config, tmp_path, run_tool
):
    options = [
        '--cfg-options',
        f'train_dataloader.num_workers={num_workers}',
        f'train_dataloader.persistent_workers={persistent}',
        f'train_cfg.max_epochs={epochs}',
    ]
    whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
    run_tool('train', config, '--work-dir', whole, *options)
    go_on = ['--resume', whole / 'epoch_1.pth']
    run_tool('train', config, '--work-dir', resumed, *go_on, *options)

    averaged, last = the_same_training(whole, resumed, epochs)
    assert not torch.equal(averaged['head.fc.bias'], last['module.head.fc.bias'])


def test_interrupted_epoch_begins_again(
    config, tmp_path, run_tool, tool_output, monkeypatch
):
    def interrupt(self, runner, batch_idx, data_batch=None):
        if runner.iter == 3:
            raise KeyboardInterrupt

    train = ['train', config, '--work-dir', tmp_path / 'work']
    with monkeypatch.context() as interrupted:
        interrupted.setattr(EpochSeedHook, 'before_train_iter', interrupt)
        assert tool_output(*train)[0] == 130
    run_tool(*train, '--resume')
    before, after = curve(tmp_path / 'work')[:4], curve(tmp_path / 'work')[4:]
    assert before[3] == after[0]
    assert [line['step'] for line in after] == [3, 4, 2, 5, 6, 3]


def test_weights_to_start_from_are_not_gone_on_from(config, tmp_path, run_tool):
    train = ['train', config, '--resume', '--cfg-options', 'train_cfg.max_epochs=1']
    first, second = tmp_path / 'first', tmp_path / 'second'
    run_tool(*train, '--work-dir', first)
    train.append(f'load_from={first / "epoch_1.pth"}')
    for epochs in (1, 2):
        train[4] = f'train_cfg.max_epochs={epochs}'
        run_tool(*train, '--work-dir', second)
    log = curve(second)
    assert [line['step'] for line in log] == [1, 2, 1, 3, 4, 2]
    assert log[0]['loss'] != curve(first)[0]['loss']


def test_checkpoints_that_nothing_names_are_not_replaced(
    config, tmp_path, run_tool, tool_error
):
    train = [
        'train',
        config,
        '--resume',
        '--work-dir',
        tmp_path / 'work',
        '--cfg-options',
        'train_cfg.max_epochs=1',
    ]
    run_tool(*train)
    (tmp_path / 'work' / 'last_checkpoint').unlink()
    assert 'no file last_checkpoint with the name' in tool_error(*train)
