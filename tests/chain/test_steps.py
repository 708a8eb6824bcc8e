"""Steps of the chain: their list, leaving some out, and steps of users."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from steps import live_chain, plan_of
from walkers import Walkers

import mmhot
from mmhot.chain import user_steps
from mmhot.chain.formats import FORMATS, Format
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.pipelines import KEYPOINTS, VIDEO, list_steps
from mmhot.weights.index import LIVE_LIFTER


@pytest.fixture(scope='module')
def lifter():
    return Lifter(device='cpu', backend='onnx')


@pytest.fixture(autouse=True)
def registered():
    yield
    user_steps.REGISTERED.clear()


def names_of(pipeline, lifter, **options):
    plan = plan_of(pipeline, lifter, **options)
    sections = (getattr(plan, x, []) for x in ('returning', 'keypoints', 'poses'))
    return [step.name for steps in sections for step in steps]


def test_steps_that_can_be_left_out_are_those_of_the_page():
    rows = re.findall(r'(?m)^\| `([a-z]+)` \|', Path('docs/motion.md').read_text())
    assert {*list_steps()} <= {*rows}
    assert {*list_steps(KEYPOINTS)} < {*list_steps()}


@pytest.mark.parametrize('pipeline', [VIDEO, KEYPOINTS])
def test_steps_are_left_out(pipeline, lifter):
    whole = names_of(pipeline, lifter)
    for name in ('confidence', 'sides', 'camera', 'errors', 'feet'):
        left = names_of(pipeline, lifter, without=name)
        gone = {name, 'camera_3d'} if name == 'camera' else {name}
        assert left == [each for each in whole if each not in gone]
        assert gone & {*whole}
    for text in ('sides, errors', ['sides', 'errors'], ('errors', 'sides', 'sides')):
        left = names_of(pipeline, lifter, without=text)
        assert set(whole) - set(left) == {'sides', 'errors'}
    with pytest.raises(
        ValueError, match=r'^without must be one of returning, \w+, .*feat'
    ):
        names_of(VIDEO, lifter, without='feat')
    with pytest.raises(
        ValueError, match=r'^without must be one of corrections, sides, .*bones'
    ):
        names_of(KEYPOINTS, lifter, without='returning')


class Lower(mmhot.PoseStep):
    name = 'lower'

    def __call__(self, clip):
        return replace(clip, root_3d=clip.root_3d + np.float32([0, 1, 0]))


class Shift(mmhot.KeypointStep):
    name = 'shift'

    def __call__(self, clip):
        tracks = [replace(x, keypoints=x.keypoints + 5) for x in clip.tracks]
        return replace(clip, tracks=tracks)


def test_steps_without_what_they_need_are_left_out_with_a_warning(
    skater, tmp_path, caplog
):
    for name, base in (('seen', mmhot.VideoStep), ('projected', mmhot.LiftedStep)):
        body = {'name': name, '__call__': lambda self, clip, known: clip}
        mmhot.register_step(type('Mine', (base,), body))
    lines = "the step 'seen' needs a video and", "the step 'projected' needs 2D keyp"
    clip = mmhot.lift(skater, pose3d='nanohtnet', without='projected')
    assert [line in caplog.text for line in lines] == [True, False]
    caplog.clear()
    mmhot.refine(clip)
    assert [line in caplog.text for line in lines] == [False, True]
    caplog.clear()
    clip.save(tmp_path / 'clip.npz')
    assert 'is left out' not in caplog.text


def test_steps_of_users_run_in_streams_if_they_are_live():
    lifter = Lifter(LIVE_LIFTER, device='cpu')
    for is_live, left_out in ((False, ['lower']), (True, [])):
        user_steps.REGISTERED.clear()
        mmhot.register_step(type('Mine', (Lower,), {'live': is_live}))
        assert live_chain(Walkers(), lifter, 25.0, 2).plan.left_out == left_out


def test_writers_cannot_change_the_clip_of_the_next_one(skater, tmp_path, monkeypatch):
    clip = mmhot.lift(skater, pose3d='nanohtnet')
    before = clip.keypoints_3d.copy()

    def change_in_place(clip, *_):
        clip.keypoints_3d *= 1000

    monkeypatch.setitem(FORMATS, 'mm', Format(change_in_place))
    with pytest.raises(ValueError, match='read-only'):
        clip.save(tmp_path / 'clip.mm')
    np.testing.assert_array_equal(clip.keypoints_3d, before)


@pytest.mark.parametrize(
    ('kind', 'body', 'message'),
    [
        (object, {'name': 'new'}, 'must be a subclass of KeypointStep, VideoStep'),
        (Lower, {'name': ''}, 'a step needs a name'),
        (Lower, {'name': 5}, 'a step needs a name'),
        (Lower, {'name': 'lens'}, "there is a step 'lens' already"),
        (Lower, {'name': 'feet'}, "there is a step 'feet' already"),
    ],
)
def test_wrong_steps_are_refused(kind, body, message):
    with pytest.raises(ValueError, match=message):
        mmhot.register_step(type('Wrong', (kind,), body))


def test_clips_after_each_step(skater):
    """The last is the result of the call."""
    mmhot.register_step(Shift)
    clip = mmhot.read_keypoints(skater)
    clips = dict(mmhot.steps(clip, pose3d='nanohtnet', without='sides'))
    names = ['corrections', 'people', 'lens', 'joint_corrections', 'confidence']
    names += ['shift', 'lift', 'errors', 'smoothing', 'joints', 'camera_3d', 'sizes']
    names += ['bones', 'feet']
    assert [*clips] == names
    moved = clips['shift'].tracks[0].keypoints - clips['confidence'].tracks[0].keypoints
    np.testing.assert_allclose(moved[np.isfinite(moved)], 5, atol=1e-4)
    lifted = mmhot.lift(clip, pose3d='nanohtnet', without='sides')
    np.testing.assert_array_equal(clips['feet'].keypoints_3d, lifted.keypoints_3d)
    *_, (name, refined) = mmhot.steps(lifted, static_camera=True)
    expected = mmhot.refine(lifted, static_camera=True)
    assert name == 'feet'
    np.testing.assert_array_equal(refined.root_3d, expected.root_3d)


def test_other_options_than_those_that_have_run_are_refused(skater):
    smoothed = mmhot.lift(skater, smooth_3d='spline', kpt_thr=0.1)
    assert smoothed.steps['smoothing'] == {'smooth_3d': 'spline'}
    again = mmhot.refine(smoothed)
    np.testing.assert_array_equal(again.keypoints_3d, smoothed.keypoints_3d)
    mmhot.refine(smoothed, smooth_3d='spline')
    message = "^smooth_3d='butterworth' comes too late: the step 'smoothing' has run, w"
    with pytest.raises(ValueError, match=message):
        mmhot.refine(smoothed, smooth_3d='butterworth')
    with pytest.raises(ValueError, match="^without='smoothing' comes too late"):
        mmhot.refine(smoothed, without='smoothing')


def test_options_of_keypoints_that_were_exported_act_or_are_refused(skater, tmp_path):
    mmhot.lift(skater, kpt_thr=0.1).save(tmp_path / 'x.coco.json')
    mmhot.lift(tmp_path / 'x.coco.json', kpt_thr=0.1)
    with pytest.raises(ValueError, match=r'^kpt_thr=0.9 comes too late: .* with 0.1'):
        mmhot.lift(tmp_path / 'x.coco.json', kpt_thr=0.9)


def test_files_of_keypoints_cannot_state_that_they_were_lifted(skater):
    """Nor that 3D steps have run: a file's ``steps`` are data."""
    clip = mmhot.read_keypoints(skater)
    names = ('track', 'lens', 'lift', 'smoothing', 'feet', 'sides')
    lifted = mmhot.lift(replace(clip, steps={name: {} for name in names}))
    assert isinstance(lifted, mmhot.Clip3D)
    plain = mmhot.lift(clip, without='sides')
    assert np.array_equal(lifted.keypoints_3d, plain.keypoints_3d)
