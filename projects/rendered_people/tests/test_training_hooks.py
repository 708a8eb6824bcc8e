"""Trainings for a given time, memory format, fading guidance."""

import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from projects.rendered_people.training.hooks import (
    ChannelsLastHook,
    GuidanceHook,
    TimeBudgetHook,
)

HOOKS = 'projects.rendered_people.training.hooks'


def test_rate_rises_stays_and_falls():
    hook = TimeBudgetHook(minutes=10, warmup=0.1, decay=0.5, end_factor=0.01)
    assert hook.factor(0) == 0.01
    assert hook.factor(0.05) == pytest.approx(0.5)
    assert hook.factor(0.1) == hook.factor(0.5) == 1
    assert hook.factor(0.75) == pytest.approx((1 + 0.01) / 2)
    assert hook.factor(1) == hook.factor(2) == pytest.approx(0.01)


def test_training_stops_after_the_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(f'{HOOKS}.time.monotonic', lambda: now[0])
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
    now = [100.0]
    monkeypatch.setattr(f'{HOOKS}.time.monotonic', lambda: now[0])
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


def test_channels_last_changes_strides_and_no_results():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    images = torch.randn(2, 3, 8, 8)
    expected = model(images)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    output = model(images)
    assert output.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ('epoch', 'weight'), [(0, 0.2), (1, 0.2 / 10**0.5), (2, 0.02), (9, 0.02)]
)
def test_guidance_can_fade(epoch, weight):
    guidance = SimpleNamespace(weight=0.02)
    model = torch.nn.Module()
    model.head = SimpleNamespace(guidance=guidance)
    runner = SimpleNamespace(epoch=epoch, model=model)
    hook = GuidanceHook(factor=10, end=2)
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    assert guidance.weight == pytest.approx(weight)
    model.head.guidance = None
    with pytest.raises(ValueError, match="the head's guidance must be set"):
        hook.before_train(runner)
