"""One-line configs on ``mmhot::`` train and are tested by our tools and MMPose's."""

import runpy
import sys
from pathlib import Path

import mmpose
import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from tools.training_data import use_sample_data

MIM_TOOLS = Path(mmpose.__file__).parent / '.mim/tools'
BASES = [
    'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192',
    'wholebody_2d_keypoint/gtpt/coco-wholebody/gtpt-t_4xb64-300e_coco-wholebody-256x192',
    'detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320',
    'body_3d_keypoint/hot/cmu_mocap/hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild',
]


def changes(before, after, prefix=''):
    """Yield what ``--cfg-options`` need to turn a config into another."""
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            yield from changes(old, value, f'{prefix}{key}.')
        elif value != old:
            yield f'{prefix}{key}={value}'


@pytest.fixture
def run_mim(monkeypatch):
    """Run MMPose's own train or test tool, as it is installed."""

    def run(name, *args):
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, args)])
        runpy.run_path(str(MIM_TOOLS / f'{name}.py'), run_name='__main__')

    return run


@pytest.mark.slow(reason='trains four models three times')
@pytest.mark.parametrize('base', BASES, ids=lambda name: Path(name).name)
def test_a_one_line_config_trains(base, tmp_path, run_tool, run_mim, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'own.py').write_text(f"_base_ = 'mmhot::{base}.py'\n")
    config, sample = Config.fromfile('own.py'), Config.fromfile('own.py')
    use_sample_data(sample)
    options = ['--cfg-options', *changes(config, sample)]

    code, err = run_tool('train', 'own.py', '--sample', '--work-dir', 'ours')
    assert code == 0, err
    args = 'own.py', 'ours/epoch_1.pth', '--sample', '--work-dir', 'ours'
    assert run_tool('test', *args)[0] == 0
    run_mim('train', 'own.py', '--work-dir', 'theirs', *options)
    args = 'own.py', 'ours/epoch_1.pth', '--work-dir', 'theirs'
    run_mim('test', *args, *options)
    sample.work_dir = 'runner'
    Runner.from_cfg(sample).train()
    for folder in ('ours', 'theirs', 'runner'):
        assert (tmp_path / folder / 'epoch_1.pth').is_file()
