"""Options of docs/experiments.md change their model; sweeps; costs beside a host."""

import argparse
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from paths import ROOT

from mmhot.cli.dispatch import main
from mmhot.datasets.data_loading import SubjectBalancedSampler
from mmhot.datasets.h36m import h36m_metainfo
from mmhot.engine.cost import compare_cost, describe_cost
from mmhot.io.pickles import save_checkpoint
from mmhot.skeletons.joints import get_skeleton
from mmhot.weights.config_files import read_config_file
from mmhot.weights.index import WEIGHTS_FOLDER
from mmhot.weights.loading import build_model
from tools.analysis.cost import count_cost, input_shape
from tools.runner import add_config_options, merge_options

HOT = 'body_3d_keypoint/hot/cmu_mocap/hot-mixste-xs_81frm-keep27_1xb8-10e_cmu-wild.py'
GTPT = 'body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192.py'
PAGE = (ROOT / 'docs/experiments.md').read_text()
ABLATIONS = re.findall(
    r'`(model\.[^`]+)`', PAGE.split('## Ablations')[1].split('\n## ')[0]
)
SAME_COST = 'UniformPruner', 'scale_by_head', 'loss.'


def read_options(line):
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    return parser.parse_args(['--cfg-options', *line.split()]).cfg_options


def build(leaf, line=None):
    config = read_config_file(ROOT / 'configs' / leaf)
    merge_options(config, read_options(line) if line else None)
    return config, build_model(config.model, leaf)


@cache
def before(leaf):
    config, model = build(leaf)
    return config.model.to_dict(), count(config, model)


def count(config, model):
    inputs = torch.zeros(1, *input_shape(config, model))
    return count_cost(model, inputs, None, mode='tensor').macs


@pytest.mark.parametrize('line', ABLATIONS)
def test_every_ablation_is_one_option(line):
    is_2d = 'model.head' in line or 'keep_rates' in line
    leaf = GTPT if is_2d else HOT
    config, model = build(leaf, line)
    settings, macs = before(leaf)
    assert config.model.to_dict() != settings
    if 'keep_rates' in config.model.test_cfg:
        model.head.keep_rates = config.model.test_cfg.keep_rates
    if not any(name in line for name in SAME_COST):
        assert count(config, model) != macs


@pytest.mark.slow(reason='trains and tests models of full size, 10 s each')
@pytest.mark.parametrize('line', ABLATIONS)
@pytest.mark.usefixtures('work_folder')
def test_every_ablation_trains_and_tests(line, run_tool):
    leaf = GTPT if 'model.head' in line or 'keep_rates' in line else HOT
    options = ['--sample', '--work-dir', 'work', '--cfg-options', *line.split()]
    run_tool('train', ROOT / 'configs' / leaf, *options)
    run_tool(
        'test', ROOT / 'configs' / leaf, 'work/epoch_1.pth', *options, '--out', 'a.json'
    )
    assert len(json.loads(Path('a.json').read_text())) > 2


def test_replaced_types_lose_foreign_arguments_alone():
    config, _ = build(HOT, 'model.backbone.recoverer.type=TimedAttentionRecoverer')
    assert config.model.backbone.recoverer == dict(type='TimedAttentionRecoverer')
    assert config.model.backbone.pruner.num_keep == 27
    line = 'model.backbone.recoverer.type=InterpolationRecoverer '
    with pytest.raises(ValueError, match="argument 'sine_start'"):
        build(HOT, line + 'model.backbone.recoverer.sine_start=True')


def test_pyramids_have_a_depth_for_each_count():
    line = 'model.backbone.pruner.num_keep=[41,21] model.backbone.pruner.depth=[2,4,6]'
    with pytest.raises(ValueError, match='lists of the same length'):
        build(HOT, line)


SHIPPED = 'hot/cmu_mocap/tps-tri-motionbert-xs_81frm-25fps-keep27_1xb8-15e_cmu-wild.py'
SWEEPS = {
    'keep=81,27': (
        f'body_3d_keypoint/{SHIPPED}',
        'tps-tri-motionbert-xs_81frm-keep27_cmu-wild.pth',
        'noisy/MPJPE',
    ),
    'keep_rates=[1],[1,0.7,0.3,0.1]': (
        'body_2d_keypoint/gtpt/rendered/gtpt-t_coco17_synth.py',
        'gtpt-t_coco17_synth.pth',
        'coco/AP',
    ),
}


