"""convert_mocap.py and check_dataset.py."""

from pathlib import Path

import numpy as np
import pytest
from mocap import CONFIGS, FOLDER, H36M, JUMP, KICK, joints_of
from published_files import write_3dhp, write_motionbert

from mmhot.datasets.mocap_dataset import read_mocap_clips
from mmhot.io.writers.bvh import write_bvh
from mmhot.io.writers.rigid_skeleton import fit_rig
from mmhot.io.writers.rigs import HUMAN_IK

PEOPLE = FOLDER.parent / 'drawn_people'
WILD = CONFIGS / (
    'body_3d_keypoint/nanohtnet/cmu_mocap/nanohtnet_81frm-keep9_1xb32-10e_cmu-wild.py'
)


@pytest.fixture
def run(tool_output):
    """Run a tool, whose errors are one line: exit code, output and errors."""

    def run(name, *args):
        code, out, err = tool_output(name, *args)
        assert err.count('\n') <= 1
        return code, out, err

    return run


def test_folders_of_motion_become_clips(tmp_path, run_tool):
    motions = tmp_path / 'motions'
    motions.mkdir()
    for name, key in (('02_04', JUMP), ('11_01', KICK)):
        motion = fit_rig(joints_of(key, 60), HUMAN_IK)
        write_bvh(motion, 25.0, motions / f'{name}.bvh', HUMAN_IK)
    target = tmp_path / 'clips.npz'
    out = run_tool('convert_mocap', motions, target)
    assert out.splitlines()[0] == 'S02/02_04: 119 frames'
    assert '2 clips, 238 frames (0.1 min)' in out
    clips = read_mocap_clips(target)
    apart = np.linalg.norm(clips['S11/11_01'][::2] - joints_of(KICK, 60), axis=-1)
    assert apart.mean() < 0.01


@pytest.mark.usefixtures('work_folder')
def test_datasets_of_configs_are_checked(run):
    code, out, err = run('check_dataset', WILD)
    assert (code, err) == (1, '')
    assert 'cmu_h36m17.npz does not exist; see "CMU motion capture" in docs/d' in out
    files = f"dataset=dict(data_root='{FOLDER}/', ann_file='cmu_h36m17.npz')"
    Path('cmu.py').write_text(
        f"_base_ = '{WILD}'\ntrain_dataloader = val_dataloader = dict({files})\n"
    )
    code, out, _ = run('check_dataset', 'cmu.py')
    assert code == 0
    assert 'head above root in 100.0% of frames\n  nothing suspicious' in out
    assert 'actions: jump' in out


@pytest.mark.parametrize(
    ('write', 'folder', 'config'),
    [
        (
            write_motionbert,
            'h36m',
            'motionbert/h36m/motionbert_243frm_1xb32-120e_h36m-sh',
        ),
        (write_3dhp, 'mpi_inf_3dhp', 'mixste/mpi_inf_3dhp/mixste_81frm_1xb4-160e_3dhp'),
    ],
)
def test_published_files_are_checked(work_folder, run, write, folder, config):
    (work_folder / 'data' / folder).mkdir(parents=True)
    write(work_folder / 'data' / folder)
    _, out, err = run('check_dataset', CONFIGS / f'body_3d_keypoint/{config}.py')
    assert 'leg' in out, err
    annotated = '24 in all, 0.0 min at 25 fps, 16 frames annotated' in out
    assert annotated == (write is write_3dhp)
    # the file has no scale in training, so that bones change with depth
    training = out.partition(', val:')[0]
    assert write is not write_motionbert or 'limb bones that differ' not in training


def jump_ahead(joints):
    joints[60, H36M.index('left_wrist')] += 0.4
    return joints


@pytest.mark.parametrize(
    ('change', 'warning'),
    [
        (lambda joints: 1000 * joints, 'legs of 857 m: the unit is not the meter'),
        (lambda joints: joints * [1, 1, -1], 'the head is mostly below the root'),
        (lambda joints: joints * [-1, 1, 1], 'people mostly move backwards: sides are'),
        (
            jump_ahead,
            '11 frames with joints faster than 12 m/s or 450 m/s^2: a/b 55-65',
        ),
        (jump_ahead, '1 frames with limb bones that differ by 10 %: a/b 60-60'),
    ],
)
def test_suspicious_motion_is_named(tmp_path, run, change, warning):
    np.savez(tmp_path / 'clips.npz', **{'a/b': change(joints_of(KICK, 120).copy())})
    code, out, _ = run('check_dataset', tmp_path / 'clips.npz')
    assert code == 1
    assert f'WARNING: {warning}' in out


def test_annotations_and_images_of_a_config_are_checked(tmp_path, run):
    annotations = PEOPLE / 'annotations.json'
    files = (
        f"ann_file='{annotations}', data_root='', data_prefix=dict(img='{tmp_path}/')"
    )
    loader = f'dict(dataset=dict({files}, bbox_file=None))'
    config = tmp_path / 'own.py'
    config.write_text(f"""
_base_ = 'mmhot::body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192.py'
train_dataloader = {loader.replace(', bbox_file=None', '')}
val_dataloader = {loader}
test_dataloader = {loader}
val_evaluator = dict(ann_file='{annotations}')
test_evaluator = val_evaluator
""")
    for path in PEOPLE.glob('*.png'):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    code, out, err = run('check_dataset', config)
    assert (code, err) == (0, '')
    assert out == f'{annotations}:\n  no fault\n'
    (tmp_path / '000002.png').write_bytes(b'')
    (tmp_path / '000004.png').unlink()
    code, out, _ = run('check_dataset', config)
    assert code == 1
    assert f'ERROR: image 2: {tmp_path}/000002.png cannot be read as an image' in out
    assert f"ERROR: image 4, 'file_name': {tmp_path}/000004.png does not exist" in out


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ("type='CocoDatset'", "nothing is registered as 'CocoDatset'"),
        ('nonsense=3', "unexpected keyword argument 'nonsense'"),
    ],
)
def test_wrong_settings_of_a_dataset_are_one_line(
    change, message, tmp_path, tool_error
):
    config = tmp_path / 'own.py'
    config.write_text(f"""
_base_ = 'mmhot::body_2d_keypoint/gtpt/coco/gtpt-t_4xb64-300e_coco-256x192.py'
train_dataloader = dict(dataset=dict({change}))
""")
    assert message in tool_error('check_dataset', config)
