"""Missing data are an error at once; ``--sample`` trains on the tests' data."""

import shutil
from pathlib import Path

import pytest
from paths import CONFIGS, DATA

from mmhot.weights.index import WEIGHTS_FOLDER
from tools.runner import describe_options

LIFTER = 'body_3d_keypoint/nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-30e_cmu-wild'
PRETRAINING = (
    'body_3d_keypoint/poseclr/cmu_mocap/'
    'poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild'
)
MIXSTE = 'body_3d_keypoint/mixste/h36m/mixste_81frm_1xb4-160e_h36m-cpn'
GTPT = 'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192'
DETECTOR = 'detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320'


@pytest.mark.parametrize(
    ('tool', 'config', 'options', 'file'),
    [
        (
            'train',
            MIXSTE,
            ['train_dataloader.dataset.data_root=elsewhere'],
            'elsewhere/annotation_body3d/cameras.pkl does not exist; see "Human3.6M"',
        ),
        (
            'test',
            GTPT,
            ['test_dataloader.dataset.bbox_file=None'],
            'file `data/coco/annotations/person_keypoints_val2017.json`does not exist',
        ),
    ],
)
@pytest.mark.usefixtures('work_folder')
def test_missing_data_get_one_line(tool, config, options, file, tool_error):
    weights = [WEIGHTS_FOLDER / 'gtpt-t_coco17_synth.pth'] * (tool == 'test')
    args = [CONFIGS / f'{config}.py', *weights]
    error = tool_error(tool, *args, '--cfg-options', *options)
    assert file in error


@pytest.mark.parametrize(
    'config',
    [
        LIFTER,
        PRETRAINING,
        *(
            pytest.param(name, marks=pytest.mark.slow(reason='trains on images'))
            for name in (GTPT, DETECTOR)
        ),
    ],
    ids=lambda name: Path(name).name,
)
def test_sample_trains_and_tests_in_two_steps(config, run_tool, work_folder):
    command = [CONFIGS / f'{config}.py', '--sample']
    run_tool('train', *command)
    weights = work_folder / f'work_dirs/{Path(config).name}_sample/epoch_1.pth'
    assert weights.is_file()
    if config != PRETRAINING:  # which has nothing to test
        run_tool('test', command[0], weights, '--sample')


@pytest.mark.slow(reason='trains on images')
@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('config', [GTPT, DETECTOR])
def test_an_unreadable_image_is_one_line(config, workers, tool_error, work_folder):
    shutil.copytree(DATA / 'drawn_people', work_folder, dirs_exist_ok=True)
    Path('000004.png').write_bytes(b'no image')
    loader, dataset = 'train_dataloader.', 'train_dataloader.dataset.'
    options = [
        f'{loader}num_workers={workers}',
        f'{dataset}data_prefix.img={work_folder}/',
        f'{dataset}indices=-4',
    ]
    command = ['train', CONFIGS / f'{config}.py', '--sample', '--cfg-options']
    error = tool_error(*command, *options)
    assert error.endswith('/000004.png: missing, or cannot be read as an image')


def test_options_name_the_work_folder():
    options = {'model.backbone.pruner.num_keep': [121, 61], 'randomness.seed': 3}
    name = describe_options(options | {'load_from': 'elsewhere/epoch_1.pth'})
    assert name == '_pruner.num_keep=121,61_randomness.seed=3'
