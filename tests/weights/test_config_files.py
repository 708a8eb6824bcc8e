"""Configs within checkpoints."""

import pytest
from mmengine.config import Config

from mmhot.chain.pose2d.mmpose_models import MMPoseDetector
from mmhot.weights.config_files import parse_config_text, read_config_file
from mmhot.weights.names import DETECTOR, Model, resolve
from tools.training_data import import_modules_of


def test_text_written_by_mmengine_is_parsed():
    config = Config(
        {
            'model': {'type': 'A', 'rates': (0.0, -1.5), 'nested': [{'b': None}]},
            'flag': True,
            'numbers': {0: 'zero', 'no-name': 1e-06},
        }
    )
    assert parse_config_text(config.pretty_text).to_dict() == config.to_dict()


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        'a = __import__("os").system("true")',
        'a = [print(1)]',
        'a = dict(b=open("file"))',
        'a = dict(**b)',
        'a.b = 1',
        'a = (lambda: 1)()',
        'a = f"{1}"',
        'a = b',
    ],
)
def test_code_is_refused(text):
    with pytest.raises(ValueError, match='line 1 of the config inside is not'):
        parse_config_text(text)


@pytest.mark.parametrize('text', ['1 / 0', 'import sys; sys.exit(0)', 'x = ('])
def test_files_that_are_no_configs_are_refused(tmp_path, text):
    (tmp_path / 'a.py').write_text(text)
    with pytest.raises(ValueError, match='a.py is not a usable config: .*(Error|Exit)'):
        read_config_file(tmp_path / 'a.py')


CLASH = """
from mmpose.registry import MODELS

@MODELS.register_module()
class BoneLoss:
    pass
"""


def test_a_name_of_mmpose_is_to_be_another(tmp_path, monkeypatch):
    (tmp_path / 'own_losses.py').write_text(CLASH)
    (tmp_path / 'a.py').write_text("custom_imports = dict(imports=['own_losses'])")
    monkeypatch.syspath_prepend(tmp_path)
    message = 'a.py.*: BoneLoss is already registered in .*_loss: choose another name$'
    with pytest.raises(ValueError, match=message):
        read_config_file(tmp_path / 'a.py')
    config = read_config_file(tmp_path / 'a.py', import_modules=False)
    with pytest.raises(ValueError, match=message):
        import_modules_of(config)


def test_a_detector_whose_config_states_no_scope_is_mmdetections(tmp_path):
    config = read_config_file(resolve('rtmdet-nano-person', DETECTOR).config)
    parts = {key: config[key] for key in ('model', 'test_dataloader')}
    del parts['model']['_scope_']
    Config(parts).dump(path := tmp_path / 'own.py')
    MMPoseDetector(Model('own', path, 'rtmdet-nano_person_synth'))
