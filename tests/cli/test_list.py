"""``mmhot list``: what comes with the package."""

import pytest

from mmhot.cli.dispatch import main
from mmhot.weights import index as model_index
from mmhot.weights.index import find_model, read_models


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Two models, one of them shipped."""
    folder = tmp_path / '.mim'
    metafile = folder / 'configs/body_3d_keypoint/tiny/metafile.yml'
    metafile.parent.mkdir(parents=True)
    (folder / 'model-index.yml').write_text(
        'Import:\n- configs/body_3d_keypoint/tiny/metafile.yml\n'
    )
    metafile.write_text("""
Models:
- Name: tiny_27frm
  Alias: tiny
  Config: configs/body_3d_keypoint/tiny/cmu/tiny_27frm.py
  In Collection: TinyNet
  Metadata:
    Parameters: 1234567
    MACs: 7654321000
    Training Data: CMU motion capture
  Weights: mmhot://tiny-wild
  Results:
  - Metrics:
      MPJPE: 50.4
- Name: plain
  Config: configs/body_3d_keypoint/tiny/cmu/plain.py
  In Collection: Plain
""")
    weights = tmp_path / 'weights'
    weights.mkdir()
    (weights / 'tiny-wild.pth').write_bytes(bytes(2_500_000))
    (weights / 'tiny-wild.md').write_text('card')
    monkeypatch.setattr(model_index, 'FOLDER', folder)
    monkeypatch.setattr(model_index, 'WEIGHTS_FOLDER', weights)
    return tmp_path


def test_tables_name_models_sizes_and_weights(index, capsys):
    assert main(['list', '--all']) == 0
    head, tiny, plain = capsys.readouterr().out.splitlines()
    assert head.split() == [
        *('alias', 'model', 'algorithm', 'task', 'parameters', 'MACs', 'weights')
    ]
    assert tiny.split() == [
        *('tiny', 'tiny_27frm', 'TinyNet', 'body_3d_keypoint'),
        *('1.23', 'M', '7.65', 'G', 'shipped'),
    ]
    assert plain.split() == ['-', 'plain', 'Plain', 'body_3d_keypoint', *'---']
    assert main(['list']) == 0
    short = ['and 1 configs to train: mmhot list --all']
    assert capsys.readouterr().out.splitlines() == [head, tiny, *short]
    assert main(['list', 'tiny']) == 0
    assert capsys.readouterr().out.splitlines()[-4:] == [
        'mmhot://tiny-wild  2.5 MB',
        '  of    tiny_27frm',
        f'  file  {index}/weights/tiny-wild.pth',
        f'  card  {index}/weights/tiny-wild.md',
    ]


@pytest.mark.parametrize('pattern', ['TINY', 'tiny_2', 'tinynet'])
def test_pattern_chooses_models_and_their_weights(pattern, index, capsys):
    assert main(['list', pattern]) == 0
    out = capsys.readouterr().out
    assert 'tiny_27frm' in out
    assert 'mmhot://tiny-wild' in out
    assert 'plain' not in out.lower()


def test_every_model_of_the_index_has_a_config_that_is_found_by_name():
    models = read_models()
    names = [name for model in models for name in (model.name, *model.aliases)]
    assert len(names) == len(set(names))
    for model in models:
        assert model.name == model.config.stem
        assert model.config.is_file(), model.config
        # only metafiles that contain the name are parsed
        for name in (model.name, *model.aliases, model.weights):
            assert not name or find_model(name).is_called(name)
    assert find_model('no-such-model') is None
