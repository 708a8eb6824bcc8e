"""All tools: --help; a training with tools/train.py and test.py; wrong arguments."""

import importlib
import json
import subprocess
import sys

import mocap
import numpy as np
import pytest
from paths import ROOT

from mmhot.cli.errors import run_tool
from mmhot.weights.index import LIVE_LIFTER, WEIGHTS_FOLDER


@pytest.fixture
def config(tmp_path):
    """Write a config that trains a small model on two clips, for two steps."""
    model = dict(backbone=dict(embed_dims=48, mlp_dims=16, graph_dims=16, depth=1))
    config = mocap.tiny_config('nanohtnet_27frm-keep3_1xb256-49e_cmu', model)
    config.default_hooks.checkpoint.interval = 1
    config.dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


@pytest.mark.parametrize(
    ('name', 'args'),
    [
        ('publish_model', ['{file}', '{file}']),
        ('publish_model', ['a.pth', '{file}', '--mean-with', '{folder}/../x/a.py']),
        ('convert_checkpoint', ['{file}', '{file}']),
        ('convert_mocap', ['b.bvh', '{file}', '{file}']),
    ],
)
def test_inputs_are_not_overwritten(tmp_path, tool_error, name, args):
    folder = tmp_path / 'x'
    folder.mkdir()
    file = folder / 'a.py'
    file.write_text('a = 1\n')
    args = [arg.format(file=file, folder=folder) for arg in args]
    assert f'{file} is an input and would be overwritten' in tool_error(name, *args)
    assert file.read_text() == 'a = 1\n'


def test_training_resuming_and_testing_work(config, tmp_path, run_tool):
    work_dir = tmp_path / 'work'
    train = ['train', config, '--work-dir', work_dir]
    run_tool(*train)
    assert (work_dir / 'epoch_1.pth').is_file()
    options = [
        '--no-validate',
        '--auto-scale-lr',
        '--cfg-options',
        'train_cfg.max_epochs=2',
    ]
    run_tool(*train, '--resume', *options)
    checkpoint = work_dir / 'epoch_2.pth'
    files = [
        '--out',
        tmp_path / 'new/m.json',
        '--dump',
        tmp_path / 'p.pkl',
        '--table',
        'joints',
        'subjects',
        '--worst',
        tmp_path / 'w.png',
        '--cfg-options',
        'test_evaluator.average=frames',
    ]
    run_tool('test', config, checkpoint, '--work-dir', work_dir, *files)
    assert (tmp_path / 'w.png').stat().st_size
    metrics = json.loads((tmp_path / 'new/m.json').read_text())
    assert np.isfinite(metrics['noisy/MPJPE'])
    assert metrics['cost']['parameters'] > 0 < metrics['cost']['macs']
    noisy = metrics['errors']['datasets']['noisy']
    assert noisy['overall']['MPJPE'] == metrics['noisy/MPJPE']
    joints = [row['MPJPE'] for row in noisy['joints'].values()]
    assert np.mean(joints) == pytest.approx(metrics['noisy/MPJPE'])
    assert list(noisy['subjects']) == ['S02']
    assert {'actions', 'groups', 'clips'} <= noisy.keys()
    assert metrics['settings']['cfg_options'] == {'test_evaluator.average': 'frames'}
    assert not list(tmp_path.glob('new/.mmhot-*'))
    assert (tmp_path / 'p.pkl').stat().st_size


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['none.py'], 'train.py: error: none.py: no such config file'),
        (['{root}/README.md'], 'README.md is not a usable config: '),
        (['{config}', '--resum'], '(did you mean --resume?)'),
        (
            ['{config}', '--cfg-options', 'log'],
            '--cfg-options: wanted KEY=VALUE; lists are [a,b]',
        ),
        (['{config}', '--resume', '{root}/README.md'], 'README.md: not a checkpoint'),
        (
            ['{config}', '--cfg-options', 'optim_wrapper.optimizer.type=AdamV'],
            "nothing is registered as 'AdamV' (did you mean Adam",
        ),
        (
            ['{config}', '--cfg-options', 'model.backbone.type=NanoHTNt'],
            "nothing is registered as 'NanoHTNt' (did you mean NanoHTNet?)",
        ),
        (['{config}', '--cfg-options', 'model.head.x=1'], "argument 'x'"),
        (
            ['{config}', '--cfg-options', 'model.test_cfg.kep=54'],
            "model.test_cfg: nothing reads 'kep' (did you mean keep?",
        ),
        (['{config}', '--show-dir', '{folder}'], 'lifted poses have no images'),
        (
            ['{config}', '--resume', '{weights}'],
            'has weights, but not the state of a training: to start from',
        ),
        (
            ['{config}', '--cfg-options', 'train_dataloder.batch_size=4'],
            "nothing reads 'train_dataloder' (did you mean train_dataloader?",
        ),
        (
            ['{config}', '--cfg-options', "custom_hooks=[dict(type='A',b=1)]"],
            '--cfg-options: wanted KEY=VALUE; lists are [a,b]',
        ),
        (
            [
                *('{config}', '--cfg-options', 'default_hooks.checkpoint.save_best=a'),
                'default_hooks.checkpoint.rule=less',
            ],
            "there is no 'a'",
        ),
        (['{runtime}'], '{runtime}: this config has no model'),
    ],
)
def test_wrong_training_arguments_get_one_line(
    args, message, config, tmp_path, tool_error
):
    runtime = ROOT / 'configs/_base_/default_runtime.py'
    names = dict(root=ROOT, config=config, runtime=runtime, folder=tmp_path)
    names['weights'] = WEIGHTS_FOLDER / f'{LIVE_LIFTER}.pth'
    args = [arg.format(**names) for arg in args]
    error = tool_error('train', *args, '--work-dir', tmp_path / 'work')
    assert message.format(**names) in error


def test_missing_checkpoint_gets_one_line(config, tmp_path, tool_error):
    error = tool_error('test', config, tmp_path / 'no.pth')
    assert error == f'test.py: error: {tmp_path}/no.pth does not exist'


def command_lines():
    """Modules of ``tools`` that have a parser."""
    for path in sorted((ROOT / 'tools').rglob('*.py')):
        if 'run_tool(add_arguments' in path.read_text():
            module = path.relative_to(ROOT).with_suffix('')
            yield '.'.join(module.parts).removesuffix('.__main__')


@pytest.mark.parametrize('module', [*command_lines()])
def test_every_tool_prints_help(module, monkeypatch, capsys):
    name = (
        f'{module}.__main__' if (ROOT / module.replace('.', '/')).is_dir() else module
    )
    monkeypatch.setattr(sys, 'argv', [module, '--help'])
    tool = importlib.import_module(name)
    with pytest.raises(SystemExit) as stop:
        run_tool(tool.add_arguments, tool.main)
    assert stop.value.code == 0
    assert 'usage:' in capsys.readouterr().out


@pytest.mark.slow(reason='starts a process for each tool')
@pytest.mark.parametrize('module', [*command_lines()])
def test_every_tool_imports_what_it_needs(module):
    command = [sys.executable, '-m', module, '--help']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
