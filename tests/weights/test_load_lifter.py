"""Loading of lifters: names, configs, checkpoints, and their errors."""

import re

import numpy as np
import official_weights
import pytest
import torch
from lifters import lifter_config, save_lifter
from paths import MMPOSE
from published import load_fixture
from tracks import clip_of, track

from mmhot.chain.lifting.lifter import Lifter
from tools.model_converters.conversion import convert_file


def test_config_and_checkpoint_are_named_in_the_result(tmp_path):
    checkpoint = save_lifter(tmp_path / 'best.pth')
    config = tmp_path / 'tiny.py'
    config.write_text(lifter_config().pretty_text)
    clip = clip_of(track([0]))
    assert Lifter(checkpoint=checkpoint)(clip).model == 'best'
    assert Lifter(config, checkpoint)(clip).model == 'tiny (best.pth)'


def test_shipped_lifters_are_loaded_by_name(shipped):
    assert Lifter().name == 'tiny-b'
    assert Lifter('tiny-a').name == 'tiny-a'
    assert Lifter('mmhot://tiny-a').seq_len == 9
    assert Lifter(checkpoint='mmhot://tiny-b').seq_len == 27


def test_shipped_lifters_load_other_weights(shipped, tmp_path):
    other = save_lifter(tmp_path / 'other.pth')
    assert Lifter('tiny-a', other).name == 'tiny-a (other.pth)'
    with pytest.raises(ValueError, match=f'^{other} is a checkpoint of another model'):
        Lifter('tiny-b', other)


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('tinya', 'did you mean tiny-a?'),
        ('mmhot://tinyb', 'did you mean tiny-b?'),
        ('xyz', 'known: tiny-a, tiny-b'),
    ],
)
def test_unknown_lifters_get_a_hint(name, hint, shipped):
    with pytest.raises(ValueError, match=re.escape(hint)):
        Lifter(name)


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        ('model = {[1]: 2}', 'is not executed'),
        ('filename = 1', 'filename is reserved'),
        ('model = [1]', 'is not a config of a lifter'),
        (None, 'contains no config'),
    ],
)
def test_configs_in_checkpoints_are_not_executed(cfg, message, tmp_path):
    path = tmp_path / 'bad.pth'
    torch.save(dict(meta=dict(cfg=cfg), state_dict={}), path)
    with pytest.raises(ValueError, match=message) as caught:
        Lifter(checkpoint=path)
    assert str(path) in str(caught.value)


def test_unsupported_models_are_refused_in_one_line(tmp_path):
    folder = MMPOSE / 'configs/body_3d_keypoint'
    config = next(folder.rglob('video-pose-lift_tcn-27frm-supv_*.py'))
    weights = save_lifter(tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='num_keep_frames, which TCN lacks'):
        Lifter(config, weights)
    other = lifter_config(codec='VideoPoseLifting')
    other.model.head.decoder.num_keypoints = 17
    (tmp_path / 'other.py').write_text(other.pretty_text)
    with pytest.raises(ValueError, match='Lifting, not VideoPoseLifting'):
        Lifter(tmp_path / 'other.py', weights)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda state, name: state.update({name: 'text'}), '.* is str instead of'),
        (lambda state, name: state.pop(name), '.* is missing'),
        (lambda state, name: state.update(more=torch.zeros(1)), 'more is not known'),
        (
            lambda state, name: state.update({name: torch.zeros(1, 1)}),
            r'.* is \(1, 1\) instead of',
        ),
        (lambda state, name: state[name].fill_(torch.nan), '.* is not finite'),
    ],
    ids=['text', 'missing', 'unknown', 'shape', 'nan'],
)
def test_wrong_weights_are_named(change, message, tmp_path):
    path = save_lifter(tmp_path / 'a.pth')
    content = torch.load(path)
    change(content['state_dict'], next(iter(content['state_dict'])))
    torch.save(content, path)
    start = f'{path} is (damaged|a checkpoint of another model)'
    with pytest.raises(ValueError, match=f'^{start}: {message}'):
        Lifter(checkpoint=path)


def test_converted_published_checkpoints_lift_clips(tmp_path):
    meta, _ = load_fixture('nanohtnet_81f_9k')
    torch.save(official_weights.state_dict(meta), tmp_path / 'published.pth')
    convert_file(tmp_path / 'published.pth', tmp_path / 'ours.pth', **meta['config'])
    lifter = Lifter(checkpoint=tmp_path / 'ours.pth')
    settings = (lifter.fps, lifter.mapping, lifter.seq_len, lifter.stride)
    assert settings == (50.0, 'hot', 81, 1)
    assert len(lifter(clip_of(track(range(5))))) == 5


def test_models_in_mmposes_estimator_are_lifted_alike(checkpoint):
    config = lifter_config()
    config.model.type = 'PoseLifter'
    path = checkpoint.with_suffix('.py')
    path.write_text(config.pretty_text)
    clip = clip_of(track(range(12)))
    ours, other = Lifter(checkpoint=checkpoint)(clip), Lifter(path, checkpoint)(clip)
    np.testing.assert_array_equal(other.keypoints_3d, ours.keypoints_3d)


def test_half_precision_weights_are_converted_to_single(tmp_path):
    path = save_lifter(tmp_path / 'a.pth')
    content = torch.load(path)
    content['state_dict'] = {k: v.half() for k, v in content['state_dict'].items()}
    torch.save(content, path)
    parameters = Lifter(checkpoint=path).network.model.parameters()
    assert {p.dtype for p in parameters} == {torch.float32}
