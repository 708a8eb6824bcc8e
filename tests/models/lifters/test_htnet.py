"""Invariants of HTNet and NanoHTNet; test_parity.py has the published numbers."""

import official_weights
import pytest
import torch
from mmpose.registry import MODELS
from published import load_fixture, samples

from mmhot.models.lifters.htnet import HTNet
from tools.model_converters.conversion import convert_published


@torch.no_grad()
def test_frames_are_independent_and_keep_their_axis():
    torch.manual_seed(0)
    model = HTNet(embed_dims=24, mlp_dims=16, graph_dims=12, depth=2).eval()
    x = torch.randn(3, 5, 17, 2)
    alone = torch.stack([model(x[:, frame : frame + 1])[:, 0] for frame in range(5)], 1)
    torch.testing.assert_close(model(x), alone, rtol=1e-5, atol=1e-5)


def test_both_published_names_of_the_head_are_converted():
    meta, _ = load_fixture('htnet')
    state = official_weights.state_dict(meta)
    _, wanted = convert_published(dict(state))
    for part in ('weight', 'bias'):
        state[f'fc.{part}'] = state.pop(f'fcn.{part}')
    _, found = convert_published(state)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


TINY = {
    'num_frames': 9,
    'num_keep_frames': 3,
    'embed_dims': 48,
    'mlp_dims': 16,
    'graph_dims': 12,
    'branch_dims': 2,
    'depth': 2,
}


def tiny_model(flip_test=False, target='all', **backbone):
    """Build an untrained lifter of a few thousand parameters."""
    torch.manual_seed(0)
    config = {
        'type': 'SequencePoseLifter',
        'backbone': {'type': 'NanoHTNet', **TINY, **backbone},
        'head': {
            'type': 'PoseLiftingHead',
            'in_channels': 4,
            'decoder': {'type': 'CameraPoseLifting'},
        },
        'test_cfg': {'flip_test': flip_test, 'target': target},
    }
    return MODELS.build(config).eval()


@pytest.mark.parametrize('skeleton', ['h36m-17', 'coco-17'])
@pytest.mark.parametrize('sizes', [{}, {'num_frames': 1, 'num_keep_frames': 1}])
def test_gradients_reach_every_parameter(skeleton, sizes):
    model = tiny_model(skeleton=skeleton, **sizes).train()
    frames = model.backbone.num_frames
    torch.manual_seed(0)
    model(torch.randn(64, frames, 17, 2)).square().sum().backward()
    for name, parameter in model.named_parameters():
        # One frequency has no neighbors.
        if frames == 1 and name.startswith('backbone.temporal') and 'offset' in name:
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@torch.no_grad()
def test_result_of_a_window_does_not_depend_on_its_batch():
    model = tiny_model()
    x = torch.randn(5, 9, 17, 2)
    alone = torch.cat([model(window[None]) for window in x])
    torch.testing.assert_close(model(x), alone, rtol=1e-5, atol=1e-5)


def test_loss_can_ignore_keypoints_of_weight_zero():
    model = tiny_model()
    model.head.loss_module = MODELS.build(
        {'type': 'MPJPELoss', 'use_target_weight': True}
    )
    target = torch.randn(2, 3, 17, 3)
    weight = torch.ones(2, 3, 17)
    weight[:, :, 5] = 0
    results = []
    for value in (0.0, 9.0):
        target[:, :, 5] = value
        batch = samples(2, lifting_target_label=target, lifting_target_weight=weight)
        losses = model(torch.zeros(2, 9, 17, 2), batch, mode='loss')
        results.append(torch.stack(list(losses.values())))
    torch.testing.assert_close(*results)
