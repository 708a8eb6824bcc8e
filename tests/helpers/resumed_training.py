"""Comparison of a resumed training with one that was not interrupted."""

import json

import torch
from torch.testing import assert_close


def curve(work_dir):
    """All that was logged, in order, but what depends on the machine."""
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    ignored = {'time', 'data_time', 'memory'}
    return [{k: v for k, v in line.items() if k not in ignored} for line in lines]


def the_same_training(whole, resumed, epochs=2):
    """Compare trainings of some epochs, one gone on with after the first.

    Returns their averaged and their last state.
    """
    log = curve(whole)
    assert len(log) == 3 * epochs  # two steps and a validation each epoch
    assert curve(resumed) == log[3:]
    one, other = (
        torch.load(folder / f'epoch_{epochs}.pth', weights_only=False)
        for folder in (whole, resumed)
    )
    exact = dict(rtol=0, atol=0)
    assert_close(other['state_dict'], one['state_dict'], **exact)
    assert_close(other['ema_state_dict'], one['ema_state_dict'], **exact)
    assert_close(other['optimizer']['state'], one['optimizer']['state'], **exact)
    assert other['param_schedulers'] == one['param_schedulers']
    assert one['ema_state_dict']['steps'] == 2 * epochs
    return one['state_dict'], one['ema_state_dict']
