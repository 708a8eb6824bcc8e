"""Every config of a lifter trains for two steps, is tested, and lifts keypoints."""

from pathlib import Path

import numpy as np
import pytest
from h36m_files import write_files
from mmengine.config import Config
from paths import ROOT
from published_files import write_3dhp, write_motionbert, write_videopose3d

from mmhot.cli.dispatch import main
from mmhot.datasets.h36m import CAMERAS
from tools.training_data import shorten

# Trainings on two datasets, with a teacher, and of MMPose's parts have tests of their
# own.
OTHERS = {
    *ROOT.glob('configs/*/*/*/*_cmu-3dhp.py'),
    *ROOT.glob('configs/*/*/*/*-mmpose.py'),
    *ROOT.glob('configs/*/*/*/*distilled*'),
}
PATHS = sorted({*ROOT.glob('configs/body_3d_keypoint/*/*/*.py')} - OTHERS)
CLIP = ROOT / 'tests/data/demo_2d_coco17.npz'


VIDEOS = 20 * ['s_09_act_02_subact_01_ca_01'] + 12 * ['s_11_act_16_subact_01_ca_03']
# Files of each dataset, as its authors publish them.
WRITERS = {
    'Human36mClipDataset': lambda folder: write_files(folder, CAMERAS),
    'VideoPose3DDataset': write_videopose3d,
    'MotionBERTDataset': lambda folder: write_motionbert(folder, source=VIDEOS),
    'MPIINF3DHPClipDataset': write_3dhp,
}


def short_run(path, folder):
    """Return a tool's config and options, for a few samples or generated files."""
    if path.parent.name == 'cmu_mocap':
        return [path, '--sample']
    config = Config.fromfile(path)
    folder.mkdir()
    loaders = [config.get(f'{split}_dataloader') for split in ('train', 'val', 'test')]
    datasets = [x.dataset.get('dataset', x.dataset) for x in loaders if x]
    WRITERS[datasets[0].type](folder)
    for dataset in datasets:
        dataset.update(data_root=str(folder), keep_rest=True, subjects=None)
    shorten(config)
    config.dump(f'{folder.name}.py')
    return [f'{folder.name}.py']


@pytest.mark.slow(reason='trains models of full size, up to minutes each')
@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_configs_train_test_and_lift(path, work_folder, run_tool):
    config = Config.fromfile(path)
    options = [*short_run(path, work_folder / 'data'), '--work-dir', 'work']
    start = (config.model.get('backbone') or {}).get('init_cfg')
    if start:
        (first,) = path.parents[1].glob(f'*/{Path(start.checkpoint).parent.name}.py')
        before = short_run(first, work_folder / 'before')
        run_tool('train', *before, '--work-dir', 'first')
        checkpoint = 'model.backbone.init_cfg.checkpoint=first/epoch_1.pth'
        options += ['--cfg-options', checkpoint]
    run_tool('train', *options)
    if 'head' not in config.model:
        return  # pre-training only
    checkpoint = 'work/epoch_1.pth'
    run_tool('test', options[0], checkpoint, *options[1:])
    lift = ['lift', str(CLIP), '--pose3d-weights', checkpoint, '--out-dir', 'out']
    # large models take seconds for the windows of each person
    assert main([*lift, '--single', 'largest', '--formats', 'npz']) == 0
    with np.load(f'out/{CLIP.name}') as result:
        assert np.isfinite(result['keypoints_3d']).all()
