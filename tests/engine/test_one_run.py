"""MMPose's own tools give the same run and errors, and refuse the same, as ours."""

import runpy
from pathlib import Path

import pytest
import torch
from paths import CONFIGS, MMPOSE

from mmhot.weights.config_files import read_config_file
from mmhot.weights.index import WEIGHTS_FOLDER
from tools.training_data import use_sample_data

BELOW = 'body_3d_keypoint'
GTPT = 'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192'
NANOHTNET = f'{BELOW}/nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-10e_cmu-wild'
SLOW = pytest.mark.slow(reason='two trainings, some seconds')
KINDS = [
    NANOHTNET,
    *(
        pytest.param(name, marks=SLOW)
        for name in (
            GTPT,
            f'{BELOW}/hot/cmu_mocap/hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild',
            f'{BELOW}/poseclr/cmu_mocap/'
            'poseclr_nanohtnet-81frm-keep9_1xb256-30e_cmu-wild',
            'wholebody_2d_keypoint/gtpt/coco-wholebody/'
            'gtpt-t_4xb64-300e_coco-wholebody-256x192',
            'detection/rtmdet/rendered/rtmdet-nano_1xb32-12e_rendered-320x320',
        )
    ),
]


@pytest.fixture
def config(request, work_folder):
    """A training of two steps on sample data, as one file."""
    config = read_config_file(CONFIGS / f'{request.param}.py')
    use_sample_data(config)
    config.dump('tiny.py')
    return config


@pytest.fixture
def run_both(tool_output, monkeypatch):
    """Run both tools of a name; return the error of each, None if there is none."""

    def run(name, *args, options=()):
        command = [*args, *(options and ['--cfg-options', *options])]
        code, _, err = tool_output(name, *command, '--work-dir', 'ours')
        with monkeypatch.context() as theirs:
            theirs.setattr('sys.argv', ['x.py', *command, '--work-dir', 'theirs'])
            try:
                runpy.run_path(str(MMPOSE / f'tools/{name}.py'), run_name='__main__')
            except Exception as error:
                return err, str(error)
        return err if code else None, None

    return run


@pytest.mark.parametrize('config', KINDS, indirect=True, ids=lambda x: Path(x).name)
def test_weights_are_equal_to_the_bit(config, run_both):
    assert run_both('train', 'tiny.py') == (None, None)
    ours, theirs = (
        torch.load(Path(folder, 'epoch_1.pth'), weights_only=False)
        for folder in ('ours', 'theirs')
    )
    for key in ('state_dict', 'ema_state_dict'):
        torch.testing.assert_close(ours.get(key), theirs.get(key), rtol=0, atol=0)
    if config.test_dataloader:
        assert run_both('test', 'tiny.py', 'ours/epoch_1.pth') == (None, None)


@pytest.mark.parametrize('config', [NANOHTNET], indirect=True)
def test_configs_of_resumed_trainings_are_tested_by_both(config, run_both):
    assert run_both('train', 'tiny.py') == (None, None)
    state = torch.load('ours/epoch_1.pth', weights_only=False)
    shared = {
        key: state[key] for key in state.keys() - {'optimizer', 'param_schedulers'}
    }
    torch.save(shared, 'shared.pth')
    for name in ('ours/epoch_1.pth', 'shared.pth'):
        options = ['resume=True']
        assert run_both('test', 'tiny.py', name, options=options) == (None, None)


@pytest.mark.parametrize('config', [NANOHTNET], indirect=True)
def test_wrong_starts_are_refused_by_both(config, run_both):
    foreign = WEIGHTS_FOLDER / 'gtpt-t_coco17_synth.pth'
    for options, message in {
        (f'load_from={foreign}',): 'checkpoint of another model',
        ('default_hooks.checkpoint.intervall=2',): (
            "CheckpointHook: nothing reads 'intervall' (did you mean interval?"
        ),
        ('default_hooks.twice.type=EMAHook',): 'two hooks average the weights',
    }.items():
        for error in run_both('train', 'tiny.py', options=options):
            assert message in (error or ''), options
    assert not [*Path().glob('*/*.pth')]


@pytest.mark.parametrize('config', [GTPT], indirect=True)
def test_faulty_annotations_are_refused_by_both(config, run_both, tmp_path):
    faulty = Path(config.val_evaluator.ann_file).read_text()
    Path('faulty.json').write_text(faulty.replace('"bbox"', '"box"', 1))
    option = f'train_dataloader.dataset.ann_file={tmp_path}/faulty.json'
    for error in run_both('train', 'tiny.py', options=[option]):
        assert "annotation 1, 'bbox': is missing" in (error or '')
