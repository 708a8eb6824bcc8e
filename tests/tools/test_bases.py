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
FAMILIES = [
    'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192',
    'wholebody_2d_keypoint/gtpt/coco-wholebody/gtpt-t_4xb64-300e_coco-wholebody-256x192',
    'detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320',
    *(
        f'body_3d_keypoint/{name}'
        for name in (
            'htnet/cmu_mocap/htnet_1frm_1xb512-15e_cmu',
            'nanohtnet/cmu_mocap/nanohtnet_27frm-keep3_1xb256-49e_cmu',
            'poseclr/cmu_mocap/poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild',
            'video_pose_lift/cmu_mocap/video-pose-lift_tcn-27frm_1xb32-10e_cmu-wild',
            'motionagformer/cmu_mocap/hot-motionagformer-xs_27frm-keep9_1xb16-60e_cmu',
            'mhformer/cmu_mocap/tpc-mhformer_81frm-keep27_1xb210-20e_cmu',
            'motionagformer/cmu_mocap/motionagformer-xs_27frm_1xb16-60e_cmu',
            'mixste/cmu_mocap/mixste-xs_81frm_1xb8-10e_cmu-wild',
            'hot/cmu_mocap/hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild',
            'hot/cmu_mocap/tps-tri-motionbert-xs_81frm-keep27_1xb8-20e_cmu-wild',
            'video_pose_lift/cmu_mocap/simple-baseline-3d_1frm_1xb32-10e_cmu-wild',
            'motionbert/cmu_mocap/motionbert-xs_81frm_1xb8-10e_cmu-wild',
        )
    ),
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


@pytest.mark.slow(reason='trains a model of each family three times')
@pytest.mark.parametrize('base', FAMILIES, ids=lambda name: Path(name).name)
def test_a_one_line_config_trains(base, tmp_path, run_tool, run_mim, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'own.py').write_text(f"_base_ = 'mmhot::{base}.py'\n")
    config, sample = Config.fromfile('own.py'), Config.fromfile('own.py')
    use_sample_data(sample)
    options = ['--cfg-options', *changes(config, sample)]
    has_test = 'poseclr_' not in base

    code, err = run_tool('train', 'own.py', '--sample', '--work-dir', 'ours')
    assert code == 0, err
    if has_test:
        args = 'own.py', 'ours/epoch_1.pth', '--sample', '--work-dir', 'ours'
        assert run_tool('test', *args)[0] == 0
    run_mim('train', 'own.py', '--work-dir', 'theirs', *options)
    if has_test:
        args = 'own.py', 'ours/epoch_1.pth', '--work-dir', 'theirs'
        run_mim('test', *args, *options)
    sample.work_dir = 'runner'
    Runner.from_cfg(sample).train()
    for folder in ('ours', 'theirs', 'runner'):
        assert (tmp_path / folder / 'epoch_1.pth').is_file()
