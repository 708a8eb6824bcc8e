"""Training configs build, and train on a shard of a few people."""

import re
import subprocess
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpose.registry import MODELS
from packed_shards import packed_people

import mmhot.plugin  # noqa: F401 registers
import projects.rendered_people.training  # noqa: F401 registers
from projects.rendered_people.packed_people import write_packed_people

PROJECT = Path(__file__).parents[1]
CONFIGS = sorted((PROJECT / 'configs').glob('*.py'))
SCRIPTS = sorted(PROJECT.rglob('*.sh'))
TOPDOWN = [path for path in CONFIGS if 'rtmdet' not in path.name]
PATHS = {path.stem: path for path in CONFIGS}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds_its_model(path):
    config = Config.fromfile(path)
    assert config.custom_imports.imports == [
        'mmhot.plugin',
        'projects.rendered_people.training',
    ]
    with DefaultScope.overwrite_default_scope(config.default_scope):
        MODELS.build(config.model)


@pytest.mark.parametrize('path', TOPDOWN, ids=lambda path: path.stem)
def test_encoder_and_decoder_have_the_size_of_the_crops(path):
    config = Config.fromfile(path)
    size = tuple(config.codec.input_size)
    assert tuple(config.model.head.decoder.input_size) == size
    steps = config.train_dataloader.dataset.pipeline
    for pipeline in (steps, config.val_dataloader.dataset.pipeline):
        [crop] = (step for step in pipeline if step.type == 'TopdownAffine')
        assert tuple(crop.input_size) == size
    [target] = (step for step in steps if step.type == 'GenerateTarget')
    assert tuple(target.encoder.input_size) == size
    # other codecs would use the flag of absent keypoints as a negative weight
    has_absent = target.encoder.get('absent_weight', 0) > 0
    assert config.train_dataloader.dataset.complete == has_absent


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.stem)
def test_script_names_existing_configs_and_commands(path):
    subprocess.run(['bash', '-n', str(path)], check=True)
    text, root = path.read_text(), PROJECT.parents[1]
    for name in re.findall(r'[\w/]*configs/[\w/.-]+\.py', text):
        assert (root / name).is_file(), name
    for name in re.findall(r'-m projects\.rendered_people\.(\w+)', text):
        assert (PROJECT / f'{name}.py').is_file() or (PROJECT / name).is_dir(), name
    if path.parent.name == 'recipes':
        assert (root / 'mmhot/weights' / f'{path.stem}.pth').is_file()


def with_shards(config, folder):
    """Read a shard of four people; a batch of two, in one process."""
    path = folder / 'people.npz'
    write_packed_people(packed_people(), path)
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        loader.dataset.update(ann_file=str(path), data_root='')
    return config


@pytest.mark.slow(reason='trains')
@pytest.mark.parametrize(
    'name',
    [
        'gtpt-t_1xb32-20e_rendered-128x96',
        'gtpt-t_1xb512-minutes_rendered-wide-256x192',
        'rtmpose-t_1xb32-20e_rendered-128x96',
    ],
)
def test_config_trains(name, tmp_path):
    pytest.importorskip('albumentations')
    config = with_shards(Config.fromfile(PATHS[name]), tmp_path)
    config.train_cfg.update(max_epochs=1, val_interval=1)
    if 'num_samples' in config.train_dataloader.sampler:
        config.train_dataloader.sampler.num_samples = 4
    config.work_dir = str(tmp_path)
    runner = Runner.from_cfg(config)
    before = [parameter.clone() for parameter in runner.model.parameters()]
    runner.train()
    changed = zip(before, runner.model.parameters(), strict=True)
    assert not all(torch.equal(*pair) for pair in changed)


TOKENS = {'head.coarse_encoder.query_tokens', 'head.coarse_encoder.human_token'}
CLASSIFIERS = {'head.classify_x.1.weight', 'head.classify_y.1.weight'}


@pytest.mark.parametrize(
    ('name', 'others'),
    [
        ('gtpt-t_1xb32-20e_rendered-128x96', TOKENS | CLASSIFIERS),
        (
            'gtpt-t_1xb32-10e_rendered-wholebody-192x144',
            TOKENS | CLASSIFIERS | {'head.coarse_to_fine.dense_tokens'},
        ),
        (
            'rtmpose-t_1xb32-20e_rendered-128x96',
            {
                'head.gau.gamma',
                'head.gau.beta',
                'head.cls_x.weight',
                'head.cls_y.weight',
            },
        ),
    ],
)
def test_tokens_and_classifiers_are_not_optimized_by_muon(name, others):
    config = Config.fromfile(PATHS[name])
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(config.model)
        optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    adamw = {
        id(parameter)
        for group in optimizer.parts[1].param_groups
        for parameter in group['params']
    }
    left = {
        name
        for name, parameter in model.named_parameters()
        if id(parameter) in adamw and parameter.ndim == 2
    }
    assert left == others
