"""A training for a given time: its learning rate, end and weights."""

import math
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from mmhot.engine.training import TimeBudgetHook


def test_rate_rises_stays_and_falls():
    """Over the shares of the time."""
    hook = TimeBudgetHook(minutes=10, warmup=0.1, decay=0.5, end_factor=0.01)
    assert hook.factor(0) == 0.01
    assert hook.factor(0.05) == pytest.approx(0.5)
    assert hook.factor(0.1) == hook.factor(0.5) == 1
    assert hook.factor(0.75) == pytest.approx((1 + 0.01) / 2)
    assert hook.factor(1) == hook.factor(2) == pytest.approx(0.01)


def test_training_stops_after_the_time(monkeypatch):
    """The clock starts with the first step; rates are those of the groups, scaled."""
    now = [100.0]
    monkeypatch.setattr('mmhot.engine.training.time.monotonic', lambda: now[0])
    groups = [dict(lr=1e-3), dict(lr=1e-4)]
    saved = []
    runner = SimpleNamespace(
        optim_wrapper=SimpleNamespace(param_groups=groups),
        train_loop=SimpleNamespace(stop_training=False),
        work_dir='work',
        message_hub=MessageHub('time'),
        save_checkpoint=lambda folder, name, **_: saved.append((folder, name)),
    )
    hook = TimeBudgetHook(minutes=1, warmup=0, decay=0.5, end_factor=0)
    for seconds, factor in ((0, 1), (30, 1), (45, 0.5), (52.5, 0.5 - math.sqrt(1 / 8))):
        now[0] = 100 + seconds
        hook.before_train_iter(runner, 0)
        rates = [group['lr'] for group in groups]
        assert rates == pytest.approx([1e-3 * factor, 1e-4 * factor])
        hook.after_train_epoch(runner)
        assert not runner.train_loop.stop_training
    now[0] = 161
    hook.after_train_epoch(runner)
    assert runner.train_loop.stop_training
    hook.after_train(runner)
    assert saved == [('work', 'final.pth')]


def test_resumed_training_has_the_time_that_was_left(monkeypatch):
    """The time of an interruption does not count."""
    now = [100.0]
    monkeypatch.setattr('mmhot.engine.training.time.monotonic', lambda: now[0])
    hub = MessageHub('interrupted')
    runner = SimpleNamespace(
        optim_wrapper=SimpleNamespace(param_groups=[dict(lr=1e-3)]),
        train_loop=SimpleNamespace(stop_training=False),
        message_hub=hub,
    )
    settings = dict(minutes=1, warmup=0, decay=0.5, end_factor=0)
    hook = TimeBudgetHook(**settings)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    now[0] = 140
    hook.after_train_epoch(runner)
    now[0] = 5000
    resumed, again = MessageHub('resumed'), TimeBudgetHook(**settings)
    resumed.load_state_dict(hub.state_dict())
    runner.message_hub = resumed
    again.before_train(runner)
    again.before_train_iter(runner, 0)
    [group] = runner.optim_wrapper.param_groups
    assert group['lr'] == pytest.approx(1e-3 * again.factor(40 / 60))
    now[0] = 5021
    again.after_train_epoch(runner)
    assert runner.train_loop.stop_training


def test_processes_have_the_time_of_the_main_one(monkeypatch):
    """Different rates would let their weights drift apart."""
    monkeypatch.setattr(
        'mmhot.engine.training.broadcast', lambda share: share.fill_(0.75)
    )
    group = dict(lr=1e-3)
    runner = SimpleNamespace(optim_wrapper=SimpleNamespace(param_groups=[group]))
    hook = TimeBudgetHook(minutes=1, warmup=0, decay=0.5, end_factor=0)
    hook.before_train_iter(runner, 0)
    assert group['lr'] == pytest.approx(5e-4)


def test_shares_are_checked():
    """They sum to at most 1, and the time is positive."""
    with pytest.raises(ValueError, match='must be positive'):
        TimeBudgetHook(minutes=0)
    with pytest.raises(ValueError, match='sum to at most 1'):
        TimeBudgetHook(minutes=1, warmup=0.5, decay=0.6)
