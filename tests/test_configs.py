"""Every config builds, runs, and feeds its model what it wants."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(CONFIGS.glob('[!_]*/*/*/*.py'))


@pytest.fixture(params=LEAVES, ids=lambda path: path.stem)
def config(request):
    return Config.fromfile(request.param)


@torch.no_grad()
def test_config_builds_a_lifter_that_runs(config):
    model = MODELS.build(config.model).eval()
    poses = model(torch.zeros(1, model.backbone.num_frames, 17, 2))
    assert poses.shape == (1, model.backbone.num_keep_frames, 17, 3)


def test_data_have_the_frames_that_the_model_wants(config):
    backbone = MODELS.build(config.model).backbone
    for split in ('train', 'val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        assert dataset.seq_len == backbone.num_frames
    assert config.train_dataloader.dataset.num_targets == backbone.num_keep_frames


def test_config_names_our_plugin(config):
    assert config.custom_imports.imports == ['mmhot.plugin']
    assert config.default_scope == 'mmpose'


def test_config_can_be_resumed_and_trained_by_several_processes(config):
    hooks = [hook['type'] for hook in config.custom_hooks]
    assert {'EpochSeedHook', 'SyncBuffersHook'} <= set(hooks)


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_config_is_listed_in_the_metafile(path):
    metafile = (path.parents[1] / 'metafile.yml').read_text()
    assert f'Config: {path.relative_to(CONFIGS.parent)}' in metafile
