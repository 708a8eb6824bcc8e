"""Motions made of recorded ones."""

import numpy as np
import pytest
from mocap import H36M, JUMP, KICK, dataset, joints_of, window
from numpy.testing import assert_allclose, assert_array_equal

from mmhot.datasets.transforms.motion_augmentation import (
    RandomBodyRecombination,
    RandomTimeReversal,
)

LEGS = H36M.indices([name for name in H36M.joints if name.endswith(('knee', 'foot'))])
PELVIS = [0, *H36M.indices(['left_hip', 'right_hip'])]
UPPER = [joint for joint in range(17) if joint not in LEGS + PELVIS]


def lengths(joints):
    """Bone lengths, (T, 16)."""
    parents, children = np.transpose(H36M.bones)
    return np.linalg.norm(joints[:, parents] - joints[:, children], axis=-1)


def recombined(other, **settings):
    sample = window(draw_window=lambda: other)
    return RandomBodyRecombination(prob=1.0, **settings)(sample)['joints_world']


def test_legs_stay_and_bones_keep_their_lengths():
    legs, other = joints_of(JUMP), joints_of(KICK)
    joints = recombined(other)
    assert_array_equal(joints[:, LEGS + PELVIS], legs[:, LEGS + PELVIS])
    assert not np.allclose(joints[:, UPPER], legs[:, UPPER], atol=0.05)
    of_upper = [bone for bone, (_, child) in enumerate(H36M.bones) if child in UPPER]
    assert_allclose(
        lengths(joints)[:, of_upper], lengths(other)[:, of_upper], atol=1e-5
    )


def test_own_upper_body_fits_from_any_side():
    joints = joints_of(JUMP)
    angle = 2.0
    turn = np.array(
        [
            [np.cos(angle), np.sin(angle), 0],
            [-np.sin(angle), np.cos(angle), 0],
            [0, 0, 1],
        ],
        np.float32,
    )
    assert_allclose(recombined(joints @ turn), joints, atol=1e-5)


def test_people_who_are_not_upright_are_left_alone():
    lying = joints_of(KICK)[..., [2, 1, 0]]
    assert_array_equal(recombined(lying), joints_of())


def test_reversed_windows_are_the_same_backwards():
    visible = np.arange(51, dtype=np.float32).reshape(3, 17)
    sample = RandomTimeReversal(prob=1.0)(window(lifting_target_visible=visible))
    assert_array_equal(sample['joints_world'], joints_of()[::-1])
    assert_array_equal(sample['lifting_target_visible'], visible[::-1])


@pytest.mark.parametrize('transform', [RandomBodyRecombination, RandomTimeReversal])
def test_windows_without_probability_stay(transform):
    assert_array_equal(transform(prob=0.0)(window())['joints_world'], joints_of())


def test_datasets_draw_windows_of_all_their_clips():
    windows = dataset()
    np.random.seed(0)  # noqa: NPY002 the dataset draws from it
    draws = [windows[0]['draw_window']() for _ in range(40)]
    assert {len(draw) for draw in draws} == {27}
    thighs = {round(float(lengths(draw)[0, 1]), 3) for draw in draws}
    assert len(thighs) == 2  # both people