@pytest.mark.parametrize(
    'values',
    [
        'keep=81,27',
        pytest.param(
            'keep_rates=[1],[1,0.7,0.3,0.1]',
            marks=pytest.mark.slow(reason='the same for 2D, 9 s'),
        ),
    ],
)
@pytest.mark.usefixtures('work_folder')
def test_sweep_makes_a_table_and_a_curve(values, run_tool):
    leaf, weights, metric = SWEEPS[values]
    command = ['test', ROOT / 'configs' / leaf, WEIGHTS_FOLDER / weights, '--sample']
    run_tool(*command, '--sweep', values, '--out', 'sweep.json')
    whole, pruned = json.loads(Path('sweep.json').read_text())['sweep']
    assert whole['macs'] == whole['host_macs'] == pruned['host_macs'] > pruned['macs']
    assert whole['kept'][-1] > pruned['kept'][-1]
    assert whole['metrics'][metric] != pruned['metrics'][metric]
    assert pruned['milliseconds'] > 0
    assert pruned['time'][0] < 1 < 1.2 * whole['time'][0]
    assert whole['memory'] > pruned['memory']
    assert Path('sweep.png').stat().st_size


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ('kept=3', "--sweep: got 'kept=3', wanted keep=81,54,27 for lifters or"),
        ('keep=', "--sweep: got 'keep=', wanted"),
        ('keep_rates=[1]', '--sweep: this model has no keep_rates to set'),
    ],
)
@pytest.mark.usefixtures('work_folder')
def test_wrong_sweeps_get_one_line(values, message, tool_error):
    leaf, weights, _ = SWEEPS['keep=81,27']
    command = ['test', ROOT / 'configs' / leaf, WEIGHTS_FOLDER / weights, '--sample']
    assert message in tool_error(*command, '--sweep', values)


def test_cost_beside_the_host_is_that_of_a_pass():
    config, model = build(HOT, 'model.test_cfg.keep=54')
    generator = torch.get_rng_state()
    sample = dict(inputs=torch.zeros(input_shape(config, model)))
    cost = compare_cost(config, model, [sample])
    assert torch.equal(generator, torch.get_rng_state())
    assert cost['macs'] == count(config, model)
    assert cost['kept'] == 3 * [81] + 5 * [54]
    host = build(HOT, 'model.backbone.pruner=None model.backbone.recoverer=None')
    assert cost['host_macs'] == count(*host)
    assert '54' in describe_cost(cost)


ADDITIONS = re.findall(
    r'`((?:custom_hooks|optim_wrapper|default_hooks) = .+)` \|', PAGE
)


@pytest.mark.usefixtures('work_folder')
def test_usual_additions_train(run_tool):
    """All in one config, as each is a part of a dict."""
    config = {'_base_': f'mmhot::{HOT}'}
    for line in ADDITIONS:
        name, _, value = line.partition(' = ')
        config[name] = config.get(name, {}) | eval(value)
    assert len(ADDITIONS) > 4
    Path('own.py').write_text('\n'.join(f'{k} = {v!r}' for k, v in config.items()))
    run_tool('train', 'own.py', '--sample', '--work-dir', 'work')
    assert Path('work/epoch_1.pth').is_file()


def test_parts_of_your_own_train_and_are_exported(run_tool, work_folder, monkeypatch):
    monkeypatch.syspath_prepend(work_folder)
    blocks = re.findall(r'`(my_\w+\.py)`[^`]*```python\n(.*?)```', PAGE, re.S)
    for name, content in blocks:
        Path(name).write_text(content)
    run_tool('train', 'my_config.py', '--sample', '--work-dir', 'work')
    inputs = str(ROOT / 'demo/skating_2d_coco17.npz')
    assert main(['export', 'my_config.py', 'work/epoch_1.pth', '--out', 'onnx']) == 0
    assert main(['lift', inputs, '--pose3d', 'onnx', '--formats', 'npz']) == 0


SMALL = (
    'model.backbone.embed_dims=16 model.backbone.num_heads=2 model.head.in_channels=16 '
    'model.backbone.mlp_dims=16'
)


def write_pairs(folder):
    """Write random pairs of Human3.6M's joints and two toes, and their metainfo."""
    known = get_skeleton('h36m-17')
    joints = 'right_toe', 'left_toe', *known.joints
    tree = {'right_toe': 'right_foot', 'left_toe': 'left_foot'} | {
        known.joints[joint]: known.joints[parent] for parent, joint in known.bones
    }
    sides = {'left': 'right', 'right': 'left'}
    swaps = [re.sub('left|right', lambda side: sides[side[0]], x) for x in joints]
    points = {
        index: dict(name=name, swap='' if swap == name else swap)
        for index, (name, swap) in enumerate(zip(joints, swaps, strict=True))
    }
    links = {n: dict(link=(tree[joint], joint)) for n, joint in enumerate(tree)}
    info = dict(
        dataset_name='own',
        keypoint_info=points,
        skeleton_info=links,
        joint_weights=[1.0] * 19,
        sigmas=[0.05] * 19,
    )
    Path('own19.py').write_text(f'dataset_info = {info!r}')
    rng = np.random.default_rng(0)
    folder.mkdir()
    for name in 'abc':
        poses = rng.normal(0, 0.4, (40, 19, 3)) + (0, 0, 5)
        pixels = 1000 * poses[..., :2] / poses[..., 2:] + (640, 360)
        camera = dict(f=[1000, 1000], c=[640, 360], scores=np.ones((40, 19)))
        np.savez(folder / f'{name}.npz', keypoints=pixels, joints=poses, **camera)


