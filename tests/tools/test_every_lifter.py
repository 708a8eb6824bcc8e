"""Every config of a lifter trains for two steps, is tested, and lifts keypoints."""

from pathlib import Path

import numpy as np
import pytest
from h36m_files import write_files
from mmengine.config import Config

from mmhot.cli.dispatch import main
from mmhot.cli.training_data import shorten

ROOT = Path(__file__).parents[2]
PATHS = sorted(ROOT.glob('configs/body_3d_keypoint/*/*/*.py'))
CLIP = ROOT / 'tests/data/demo_2d_coco17.npz'


KEPT = ('seq_len', 'num_targets', 'stride', 'times', 'centered', 'pipeline')


def on_human36m(config, folder):
    """Make a config read generated Human3.6M clips in place of its dataset."""
    write_files(folder)
    for split, name in dict(train='train', val='test', test='test').items():
        loader = config[f'{split}_dataloader']
        loader.dataset = dict(
            type='Human36mClipDataset',
            data_root=str(folder),
            ann_file=f'annotation_body3d/fps50/h36m_{name}.npz',
            camera_param_file='annotation_body3d/cameras.pkl',
            keypoint_2d_det_file=f'joint_2d_det_files/cpn_ft_h36m_dbb_{name}.npy',
            test_mode=split != 'train',
            **{key: loader.dataset[key] for key in KEPT if key in loader.dataset},
        )
    shorten(config)
    return config


@pytest.mark.slow(reason='trains models of full size, up to minutes each')
@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_configs_train_test_and_lift(path, tmp_path, run_tool, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [path, '--sample', '--work-dir', 'work']
    if path.parent.name != 'cmu_mocap':
        config = on_human36m(Config.fromfile(path), tmp_path / 'h36m')
        config.dump(tmp_path / 'short.py')
        options = ['short.py', '--work-dir', 'work']
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
