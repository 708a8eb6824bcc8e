"""Hooks for seeds and memory format, and a training on two real clips."""

import json
from types import SimpleNamespace
from unittest.mock import Mock

import mocap
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmhot.datasets.data_loading import SeedTransforms
from mmhot.engine.hooks import EpochSeedHook, FreezeHook, KeypointOrderHook
from mmhot.engine.runner import build_runner

WILD = mocap.CONFIGS / '_base_/datasets/cmu_mocap_wild.py'
SHIPPED = 'nanohtnet_81frm-keep9_1xb32-30e_cmu-wild'


def loader(num_workers, persistent):
    """Training windows of the shipped NanoHTNet."""
    init_default_scope('mmpose')
    settings = Config.fromfile(WILD).train_dataloader
    settings.batch_size, settings.num_workers = 4, num_workers
    settings.persistent_workers = persistent
    settings.sampler.num_samples = 24
    settings.dataset = dict(
        type='MocapDataset',
        seq_len=27,
        num_targets=3,
        pipeline=settings.dataset.pipeline,
        **mocap.FILES,
    )
    return Runner.build_dataloader(settings, seed=0)


def runner_at(seed, epoch, data, model=None):
    """The attributes of a Runner that the hook reads."""
    return SimpleNamespace(
        seed=seed, epoch=epoch, train_dataloader=data, model=model or nn.Module()
    )


def epochs(numbers, num_workers=0, persistent=False, seed=0):
    """Inputs of the given epochs, each (24, T, K, 2)."""
    data, hook, inputs = loader(num_workers, persistent), EpochSeedHook(), []
    for epoch in numbers:
        runner = runner_at(seed, epoch, data)
        hook.before_train_epoch(runner)
        data.sampler.set_epoch(epoch)
        inputs.append(torch.cat([mocap.inputs_of(batch) for batch in data]))
    return inputs


@pytest.mark.parametrize(
    ('num_workers', 'persistent'), [(0, False), (2, False), (2, True)]
)
def test_resumed_epochs_equal_uninterrupted_ones(num_workers, persistent):
    whole = epochs([0, 1, 2], num_workers, persistent)
    resumed = epochs([2], num_workers, persistent)
    assert torch.equal(whole[2], resumed[0])
    assert not torch.equal(whole[0], whole[1])


def test_wrapped_datasets_receive_the_epoch():
    def dataset():
        pipeline = SimpleNamespace(transforms=[SeedTransforms()])
        return SimpleNamespace(pipeline=pipeline)

    parts = [dataset() for _ in range(3)]
    joined = SimpleNamespace(datasets=[parts[0], SimpleNamespace(dataset=parts[1])])
    joined.pipeline = parts[2].pipeline
    data = SimpleNamespace(dataset=joined)
    runner = runner_at(7, 4, data)
    EpochSeedHook().before_train_epoch(runner)
    for part in parts:
        assert part.pipeline.transforms[0].announced.tolist() == [7, 5, 0]


def test_frozen_parts_get_no_gradient_until_they_are_thawed():
    parts = dict(backbone=nn.Dropout(0.5), head=nn.Linear(2, 2))
    model = nn.Sequential(nn.ModuleDict(parts))
    hook = FreezeHook(['0.head'], end=2)
    for epoch, trained in [(0, False), (1, False), (2, True)]:
        model.train()
        hook.before_train_iter(SimpleNamespace(model=model, epoch=epoch), 0)
        assert parts['backbone'].training
        assert parts['head'].training == trained
        assert all(p.requires_grad == trained for p in model.parameters())
    unknown = FreezeHook(['0.heat'])
    with pytest.raises(ValueError, match=r"'0.heat'; did you mean 0.head\?"):
        unknown.before_train_iter(SimpleNamespace(model=model, epoch=0), 0)


@pytest.fixture
def tiny(tmp_path):
    """The shipped NanoHTNet's config, small, on the two clips of the tests."""
    config = mocap.tiny_config(SHIPPED, dict(backbone=dict(embed_dims=48, depth=1)))
    config.work_dir = str(tmp_path)
    return config


def test_shipped_lifter_trains_and_validates(tiny):
    runner = Runner.from_cfg(tiny)
    before = [parameter.clone() for parameter in runner.model.parameters()]
    runner.train()
    assert runner.iter == 2
    after = list(runner.model.parameters())
    moved = [
        not torch.equal(one, other) for one, other in zip(before, after, strict=True)
    ]
    assert np.mean(moved) > 0.9
    metrics = runner.val()
    assert set(metrics) == {
        f'{source}/{name}'
        for source in ('gt', 'noisy')
        for name in ('MPJPE', 'P-MPJPE')
    }
    # about the size of a pose, since the lifter is untrained
    assert 100 < metrics['gt/MPJPE'] < 2000
    assert metrics['gt/P-MPJPE'] < metrics['gt/MPJPE']


def test_pretraining_on_views_logs_and_validates(tmp_path):
    config = mocap.tiny_views()
    config.work_dir = str(tmp_path)
    # runners share a visualizer of one name
    config.visualizer.name = 'views'
    config.default_hooks.logger.interval = 1
    runner = Runner.from_cfg(config)
    runner.train()
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    shown = {'retrieval_top1', 'alignment', 'uniformity', 'effective_rank'}
    assert [shown <= set(line) for line in logged] == [True] * 3
    assert ['loss' in line for line in logged] == [True, True, False]
    metrics = runner.val()
    assert set(metrics) == shown
    assert 0 < metrics['alignment'] < 4
    assert runner.val() == metrics


def test_losses_are_read_when_they_are_logged(tmp_path, monkeypatch):
    def logged(kind):
        config = mocap.tiny_config(
            SHIPPED, dict(backbone=dict(embed_dims=48, depth=1)), 56
        )
        config.default_hooks.runtime_info = dict(type=kind)
        config.default_hooks.logger.interval = 3
        config.update(work_dir=str(tmp_path / kind), val_cfg=None, val_dataloader=None)
        config.update(val_evaluator=None, experiment_name=kind)
        runner = build_runner(config)
        reads, read = [], runner.message_hub._get_valid_value

        def count(value):
            if isinstance(value, torch.Tensor):
                reads.append(runner.iter)
            return read(value)

        monkeypatch.setattr(runner.message_hub, '_get_valid_value', count)
        runner.train()
        losses = runner.message_hub.get_scalar('train/loss')
        return sorted({*reads}), losses.data[0]

    reads, losses = logged('DeferredLossHook')
    assert reads == [2, 5, 6]
    every, wanted = logged('RuntimeInfoHook')
    assert every == list(range(7))
    assert losses == pytest.approx(wanted)


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(num_keypoints=17), None),
        (dict(num_keypoints=14), 'has 14 keypoints, but the dataset .* 17'),
        (dict(out_channels=133), 'has 133 keypoints'),
        (dict(out_channels=51, decoder=SimpleNamespace(heatmap_type='combined')), None),
        (dict(out_channels=None), None),
    ],
)
def test_heads_with_other_numbers_of_keypoints_are_refused(head, message):
    metainfo = dict(dataset_name='coco', num_keypoints=17)
    loop = Mock(spec=BaseLoop, dataloader=Mock())
    loop.dataloader.dataset = SimpleNamespace(metainfo=metainfo)
    runner = SimpleNamespace(
        model=SimpleNamespace(head=SimpleNamespace(**head)),
        **dict.fromkeys(('_train_loop', '_val_loop', '_test_loop'), loop),
    )
    if message is None:
        KeypointOrderHook().before_run(runner)
        return
    with pytest.raises(ValueError, match=message):
        KeypointOrderHook().before_run(runner)
