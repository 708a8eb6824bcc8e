"""Every option of docs/experiments.md changes the model that it names."""

import argparse
import re
from functools import cache
from pathlib import Path

import pytest
import torch

from mmhot.weights.config_files import read_config_file
from mmhot.weights.loading import build_model
from tools.analysis.cost import count_cost, input_shape
from tools.runner import add_config_options, merge_options

ROOT = Path(__file__).parents[2]
HOT = 'body_3d_keypoint/hot/cmu_mocap/hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild.py'
GTPT = 'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192.py'
PAGE = (ROOT / 'docs/experiments.md').read_text()
ABLATIONS = re.findall(r'`(model\.[^`]+)`', PAGE.split('## Ablations')[1])
SAME_COST = 'UniformPruner', 'scale_by_head', 'loss.'


def read_options(line):
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    return parser.parse_args(['--cfg-options', *line.split()]).cfg_options


def build(leaf, line=None):
    config = read_config_file(ROOT / 'configs' / leaf)
    merge_options(config, read_options(line) if line else None)
    return config, build_model(config.model, leaf, 'mmpose')


@cache
def before(leaf):
    config, model = build(leaf)
    return config.model.to_dict(), count(config, model)


def count(config, model):
    inputs = torch.zeros(1, *input_shape(config, model))
    return count_cost(model, inputs, None, mode='tensor').macs


@pytest.mark.parametrize('line', ABLATIONS)
def test_every_ablation_is_one_option(line):
    is_2d = 'model.head' in line or 'keep_rates' in line
    leaf = GTPT if is_2d else HOT
    config, model = build(leaf, line)
    settings, macs = before(leaf)
    assert config.model.to_dict() != settings
    if 'keep_rates' in config.model.test_cfg:
        model.head.keep_rates = config.model.test_cfg.keep_rates
    if not any(name in line for name in SAME_COST):
        assert count(config, model) != macs


def test_replaced_types_lose_foreign_arguments_alone():
    config, _ = build(HOT, 'model.backbone.recoverer.type=TimedAttentionRecoverer')
    assert config.model.backbone.recoverer == dict(type='TimedAttentionRecoverer')
    assert config.model.backbone.pruner.num_keep == 27
    line = 'model.backbone.recoverer.type=InterpolationRecoverer '
    with pytest.raises(ValueError, match="argument 'sine_start'"):
        build(HOT, line + 'model.backbone.recoverer.sine_start=True')


def test_pyramids_have_a_depth_for_each_count():
    line = 'model.backbone.pruner.num_keep=[41,21] model.backbone.pruner.depth=[2,4,6]'
    with pytest.raises(ValueError, match='lists of the same length'):
        build(HOT, line)
