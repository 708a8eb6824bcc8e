"""Conversion of published checkpoints."""

from collections import OrderedDict

import numpy as np
import official_weights
import pytest
import torch
from mmpose.registry import MODELS
from published import load_fixture

from tools.model_converters.conversion import convert_published
from tools.model_converters.htnet import _NANOHTNET
from tools.model_converters.published_model import rename_keys

SIZES = {
    'frames': 9,
    'keep_frames': 3,
    'channel': 48,
    'layers': 2,
    'd_hid': 16,
    'hid': 2,
    'gcn_hidden': 12,
    'heads': 8,
}


def build_config(frames, keep_frames, channel, layers, d_hid, hid, gcn_hidden, heads):
    """Expected config of a published model of these sizes."""
    return {
        'type': 'SequencePoseLifter',
        'backbone': {
            'type': 'NanoHTNet',
            'num_frames': frames,
            'num_keep_frames': keep_frames,
            'embed_dims': channel,
            'depth': layers,
            'num_heads': heads,
            'mlp_dims': d_hid,
            'graph_dims': gcn_hidden,
            'branch_dims': hid,
        },
        'head': {
            'type': 'PoseLiftingHead',
            'in_channels': 2 * hid,
            'decoder': {'type': 'CameraPoseLifting'},
        },
        'test_cfg': {'flip_test': True, 'target': 'center'},
    }


def publish(state_dict):
    """Turn our state dict of a NanoHTNet of up to 3 layers into a published one."""
    published = {}
    for key in load_fixture('nanohtnet_81f_9k')[0]['state']:
        (ours,) = rename_keys({key: key}, _NANOHTNET)
        if ours not in state_dict:
            continue
        tensor = state_dict[ours]
        if key.endswith('pos_embed'):
            tensor = tensor[None]
        if '.ipc.conv' in key and key.endswith('weight'):
            kernel = 3 if 'conv1' in key else 2
            tensor = tensor.unflatten(1, (kernel, -1)).transpose(1, 2)
        published[key] = tensor
    return published


def published_tiny(**other):
    """Published state dict of a tiny model with random weights, and ours."""
    torch.manual_seed(0)
    model = MODELS.build(build_config(**(SIZES | other)))
    ours = model.state_dict()
    return publish(ours), ours


@pytest.fixture(scope='module')
def tiny():
    return published_tiny()[0]


@pytest.mark.parametrize('name', ['nanohtnet_243f_9k', 'nanohtnet_81f_9k'])
def test_sizes_are_read_off_the_shapes(name):
    meta, _ = load_fixture(name)
    config, state_dict = convert_published(official_weights.state_dict(meta))
    expected = {key: value for key, value in meta['config'].items() if key != 'joints'}
    assert config == build_config(**expected)
    MODELS.build(config).load_state_dict(state_dict, strict=True)


@pytest.mark.parametrize(
    'other',
    [
        {},
        {'frames': 27, 'keep_frames': 27},
        {'frames': 1, 'keep_frames': 1, 'layers': 1},
        {'channel': 96, 'd_hid': 24, 'hid': 5},
        {'channel': 72, 'heads': 4, 'gcn_hidden': 7, 'layers': 3},
    ],
)
def test_other_sizes_convert_to_the_same_weights(other):
    published, ours = published_tiny(**other)
    sizes = SIZES | other
    config, converted = convert_published(published, heads=sizes['heads'])
    assert config == build_config(**sizes)
    torch.testing.assert_close(converted, ours, rtol=0, atol=0)


@pytest.mark.parametrize('wrapper', ['state_dict', 'model', 'ema_state_dict'])
@pytest.mark.parametrize('weights', ['ema', 'model'])
def test_wrappers_and_prefixes_are_removed(tiny, wrapper, weights):
    prefixed = OrderedDict((f'module.{key}', value) for key, value in tiny.items())
    checkpoint = {wrapper: prefixed, 'epoch': 3, 'optimizer': {}}
    _, converted = convert_published(checkpoint, weights=weights)
    assert torch.equal(converted['head.fc.bias'], tiny['fc.bias'])


@pytest.mark.parametrize('copies', ['wrapped', 'prefixed'])
def test_weights_selects_one_of_two_copies(tiny, copies):
    averaged = {key: value + 1 for key, value in tiny.items()}
    if copies == 'wrapped':
        checkpoint = {'state_dict': tiny, 'ema_state_dict': averaged}
    else:
        checkpoint = tiny | {f'ema_{key}': value for key, value in averaged.items()}
    bias = {
        weights: convert_published(checkpoint, weights=weights)[1]['head.fc.bias']
        for weights in ('ema', 'model')
    }
    assert torch.equal(bias['model'], tiny['fc.bias'])
    assert torch.equal(bias['ema'], tiny['fc.bias'] + 1)
    assert torch.equal(convert_published(checkpoint)[1]['head.fc.bias'], bias['ema'])


def test_missing_and_unknown_keys_are_named(tiny):
    state_dict = {key: tiny[key] for key in tiny if 'blocks.1.ipc.conv2' not in key}
    state_dict['extra.weight'] = torch.zeros(1)
    with pytest.raises(
        ValueError,
        match=r'NanoHTNet: .*pool2\.proj\.bias is missing; extra\.weight is not known',
    ):
        convert_published(state_dict)
    state_dict = {key: tiny[key] for key in tiny if key != 'tem_pos_embed'}
    with pytest.raises(ValueError, match=r'complete NanoHTNet: .*temporal_position'):
        convert_published(state_dict)


@pytest.mark.parametrize(
    ('checkpoint', 'message'),
    [
        ([], 'must be a dict of tensors, got list'),
        ({}, 'empty'),
        ({'a': 'b'}, "must hold tensors, got str at 'a'"),
        ({'a.weight': np.zeros(1)}, r'\(.*NanoHTNet.*\) has such keys: a\.weight'),
        ({'backbone.a': np.zeros(1)}, 'already one of MMPose'),
    ],
)
def test_unknown_checkpoints_are_refused(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        convert_published(checkpoint)