def test_pairs_of_your_own_train_from_weights_of_other_joints(
    run_tool, work_folder, monkeypatch
):
    monkeypatch.syspath_prepend(work_folder)
    blocks = re.findall(r'`(own_p\w+\.py)`.*?```python\n(.*?)```', PAGE, re.S)
    for name, content in blocks:
        Path(name).write_text(content)
    write_pairs(Path('pairs'))
    config = read_config_file('own_pairs_config.py')
    merge_options(config, read_options(f'{SMALL} model.backbone.num_keypoints=17'))
    before = build_model(config.model, 'small').state_dict()
    meta = dict(dataset_meta=parse_pose_metainfo(h36m_metainfo()))
    save_checkpoint(dict(state_dict=before, meta=meta), Path('before.pth'))
    loaders = ('train', 'val', 'test')
    alone = [
        *(f'{x}_dataloader.num_workers=0' for x in loaders),
        *(f'{x}_dataloader.persistent_workers=False' for x in loaders),
    ]
    command = [
        'own_pairs_config.py',
        '--work-dir',
        'work',
        '--cfg-options',
        *SMALL.split(),
        *alone,
        'load_from=before.pth',
        'train_cfg.max_epochs=1',
        'default_hooks.checkpoint.interval=1',
    ]
    out = run_tool('train', *command, 'optim_wrapper.optimizer.lr=0')
    line = 'are matched by name; new joints start as the joints above them: left_toe'
    assert line in out
    after = torch.load('work/epoch_1.pth', weights_only=False)['state_dict']
    key = 'backbone.spatial_position.table'
    feet = get_skeleton('h36m-17').indices(['right_foot', 'left_foot'])
    assert torch.equal(after[key], before[key][[*feet, *range(17)]])
    command[1:3] = 'work/epoch_1.pth', '--table', 'joints'
    out = run_tool('test', *command[:-3])
    assert 'left_toe' in out


def test_balanced_sampler_draws_from_all_parts_of_a_combination():
    class Part:
        subject_of_window = np.array(['a', 'b'])
        frames_of_subject = {'a': 5000, 'b': 5000}

    class Combined:
        datasets, resample = [Part(), Part()], False

    sampler = SubjectBalancedSampler(Combined(), num_samples=400, seed=0)
    counts = np.bincount([*sampler], minlength=4)
    assert counts.sum() == 400
    assert counts.min() > 60
    Combined.resample = True
    with pytest.raises(ValueError, match='sample_ratio_factor of CombinedDataset'):
        SubjectBalancedSampler(Combined(), num_samples=4, seed=0)


@pytest.mark.slow(reason='trains and tests four times, 15 s')
@pytest.mark.usefixtures('work_folder')
def test_ablation_averages_seeds_and_skips_what_is_complete(run_tool, tool_error):
    model = 'model.backbone'
    small = (
        f'{model}.embed_dims=16 {model}.num_heads=2 {model}.depth=2 {model}.mlp_dims=16'
    )
    command = ['ablate', ROOT / 'configs' / HOT, '--sample', '--seeds', '2']
    command += ['--grid', 'pruner.num_keep=27,9', 'pruner.depth=1', '--out', 'out']
    options = ['--cfg-options', *small.split(), 'model.head.in_channels=16']
    out = run_tool(*command, *options)
    rows = json.loads(Path('out/ablation.json').read_text())
    assert [row['kept'] for row in rows] == [[81, 27], [81, 9]]
    assert rows[0]['macs'] > rows[1]['macs']
    assert rows[0]['memory'] > rows[1]['memory'] > 0
    errors = [
        json.loads(Path(f'out/{rows[0]["model"]}/seed{seed}/result.json').read_text())
        for seed in range(2)
    ]
    values = [result['noisy/MPJPE'] for result in errors]
    assert rows[0]['metrics']['noisy/MPJPE'] == pytest.approx(np.mean(values))
    assert rows[0]['deviations']['noisy/MPJPE'] == pytest.approx(np.std(values, ddof=1))
    assert values[0] != values[1]
    assert Path('out/ablation.png').stat().st_size
    weights = [*Path('out').rglob('epoch_1.pth')]
    assert len(weights) == 4
    for path in weights:
        path.unlink()
    again = run_tool(*command, *options)  # nothing is trained or tested
    assert not [*Path('out').rglob('epoch_1.pth')]
    first, second = (
        re.findall(r'pruner.num_keep=9.*?([\d.]+ \(.*)', x) for x in (out, again)
    )
    assert first[-1].split()[-2:] == second[-1].split()[-2:]
    error = tool_error(*command, *options, 'train_dataloader.batch_size=3')
    assert 'has results of other settings: set another --out' in error
