"""Configs within checkpoints."""

import pytest
from mmengine.config import Config

from mmhot.weights.config_files import parse_config_text, read_config_file


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
    with pytest.raises(ValueError, match='line 1, and is not run'):
        parse_config_text(text)


@pytest.mark.parametrize('text', ['1 / 0', 'import sys; sys.exit(0)', 'x = ('])
def test_files_that_are_no_configs_are_refused(tmp_path, text):
    (tmp_path / 'a.py').write_text(text)
    with pytest.raises(ValueError, match='a.py is not a usable config: .*(Error|Exit)'):
        read_config_file(tmp_path / 'a.py')
