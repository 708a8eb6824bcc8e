"""Configs within checkpoints: values only, of known types and keys."""

import os
from pathlib import Path

import pytest
import torch
from hostile_configs import CONFIGS, HARM, UNREAD, write
from lifters import lifter_config
from mmengine.config import Config
from safetensors.torch import save_file

from mmhot.chain.lifting.lifter import Lifter
from mmhot.weights.checkpoint_configs import config_within


@pytest.fixture
def folder(work_folder, monkeypatch):
    """Work in a folder of programs that leave a mark when they are run."""
    (work_folder / 'evilmod').mkdir()
    names = ('note.txt', 'evil.py', 'h36m.py', 'evil.pkl', 'GTPTLabel.py')
    for name in (*names, 'evilmod/__init__.py', 'evilmod/registry.py'):
        (work_folder / name).write_text(HARM)
    base = work_folder / 'configs/_base_/datasets'
    base.mkdir(parents=True)
    (base / 'h36m.py').write_text(HARM)
    monkeypatch.syspath_prepend(work_folder)
    monkeypatch.delenv('HARM', raising=False)
    return work_folder


@pytest.mark.parametrize(
    ('name', 'suffix'),
    [*((name, '.pth') for name in CONFIGS), ('lifting', '.safetensors')],
)
def test_checkpoint_runs_and_opens_nothing(name, suffix, folder):
    path = write(folder / f'evil{suffix}', CONFIGS[name])
    with pytest.raises(ValueError, match=f'^{path}: .+') as caught:
        Lifter(checkpoint=path)
    assert '\n' not in str(caught.value)
    assert 'HARM' not in os.environ
    assert not (folder / 'harm').exists()


@pytest.mark.parametrize('name', UNREAD)
def test_settings_of_training_are_not_used(name, folder):
    assert Lifter(checkpoint=write(folder / 'a.pth', UNREAD[name])).seq_len == 9
    assert 'HARM' not in os.environ


def test_mmposes_metainfo_is_its_own_file_and_not_that_of_the_folder(folder):
    metainfo = dict(from_file='configs/_base_/datasets/h36m.py')
    path = write(folder / 'a.pth', dict(lifting=dict(metainfo=metainfo)))
    assert Lifter(checkpoint=path).skeleton.name == 'h36m-17'
    assert 'HARM' not in os.environ


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_metainfo_of_the_dataset_replaces_a_file(suffix, folder):
    names = [f'joint_{number}' for number in range(17)]
    parsed = dict(
        dataset_name='own',
        keypoint_id2name=dict(enumerate(names)),
        flip_indices=list(range(17)),
        skeleton_links=[[0, number] for number in range(1, 17)],
    )
    metainfo = dict(from_file='gone.py')
    path = write(
        folder / f'a{suffix}',
        dict(lifting=dict(metainfo=metainfo)),
        dict(dataset_meta=parsed),
    )
    skeleton = Lifter(checkpoint=path).skeleton
    assert list(skeleton.joints) == names
    assert skeleton.parents == (-1, *[0] * 16)
    path = write(folder / f'b{suffix}', dict(lifting=dict(metainfo=metainfo)))
    with pytest.raises(ValueError, match=r'metainfo gone.py.*give its config too$'):
        Lifter(checkpoint=path)


def test_types_take_their_arguments_alone(folder):
    path = write(folder / 'a.pth', dict(model=dict(backbone=dict(evil=1))))
    with pytest.raises(ValueError, match="has 'evil', which NanoHTNet does not take"):
        Lifter(checkpoint=path)


def test_metadata_of_safetensors_is_no_config_but_text(folder):
    path = folder / 'a.safetensors'
    meta = '{"cfg": {"model": {"type": "evilmod.X"}}}'
    save_file(dict(a=torch.zeros(1)), path, dict(format='pt', meta=meta))
    with pytest.raises(ValueError, match='contains no config'):
        Lifter(checkpoint=path)


def test_settings_of_shipped_configs_are_kept():
    config = lifter_config(fps=25.0, mapping='hot')
    config.codec = dict(type='CameraPoseLifting', num_keypoints=17)
    expected = config.to_dict()
    config.model.backbone.init_cfg = [dict(type='TruncNormal', layer='Linear', std=0.2)]
    meta = dict(cfg=config.pretty_text)
    assert config_within(Path('a.pth'), dict(meta=meta)).to_dict() == expected
    assert isinstance(config_within(Path('a.pth'), dict(meta=meta)), Config)
