"""Hooks for seeds, frozen parts, distillation and losses; pre-training on two clips."""

import json
from copy import deepcopy
from types import SimpleNamespace
from unittest.mock import Mock

import mocap
import pytest
import torch
from mmengine.runner import BaseLoop, Runner
from published import samples
from torch import nn

from examples.distill_hook import DistillHook
from mmhot.datasets.data_loading import SeedTransforms
from mmhot.engine.hooks import EpochSeedHook, FreezeHook, KeypointOrderHook
from mmhot.weights.load_lifter import load_lifter
from mmhot.weights.names import LIFTER, resolve
from tools.runner import build_runner

TEACHER = 'mmhot://tps-tri-motionbert-xs_81frm-keep27_cmu-wild'


def test_wrapped_datasets_receive_the_epoch():
    def dataset():
        pipeline = SimpleNamespace(transforms=[SeedTransforms()])
        return SimpleNamespace(pipeline=pipeline)

    parts = [dataset() for _ in range(3)]
    joined = SimpleNamespace(datasets=[parts[0], SimpleNamespace(dataset=parts[1])])
    joined.pipeline = parts[2].pipeline
    data = SimpleNamespace(dataset=joined)
    runner = SimpleNamespace(seed=7, epoch=4, train_dataloader=data, model=nn.Module())
    EpochSeedHook().before_train_epoch(runner)
    announced = [x.pipeline.transforms[0].announced.tolist() for x in parts]
    assert announced == [[7, 5, 0]] * 3


def test_frozen_parts_get_no_gradient():
    parts = dict(backbone=nn.Dropout(0.5), head=nn.Linear(2, 2))
    model = nn.Sequential(nn.ModuleDict(parts))
    hook = FreezeHook(['0.head'])
    model.train()
    hook.before_train_iter(SimpleNamespace(model=model), 0)
    assert parts['backbone'].training
    assert not parts['head'].training
    assert not any(p.requires_grad for p in model.parameters())
    # all but a part
    hook = FreezeHook([''], trained=['0.head'])
    model.train()
    hook.before_train_iter(SimpleNamespace(model=model), 0)
    assert not parts['backbone'].training
    assert parts['head'].training
    assert all(p.requires_grad for p in parts['head'].parameters())
    unknown = FreezeHook(['0.heat'])
    with pytest.raises(ValueError, match=r"'0.heat' .did you mean 0.head\?"):
        unknown.before_train_iter(SimpleNamespace(model=model), 0)


def test_teacher_is_neither_trained_nor_saved(tmp_path):
    small = dict(
        backbone=dict(embed_dims=16, depth=2), head=dict(in_channels=16, rep_dims=16)
    )
    config = mocap.tiny_config('hot-timed-*', small)
    config.default_hooks.distill = dict(type='DistillHook', teacher=TEACHER)
    config.work_dir = str(tmp_path)
    runner = build_runner(config)
    before = deepcopy(runner.model.state_dict())
    runner.train()
    (teacher,) = [hook.model for hook in runner.hooks if isinstance(hook, DistillHook)]
    shipped = load_lifter(resolve(TEACHER, LIFTER)).model.state_dict()
    torch.testing.assert_close(teacher.state_dict(), shipped, rtol=0, atol=0)
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    for weights in (saved['state_dict'], saved['ema_state_dict']):
        assert {name.removeprefix('module.') for name in weights} - {'steps'} == {
            *before
        }
    assert not all(torch.equal(saved['state_dict'][key], before[key]) for key in before)


def test_target_is_mixed_with_the_poses_of_the_teacher():
    teacher = load_lifter(resolve(TEACHER, LIFTER)).model
    hook = DistillHook(TEACHER, weight=0.25)
    runner = SimpleNamespace(model=teacher)
    hook.before_train(runner)

    def targets(num_targets):
        poses = torch.zeros(2, num_targets, 17, 3)
        data = samples(2, lifting_target_label=poses)
        windows = [torch.randn(81, 17, 2) for _ in data]
        batch = dict(inputs=torch.stack(windows), data_samples=data)
        hook.before_train_iter(runner, 0, batch)
        labels = [sample.gt_instance_labels for sample in data]
        mixed = torch.stack([label.lifting_target_label for label in labels])
        return mixed, teacher.lift(batch['inputs'])

    mixed, poses = targets(81)
    torch.testing.assert_close(mixed, poses / 4)
    with pytest.raises(ValueError, match=r'predicts poses \(81, .* is \(9, 17, 3\)'):
        targets(9)


def test_pretraining_on_views_logs_what_it_retrieves(tmp_path):
    config = mocap.tiny_views()
    config.work_dir = str(tmp_path)
    config.default_hooks.logger.interval = 1
    config.model.queue_size = 8
    Runner.from_cfg(config).train()
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    # the first step fills the queue
    first, second = logged
    assert 'retrieval_top1' not in first
    assert 0 <= second['retrieval_top1'] <= 1


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(num_keypoints=17), None),
        (dict(num_keypoints=14), 'has 14 keypoints, but the dataset .* has 17'),
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
