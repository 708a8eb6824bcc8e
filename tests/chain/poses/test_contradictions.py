"""What contradicts itself in poses of other tools is said, and nothing else."""

import numpy as np
import pytest
from mocap import H36M, JUMP, KICK, joints_of

from mmhot.chain.poses.contradictions import find_contradictions

WRIST = H36M.index('left_wrist')


def exchanged(body):
    body[60:75] = body[60:75][:, H36M.flip_indices]


def noisy(body):
    body += np.random.default_rng(0).normal(0, 0.02, body.shape)


def unknown(body):
    body[:, WRIST], body[40:50] = np.nan, np.nan


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (exchanged, ['legs change places in frame 60, 75', 'arms change places']),
        (noisy, []),
        (unknown, []),
    ],
)
@pytest.mark.parametrize('key', [KICK, JUMP])
def test_contradictions_are_said(key, spoil, words):
    body = joints_of(key, 150).astype(np.float64)
    spoil(body)
    said = '; '.join(find_contradictions(body, np.arange(150)))
    assert bool(said) == bool(words)
    assert all(word in said for word in words), said
