"""Processors: the list of a run, leaving steps out, and steps of users."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmhot.apis.processing import processors_of

import mmhot
from mmhot.chain import processors
from mmhot.chain.options import InferOptions, InferRunOptions, LiftOptions
from mmhot.chain.steps import PROCESSORS, STAGES
from mmhot.lifting.lifter import Lifter

SKATER = Path(__file__).parents[2] / 'demo/skating_2d_coco17.npz'


@pytest.fixture(scope='module')
def lifter():
    return Lifter(device='cpu', backend='onnx')


def names_of(steps):
    return [step.name for step in steps]


def test_list_is_the_table(lifter):
    options = InferRunOptions(out_dir='x', joints=24, smooth_3d='savgol')
    steps = processors_of(options, lifter)
    assert list(dict.fromkeys(names_of(steps))) == [*PROCESSORS]
    for step in steps:
        assert set(step.needs) <= set(STAGES[step.stage])


@pytest.mark.parametrize('options', [InferOptions, LiftOptions])
def test_steps_are_left_out(options, lifter):
    whole = names_of(processors_of(options(), lifter))
    for name in {'returning', 'sides', 'camera', 'errors'}:
        left = names_of(processors_of(options(without=name), lifter))
        assert left == [each for each in whole if each != name]
    for text in ('sides, errors', ['sides', 'errors'], ('errors', 'sides', 'sides')):
        left = names_of(processors_of(options(without=text), lifter))
        assert set(whole) - set(left) == {'sides', 'errors'}


def test_processors_of_users_get_what_they_need(monkeypatch):
    monkeypatch.setattr(processors, '_REGISTERED', {})

    @mmhot.register_processor
    class Lower:
        name, stage, needs = 'lower', 'poses', ('keypoints', 'lens')

        def __call__(self, clip, keypoints, lens):
            assert (keypoints.skeleton, lens.size) == (
                'coco-17',
                (clip.width, clip.height),
            )
            return replace(clip, root_3d=clip.root_3d + np.float32([0, 1, 0]))

    lower, plain = (
        mmhot.lift(SKATER, model='nanohtnet', fov=60, without=names)
        for names in ((), 'lower')
    )
    np.testing.assert_array_equal(lower.keypoints_3d, plain.keypoints_3d)
    np.testing.assert_array_equal(lower.root_3d, plain.root_3d + np.float32([0, 1, 0]))
    assert lower.steps == (*plain.steps, 'lower')
