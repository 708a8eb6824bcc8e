"""Postures on the floor, in yoga and in sports."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from projects.rendered_people.render.poses import FRONT, LEFT, pose_from_joints
from projects.rendered_people.render.postures import POSTURES, sample_posture
from projects.rendered_people.render.sampling import PoseSampler

MOTIONS = Path(__file__).parents[3] / 'tests/data/cmu_mocap/cmu_h36m17.npz'
UP = np.array((0, 0, 1.0))
# Facts of some postures of people who face -y.
FACTS: dict[str, Callable] = {
    'legs crossed': lambda pose: (
        pose.limbs['left_shin'][0] < 0 < pose.limbs['right_shin'][0]
        and max(abs(pose.limbs[f'{x}_thigh'][2]) for x in ('left', 'right')) < 0.4
    ),
    'on the heels': lambda pose: min(shins(pose, 1)) > 0.4,
    'legs ahead': lambda pose: max(shins(pose, 1)) < -0.5,
    'downward dog': lambda pose: pose.chest.apply(UP)[2] < 0,
    'plank': lambda pose: pose.chest.apply(FRONT)[2] < -0.8,
    'bridge': lambda pose: pose.pelvis.apply(FRONT)[2] > 0.5,
    'triangle': lambda pose: abs(pose.chest.apply(LEFT)[2]) > 0.5,
    'shoulder stand': lambda pose: min(shins(pose, 2)) > 0.7,
}


def shins(pose, axis):
    return [pose.limbs[f'{side}_shin'][axis] for side in ('left', 'right')]


@pytest.fixture(scope='module')
def clip():
    return np.load(MOTIONS)['S11/11_01'].astype(float)


@pytest.mark.parametrize('name', POSTURES)
def test_limbs_of_postures_are_directions_and_the_heading_stays(name, clip):
    pose = pose_from_joints(clip[20], (0.0, 0.0, 0.0))
    left = pose.pelvis.apply(LEFT)
    for seed in range(20):
        taken = sample_posture(pose, np.random.default_rng(seed), name)
        lengths = np.linalg.norm(list(taken.limbs.values()), axis=1)
        assert_allclose(lengths, 1, atol=1e-9)
        assert_allclose(
            np.arctan2(*taken.pelvis.apply(LEFT)[1::-1]), np.arctan2(*left[1::-1])
        )


@pytest.mark.parametrize('name', FACTS)
def test_postures_are_what_their_names_say(name, clip):
    sampler = PoseSampler({'S11/11_01': clip})
    upright = sampler.upright(np.random.default_rng(0))
    for seed in range(50):
        assert FACTS[name](sample_posture(upright, np.random.default_rng(seed), name))


def test_shares_of_seats_and_postures_are_those_of_the_poses(clip):
    def seated(**shares):
        rng = np.random.default_rng(3)
        sampler = PoseSampler({'S11/11_01': clip}, **shares)
        return np.mean([sampler(rng).seated for _ in range(300)])

    assert 0.13 < seated() < 0.27
    assert 0.6 < seated(seated=0.7) < 0.8
    assert seated(postures=1.0) == 0
