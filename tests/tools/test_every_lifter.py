"""Every 3D config trains for two steps, is tested, and lifts keypoints."""

from pathlib import Path

import numpy as np
import pytest
from h36m_files import write_files
from mmengine.config import Config

from mmhot.cli.dispatch import main
from mmhot.cli.training_data import shorten

ROOT = Path(__file__).parents[2]
LIFTERS = sorted(ROOT.glob('configs/body_3d_keypoint/*/*/*.py'))
CLIP = ROOT / 'tests/data/demo_2d_coco17.npz'


@pytest.mark.slow(reason='trains models of full size, about a quarter of an hour')
@pytest.mark.parametrize('path', LIFTERS, ids=lambda path: path.stem)
def test_config_trains_tests_and_lifts(path, tmp_path, run_tool, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [path, '--sample']
    if path.parent.name == 'h36m':
        config = Config.fromfile(path)
        write_files(tmp_path / 'data/h36m')
        shorten(config)
        config.dump(tmp_path / 'short.py')
        options = [tmp_path / 'short.py']
    options += ['--work-dir', 'work']
    code, err = run_tool('train', *options)
    assert code == 0, err
    if 'head' not in Config.fromfile(path).model:
        return  # pre-training only
    checkpoint = tmp_path / 'work/epoch_1.pth'
    code, err = run_tool('test', options[0], checkpoint, *options[1:])
    assert code == 0, err
    lift = ['lift', str(CLIP), '--checkpoint', str(checkpoint), '--out-dir', 'out']
    assert main([*lift, '--formats', 'npz']) == 0
    with np.load(f'out/{CLIP.name}') as result:
        assert np.isfinite(result['keypoints_3d']).all()
