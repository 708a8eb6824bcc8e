"""Steps of the chain: their list, leaving some out, and steps of users."""

from argparse import ArgumentParser
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from clip_files import cut_skater

import mmhot
from mmhot.chain import build, steps
from mmhot.chain.build import build_chain
from mmhot.chain.context import Context
from mmhot.chain.options import (
    InferOptions,
    InferRunOptions,
    LiftOptions,
    RefineOptions,
)
from mmhot.chain.steps import STEPS, signature_of
from mmhot.cli.options import add_options, read_options
from mmhot.lifting.lifter import Lifter
from mmhot.options import Options, option

# Steps that every chain has.
CORE = ['estimate', 'track', 'people', 'lens', 'lift']


@pytest.fixture(scope='module')
def lifter():
    return Lifter(device='cpu', backend='onnx')


def names_of(options, lifter):
    return [step.name for step in build_chain(options, lifter=lifter).steps]


def test_list_is_the_table(lifter):
    options = InferRunOptions(out_dir='x', joints=24, smooth_3d='savgol')
    chain = build_chain(options, lifter=lifter)
    names = dict.fromkeys(step.name for step in chain.steps)
    assert tuple(name for name in names if name not in CORE) == STEPS
    assert [*names] == [
        *('estimate', 'track', 'returning', 'people', 'lens', 'confidence', 'sides'),
        *('camera', 'lift', 'errors', 'smoothing', 'bones', 'joints', 'feet'),
    ]
    for step in chain.steps:
        takes = signature_of(step)
        assert takes.clip in ('FrameSource', 'ClipPeople', 'Clip2D', 'Clip3D')
        assert takes.facts.keys() <= {each.name for each in fields(Context)}


@dataclass(frozen=True, kw_only=True)
class NewOption(Options):
    """An option that acts in a step."""

    strength: float = option('of the step', 2.0)


@dataclass(frozen=True, kw_only=True)
class NewLiftOptions(LiftOptions, NewOption):
    """Options of a command that has it."""


@dataclass(frozen=True, kw_only=True)
class NewRefineOptions(RefineOptions, NewOption):
    """Options of another one."""


@pytest.mark.parametrize('kind', [NewLiftOptions, NewRefineOptions])
def test_new_step_and_option_are_a_line_each(kind, lifter, tmp_path, monkeypatch):
    """The step's constructor gets options by name, which the command line has, too."""
    (tmp_path / 'new_step.py').write_text(
        'class Higher:\n'
        "    name = 'higher'\n"
        '    def __init__(self, strength, lifter, height=3.0):\n'
        '        self.given = strength, lifter, height\n'
        "    def __call__(self, clip: 'Clip3D', lens): return clip\n"
    )
    parser = ArgumentParser()
    add_options(parser, kind)
    options = read_options(parser.parse_args(['--strength', '60']), kind)
    monkeypatch.syspath_prepend(tmp_path)
    line = steps.Entry('higher', 'new_step:Higher', 'both')
    table = steps.BUILT_IN | {'Clip3D': (*steps.BUILT_IN['Clip3D'], line)}
    monkeypatch.setattr(build, 'BUILT_IN', table)
    own = None if isinstance(options, RefineOptions) else lifter
    *_, step = build_chain(options, lifter=own).steps
    assert step.name == 'higher'
    assert step.given == (60, own, 3.0)
    assert signature_of(step) == steps.Signature('Clip3D', {'lens': True})
    # the help of `--without` names it
    assert [*steps.REFINING] == ['smoothing', 'bones', 'feet']
    assert steps.LIFTING == STEPS
    assert 'lens' not in STEPS
    without = replace(options, without='feet')
    assert 'feet' not in [x.name for x in build_chain(without, lifter=own).steps]


