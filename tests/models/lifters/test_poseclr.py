"""PoseCLR: loss, key networks, queue, and what fine-tuning loads."""

import math

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

import mmhot.plugin  # noqa: F401 registers
from mmhot.models.lifters.poseclr import (
    MomentQueue,
    are_near,
    info_nce,
    retrieval_top1,
)

NUM_FRAMES = 9
NANO = dict(
    type='NanoHTNet',
    num_frames=NUM_FRAMES,
    num_keep_frames=3,
    embed_dims=48,
    depth=1,
    mlp_dims=16,
    graph_dims=16,
    branch_dims=4,
)
BERT = dict(
    type='MotionBERT',
    num_frames=NUM_FRAMES,
    in_channels=2,
    embed_dims=16,
    num_heads=2,
    depth=2,
)
MIXSTE = dict(type='MixSTE', num_frames=NUM_FRAMES, embed_dims=16, num_heads=2, depth=2)
PRUNER = dict(type='UniformPruner', num_keep=3, depth=1)
BACKBONES = {
    'NanoHTNet': (NANO, dict(in_channels=8, num_frames=3)),
    'MixSTE': (MIXSTE, dict(in_channels=16, num_frames=NUM_FRAMES)),
    'pruned': (dict(MIXSTE, pruner=PRUNER), dict(in_channels=16, num_frames=3)),
    'recovered': (
        dict(BERT, pruner=PRUNER, recoverer=dict(type='AttentionRecoverer')),
        dict(in_channels=16, num_frames=NUM_FRAMES),
    ),
}


def build(name='NanoHTNet', **settings):
    torch.manual_seed(0)
    backbone, projector = BACKBONES[name]
    settings = dict(dict(queue_size=64), **settings)
    model = dict(type='PoseCLR', backbone=backbone, projector=projector, **settings)
    model = MODELS.build(model)
    model.init_weights()
    return model


def views(count=6, num_views=3, seed=0):
    """Random motions seen by random cameras, as a batch."""
    rng = np.random.default_rng(seed)
    joints = rng.normal(0, 0.3, (count, 1, NUM_FRAMES, 17, 3)).astype(np.float32)
    angles = rng.uniform(-np.pi, np.pi, (count, num_views, 1, 1))
    x = joints[..., 0] * np.cos(angles) + joints[..., 1] * np.sin(angles)
    inputs = np.stack([x, np.broadcast_to(joints[..., 2], x.shape)], -1)
    samples = [
        PoseDataSample(metainfo=dict(performance=i, frame=0)) for i in range(count)
    ]
    return torch.from_numpy(inputs.astype(np.float32)), samples


def test_loss_is_that_of_the_definition():
    rng = torch.Generator().manual_seed(0)
    positives = torch.rand(4, 2, generator=rng)
    negatives = torch.rand(4, 5, generator=rng)
    negatives[1, 3] = -torch.inf
    terms = []
    for row in range(4):
        rest = sum(math.exp(z / 0.5) for z in negatives[row].tolist())
        for positive in positives[row].tolist():
            own = math.exp(positive / 0.5)
            terms.append(-math.log(own / (own + rest)))
    expected = torch.tensor(sum(terms) / len(terms))
    torch.testing.assert_close(info_nce(positives, negatives, 0.5), expected)


@pytest.mark.parametrize('name', BACKBONES)
def test_embeddings_are_unit_vectors_of_any_backbone(name):
    embedded = build(name).eval()(views()[0][:, 0])
    assert embedded.shape == (6, 17 * 8)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(6))


def test_training_starts_near_log_n_and_no_gradient_reaches_keys_or_queue():
    model = build(queue_size=512, temperature=10.0).train()
    losses = model(*views(), mode='loss')
    # similarities hardly differ at this temperature
    assert losses['loss'].item() == pytest.approx(math.log(513), abs=0.1)
    losses['loss'].backward()
    assert all(p.grad is not None for p in model.projector.parameters())
    assert all(p.grad is None for p in model.key_network.parameters())
    assert not model.queue.keys.requires_grad
    assert not any(module.training for module in model.key_network.modules())


def test_key_network_moves_by_the_momentum_rule_alone():
    model = build(momentum=0.9).train()
    start = [p.clone() for p in model.key_network.parameters()]
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            parameter.add_(0.5)
        for parameter in model.projector.parameters():
            parameter.add_(0.5)
    model(*views(), mode='loss')
    wanted = [before + 0.05 for before in start]
    torch.testing.assert_close([*model.key_network.parameters()], wanted)


def test_queue_wraps_and_excludes_near_moments():
    queue = MomentQueue(5, 2)
    before = queue.keys.clone()
    keys = torch.nn.functional.normalize(torch.arange(1.0, 9).view(4, 2))
    queue.write(keys, torch.arange(4), torch.arange(0, 40, 10))
    torch.testing.assert_close(queue.keys, torch.cat([keys, before[4:]]))
    queue.write(keys[:2], torch.tensor([8, 9]), torch.zeros(2, dtype=torch.int64))
    assert queue.position == 1
    assert queue.performances.tolist() == [9, 1, 2, 3, 8]
    known = queue.performances, queue.frames
    near = are_near((torch.tensor([1, 1]), torch.tensor([14, 15])), known, radius=4)
    assert near.tolist() == [[False, True, False, False, False], [False] * 5]


@pytest.mark.parametrize('name', BACKBONES)
def test_finetuning_starts_from_every_encoder_weight(name, tmp_path):
    model = build(name)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'pre.pth')
    start = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'pre.pth'), prefix='backbone'
    )
    backbone = dict(BACKBONES[name][0], init_cfg=start)
    head = dict(
        type='PoseLiftingHead',
        in_channels=BACKBONES[name][1]['in_channels'],
        decoder=dict(type='CameraPoseLifting'),
    )
    lifter = MODELS.build(dict(type='SequencePoseLifter', backbone=backbone, head=head))
    lifter.init_weights()
    torch.testing.assert_close(
        lifter.backbone.state_dict(), model.backbone.state_dict()
    )


def test_collapse_is_seen():
    same = torch.nn.functional.normalize(torch.ones(8, 4))
    assert retrieval_top1(same, same[:, None], torch.ones(8, 3)) == 0
