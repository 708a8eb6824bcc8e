"""Conversion of published checkpoints of GTPT."""

import official_weights
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from paths import ROOT
from published import load_fixture

from tools.model_converters.conversion import convert_file, convert_published
from tools.model_converters.gtpt import _RULES
from tools.model_converters.published_model import rename_keys

SIZES = [f'{size}_{data}' for data in ('coco', 'wholebody') for size in 'tsb']


def constants(meta):
    """Constant tensors as published: tables of positions and masks."""
    head = MODELS.build(convert_published(empty(meta))[0]).head
    return {
        key: head.coarse_encoder.positions[None, 1:] + 1e-6
        if key.endswith('pos_embedding')
        else torch.ones(shape, dtype=torch.bool)
        for key, (shape, _) in meta['constant'].items()
    }


def empty(meta):
    """State dict of zeros: names and shapes only."""
    return {key: torch.zeros(shape) for key, (shape, _) in meta['state'].items()}


@pytest.fixture(scope='module')
def tiny():
    """Meta data and the complete published state dict of the smallest model."""
    meta, _ = load_fixture('gtpt_t_wholebody')
    state_dict = {
        key: torch.from_numpy(value)
        for key, value in official_weights.state_dict(meta).items()
    }
    return meta, {**state_dict, **constants(meta)}


@pytest.mark.parametrize('name', SIZES)
def test_config_equals_the_base_config(name):
    meta, _ = load_fixture(f'gtpt_{name}')
    config, _ = convert_published(empty(meta))
    file = f'gtpt-{name.removesuffix("_coco")}.py'
    expected = Config.fromfile(ROOT / 'configs/_base_/models' / file).model
    with DefaultScope.overwrite_default_scope('mmpose'):
        ours, theirs = MODELS.build(config), MODELS.build(expected)
    assert repr(ours) == repr(theirs)
    assert ours.head.keep_rates == list(theirs.head.keep_rates)
    assert ours.test_cfg == theirs.test_cfg
    assert torch.equal(ours.data_preprocessor.mean, theirs.data_preprocessor.mean)
    assert meta['config']['keep_rates'] == ours.head.keep_rates


def test_every_tensor_is_converted(tiny):
    meta, state_dict = tiny
    for weights, copy in (('ema', 'ema_'), ('model', '')):
        _, converted = convert_published(state_dict, weights)
        published = [
            key
            for key in meta['state']
            if key[:4] != 'ema_' and key not in meta['constant']
        ]
        for key in published:
            if key.endswith('extra_token'):
                continue
            (ours,) = rename_keys({key: key}, _RULES)
            theirs = state_dict[f'{copy}{key}']
            if key.endswith('.keypoint_token'):
                parts = state_dict[f'{copy}features.extra_token']
                theirs = torch.cat([parts, theirs], dim=1)
            assert torch.equal(converted[ours].flatten(), theirs.flatten()), key


def test_files_of_the_training_script_are_converted(tiny, tmp_path):
    _, state_dict = tiny
    later = {key: value + 1 for key, value in state_dict.items()} | {
        key: state_dict[key] for key in state_dict if 'pos_emb' in key
    }
    bias = 'head.classify_x.1.bias'
    _, averaged = convert_published(state_dict)
    _, online = convert_published(state_dict, 'model')
    files = {
        'model_best.pth': state_dict,
        'final_state.pth': {f'module.{key}': state_dict[key] for key in state_dict},
        'checkpoint.pth': {
            'epoch': 3,
            'model': 'gtpt',
            'best_state_dict': state_dict,
            'state_dict': {f'module.{key}': value for key, value in later.items()},
            'perf': 0.5,
            'optimizer': {},
        },
    }
    for name, content in files.items():
        torch.save(content, tmp_path / name)
        config = convert_file(tmp_path / name, tmp_path / 'ours.pth')
        written = torch.load(tmp_path / 'ours.pth', weights_only=True)
        assert torch.equal(written['state_dict'][bias], averaged[bias])
        assert 'lifting' not in written['meta']['cfg']
        MODELS.build(config).load_state_dict(written['state_dict'], strict=True)
        _, converted = convert_published(content, 'model')
        later_by = 1 if name == 'checkpoint.pth' else 0
        torch.testing.assert_close(converted[bias], online[bias] + later_by)


def test_tool_takes_the_online_copy(tiny, tmp_path, run_tool):
    source, target = tmp_path / 'model_best.pth', tmp_path / 'ours.pth'
    torch.save(tiny[1], source)
    options = ['--weights', 'model', '--settings', 'keep_rates=[1, 0.5]']
    out = run_tool('convert_checkpoint', source, target, *options)
    assert 'GTPTStem' in out
    written = torch.load(target, weights_only=True)
    bias = written['state_dict']['head.classify_x.1.bias']
    assert torch.equal(bias, tiny[1]['mlp_head_x.1.bias'])
    text = Config.fromstring(written['meta']['cfg'], '.py')
    assert text.model.head.keep_rates == [1, 0.5]