@pytest.mark.parametrize('options', [InferOptions, LiftOptions])
def test_steps_are_left_out(options, lifter):
    whole = names_of(options(), lifter)
    for name in {'confidence', 'sides', 'camera', 'errors', 'feet'}:
        left = names_of(options(without=name), lifter)
        assert left == [each for each in whole if each != name]
    for text in ('sides, errors', ['sides', 'errors'], ('errors', 'sides', 'sides')):
        left = names_of(options(without=text), lifter)
        assert set(whole) - set(left) == {'sides', 'errors'}


@pytest.mark.parametrize('older', [False, True])
def test_steps_of_users_get_what_they_need(monkeypatch, older, tmp_path):
    monkeypatch.setattr(steps, '_REGISTERED', {})

    class Lower:
        name, stage, needs = 'lower', 'poses', ('keypoints', 'lens')

        def __call__(self, clip, keypoints, lens):
            assert (keypoints.skeleton, lens.size) == (
                'coco-17',
                (clip.width, clip.height),
            )
            return replace(clip, root_3d=clip.root_3d + np.float32([0, 1, 0]))

    class Shift:
        name = 'shift'

        def __call__(self, clip: mmhot.Clip2D, lens: object):
            tracks = [replace(x, keypoints=x.keypoints + 5) for x in clip.tracks]
            return replace(clip, tracks=tracks)

    class Never:
        name = 'never'

        def __call__(self, clip: mmhot.Clip2D, appearance: dict):
            raise AssertionError('the appearance is not known')

    class LowerNow(Lower):
        stage = 'none'

        def __call__(
            self, clip: mmhot.Clip3D, keypoints: mmhot.Clip2D, lens: object | None
        ):
            return super().__call__(clip, keypoints, lens)

    mmhot.register_step(Lower if older else LowerNow)
    mmhot.register_step(Shift())
    mmhot.register_processor(Never)
    skater = cut_skater(tmp_path / 'skater.npz', 20)
    moved, lower, plain = (
        mmhot.lift(skater, model='nanohtnet', fov=60, without=names)
        for names in ((), 'shift', 'lower,shift,never')
    )
    np.testing.assert_array_equal(lower.keypoints_3d, plain.keypoints_3d)
    np.testing.assert_array_equal(lower.root_3d, plain.root_3d + np.float32([0, 1, 0]))
    assert lower.steps == (*plain.steps, 'lower')
    assert moved.steps == ('confidence', 'sides', 'shift', 'bones', 'lower')
    np.testing.assert_allclose(moved.keypoints_2d, lower.keypoints_2d + 5, atol=1e-3)


def take_any(self, clip: mmhot.Clip2D | mmhot.Clip3D):
    return clip


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        ({}, 'a step needs a name'),
        ({'name': 'feet'}, "there is a step 'feet' already"),
        ({'name': 'new', '__call__': lambda self, clip: clip}, 'annotate the clip'),
        ({'name': 'new', '__call__': lambda self: None}, 'annotate the clip'),
        ({'name': 'new', '__call__': take_any}, 'annotate the clip'),
    ],
)
def test_wrong_steps_are_refused(body, message):
    with pytest.raises(ValueError, match=message):
        mmhot.register_step(type('Wrong', (), body))


def test_facts_of_steps_have_known_names():
    class Wrong:
        name = 'wrong'

        def __call__(self, clip: mmhot.Clip3D, weather: str):
            return clip

    with pytest.raises(ValueError, match=r"among frames, cuts, .*; got 'weather'"):
        mmhot.register_step(Wrong)


def test_files_of_keypoints_cannot_state_that_they_were_lifted(tmp_path):
    """Nor that 3D steps have run: a file's ``steps`` are data."""
    clip = mmhot.read_keypoints(cut_skater(tmp_path / 'a.npz', 20))
    stated = ('track', 'lens', 'lift', 'smoothing', 'feet', 'sides')
    lifted = mmhot.lift(replace(clip, steps=stated))
    assert isinstance(lifted, mmhot.Clip3D)
    plain = mmhot.lift(clip, without='sides')
    assert np.array_equal(lifted.keypoints_3d, plain.keypoints_3d)
