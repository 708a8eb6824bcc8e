"""``tools/publish_model.py``: a small file of a training's checkpoint."""

from functools import partial

import pytest
import torch
from lifters import lifter_config, random_state

from mmhot.chain.lifting.lifter import Lifter
from mmhot.io.pickles import safe_load


def save_training(path, config, state=None):
    """Save what a training saves; return its weights."""
    state = random_state(config) if state is None else state
    meta = dict(cfg=config.pretty_text, dataset_meta=dict(), epoch=3, iter=30)
    torch.save(dict(meta=meta, state_dict=state), path)
    return state


@pytest.fixture
def publish(run_tool):
    return partial(run_tool, 'publish_model')


@pytest.fixture
def refuse(tool_error):
    return partial(tool_error, 'publish_model')


def test_small_file_has_weights_settings_and_dataset_meta(publish, tmp_path):
    config = lifter_config(fps=25.0)
    meta = dict(
        cfg=config.pretty_text,
        dataset_meta=dict(stats_info=dict(bbox_scale=400.0)),
        epoch=3,
        iter=30,
        time='today',
    )
    source, target = tmp_path / 'epoch_3.pth', tmp_path / 'small.pth'
    torch.save(dict(meta=meta, state_dict=random_state(config)), source)
    publish(source, target, '--half')
    published = safe_load(target)
    assert {x.dtype for x in published['state_dict'].values()} == {torch.float16}
    assert published['meta'].keys() == {
        *('dataset_meta', 'epoch', 'iter', 'cfg', 'mmhot_version')
    }
    assert published['meta']['dataset_meta'] == meta['dataset_meta']
    assert Lifter(checkpoint=target).fps == 25.0


def test_mean_of_checkpoints(publish, refuse, tmp_path):
    config = lifter_config(fps=25.0)
    one, other = tmp_path / 'one.pth', tmp_path / 'other.pth'
    target = tmp_path / 'mean.pth'
    state = save_training(one, config)
    zeros = {key: value * 0 for key, value in state.items()}
    save_training(other, config, zeros)
    options = ('--mean-with', other, '--share', 0.25)
    for given, share in ((options, 4), (('--mean-with', other, other), 3)):
        publish(one, target, *given)
        wanted = {
            key: value / share if value.is_floating_point() else value
            for key, value in state.items()
        }
        torch.testing.assert_close(safe_load(target)['state_dict'], wanted)
    refuse(one, target, *options[:-1], 2)
    zeros.popitem()
    save_training(other, config, zeros)
    assert 'other.pth has other weights than' in refuse(one, target, *options)


def test_settings_may_come_from_another_config(publish, refuse, tmp_path):
    config, other = lifter_config(fps=25.0), lifter_config(fps=30.0)
    source, target = tmp_path / 'epoch_3.pth', tmp_path / 'small.pth'
    state = random_state(config)
    config.model.head.loss = dict(type='OfAProject')  # not registered here
    save_training(source, config, state)
    other.dump(tmp_path / 'other.py')
    publish(source, target, '--config', tmp_path / 'other.py')
    assert Lifter(checkpoint=target).fps == 30.0
    refuse(source, target, '--config', tmp_path / 'gone.py')


def test_weights_and_settings_must_fit(publish, refuse, tmp_path):
    config, other = lifter_config(), lifter_config()
    other.model.backbone.depth += 1
    source, target = tmp_path / 'epoch_3.pth', tmp_path / 'small.pth'
    other.dump(tmp_path / 'other.py')
    state = save_training(source, config)
    error = refuse(source, target, '--config', tmp_path / 'other.py')
    assert 'epoch_3.pth is a checkpoint of another model' in error
    next(iter(state.values())).fill_(1e6)
    save_training(source, config, state)
    publish(source, target)
    target.unlink()
    assert 'epoch_3.pth is damaged' in refuse(source, target, '--half')
    assert not target.exists()
