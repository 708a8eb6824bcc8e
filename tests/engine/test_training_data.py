"""Missing data are an error at once; ``--sample`` trains on the tests' data."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmhot.engine.training_data import check_data_files

CONFIGS = Path(__file__).parents[2] / 'configs'
LIFTER = 'body_3d_keypoint/nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-30e_cmu-wild'
PRETRAINING = (
    'body_3d_keypoint/poseclr/cmu_mocap/'
    'poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild'
)
MIXSTE = 'body_3d_keypoint/mixste/h36m/mixste_81frm_1xb4-160e_h36m-cpn'
GTPT = 'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192'
DETECTOR = 'detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320'


@pytest.mark.parametrize(
    ('tool', 'config', 'options', 'file', 'option'),
    [
        (
            'train',
            LIFTER,
            [],
            'data/cmu_mocap/cmu_h36m17.npz',
            'train_dataloader.dataset.data_root',
        ),
        (
            'train',
            MIXSTE,
            ['train_dataloader.dataset.data_root=elsewhere'],
            'elsewhere/annotation_body3d/fps50/h36m_train.npz',
            'train_dataloader.dataset.data_root',
        ),
        (
            'train',
            DETECTOR,
            [],
            'data/coco/annotations/instances_train2017.json',
            'train_dataloader.dataset.data_root',
        ),
        (
            'test',
            GTPT,
            ['test_dataloader.dataset=None'],
            'data/coco/annotations/person_keypoints_val2017.json',
            'test_evaluator.ann_file',
        ),
    ],
)
def test_missing_data_are_named_with_page_and_option(
    tool, config, options, file, option, run_tool, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'some.pth').touch()
    args = [CONFIGS / f'{config}.py', *['some.pth'][: tool == 'test']]
    args += ['--cfg-options', *options] if options else []
    assert run_tool(tool, *args) == (
        2,
        f'{tool}.py: error: {file} does not exist; docs/data.md says how to get it, '
        f'--cfg-options {option}=... reads it elsewhere, --sample takes small data\n',
    )
    assert [path.name for path in tmp_path.iterdir()] == ['some.pth']


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
def test_sample_trains_and_tests_in_two_steps(config, run_tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [CONFIGS / f'{config}.py', '--sample']
    code, err = run_tool('train', *command)
    assert code == 0, err
    work_dir = tmp_path / 'work_dirs' / f'{Path(config).name}_sample'
    code, err = run_tool('test', command[0], work_dir / 'epoch_1.pth', '--sample')
    assert code == 0, err


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('area', 0, 'annotation 1 has an area of 0'),
        ('keypoints', [float('nan')] * 51, "in 'keypoints' that is not finite"),
    ],
)
def test_annotations_are_checked_before_a_training(field, value, message, tmp_path):
    path = tmp_path / 'val.json'
    person = dict(id=1, area=900.0, bbox=[0, 0, 30, 40], keypoints=[9, 9, 2] * 17)
    path.write_text(json.dumps(dict(annotations=[person])))
    evaluator = dict(type='mmpose.CocoMetric', ann_file=str(path))
    config = Config(dict(val_evaluator=evaluator))
    check_data_files(config, ('val',))
    path.write_text(json.dumps(dict(annotations=[person | {field: value}])))
    with pytest.raises(ValueError, match=f'val.json: .*{message}'):
        check_data_files(config, ('val',))
