"""Steps, writers and readers of users, in every way to run them."""

import errno
import json
import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pose_sources import infer as infer_it
from steps import live_chain
from walkers import Walkers, frames

import mmhot
from mmhot.apis.ray_runner import RemoteWorker
from mmhot.chain import user_steps
from mmhot.chain.calls import INFER_COMMAND
from mmhot.chain.formats import FORMATS
from mmhot.chain.frames.inputs import find_inputs
from mmhot.chain.lifting.lift import Lift
from mmhot.chain.lifting.lifter import Lifter
from mmhot.chain.pose2d import pose_source
from mmhot.chain.worker import ClipWorker
from mmhot.cli.dispatch import main
from mmhot.errors import StepError, explain
from mmhot.io.readers import files
from mmhot.options import Option, Options, Values, options_of
from mmhot.structures.clips_2d import check_clip
from mmhot.structures.clips_3d import to_axes
from mmhot.structures.lens import Camera, Lens
from mmhot.weights.index import LIVE_LIFTER


@pytest.fixture(autouse=True)
def parts():
    """Forget what a test registers."""
    formats = dict(FORMATS)
    yield
    for names, before in (
        (user_steps.REGISTERED, {}),
        (files.REGISTERED, {}),
        (FORMATS, formats),
    ):
        names.clear()
        names.update(before)


@pytest.fixture(scope='module')
def lifter():
    return Lifter(LIVE_LIFTER, device='cpu')


@pytest.fixture(scope='module')
def lifted(skater):
    return mmhot.lift(skater, pose3d='nanohtnet')


def step_of(function, kind=mmhot.PoseStep, **attributes):
    """Register a step that calls a function."""
    body = {'name': 'mine', '__call__': lambda self, *given: function(*given)}
    return mmhot.register_step(type('Mine', (kind,), body | attributes))


def assign(clip):
    clip.keypoints_3d = 2 * clip.keypoints_3d
    return clip


def write(clip):
    clip.keypoints_3d *= 2
    return clip


def double(clip, convert=lambda array: array):
    return replace(clip, keypoints_3d=convert(2 * clip.keypoints_3d))


DOUBLES = {
    'assign': assign,
    'write in place': write,
    'replace': double,
    'copy': lambda clip: assign(deepcopy(clip)),
    'view': lambda clip: double(clip, lambda array: array[::-1][::-1]),
    'lists': lambda clip: double(clip, np.ndarray.tolist),
    'float64': lambda clip: double(clip, np.float64),
    'Fortran': lambda clip: double(clip, np.asfortranarray),
}
"""Ways to write a step that doubles poses."""


def frames_of(lifter, count=8):
    """The poses of a stream, by frame."""
    live = live_chain(Walkers(), lifter, 25.0, 2)
    return [poses.people for poses in live(frames(range(count), 25.0))]


@pytest.mark.parametrize('way', DOUBLES)
def test_what_a_step_returns_counts(way, skater, lifted, lifter):
    plain, refined = frames_of(lifter), mmhot.refine(lifted)
    step_of(DOUBLES[way], live=True)
    *_, (_, last) = mmhot.steps(skater, pose3d='nanohtnet')
    for clip, before in (
        (mmhot.lift(skater, pose3d='nanohtnet'), lifted),
        (mmhot.refine(lifted), refined),
        (last, lifted),
    ):
        np.testing.assert_array_equal(clip.keypoints_3d, 2 * before.keypoints_3d)
        assert clip.keypoints_3d.dtype == np.float32
        assert clip.steps['mine'] == {}
    for before, after in zip(plain, frames_of(lifter), strict=True):
        for person, doubled in zip(before, after, strict=True):
            pose = 2 * person.keypoints_3d
            np.testing.assert_array_equal(doubled.keypoints_3d, pose)


def test_steps_of_keypoints_may_change_their_clip_in_place(skater):
    def shift(clip, *footage):
        for track in clip.tracks:
            track.keypoints += 5
        return clip

    plain = mmhot.lift(skater, without='sides')
    step_of(shift, mmhot.KeypointStep)
    clip = mmhot.lift(skater, without='sides')
    np.testing.assert_allclose(clip.keypoints_2d, plain.keypoints_2d + 5, atol=1e-3)
    assert clip.steps['mine'] == {}


def test_a_step_that_changes_nothing_is_not_recorded(skater, lifted):
    step_of(lambda clip: deepcopy(clip))
    assert mmhot.lift(skater, pose3d='nanohtnet').steps == lifted.steps


def fail(error):
    def raise_it(clip, *known):
        raise error

    return raise_it


FAULTS = {
    'JSONDecodeError: Expecting property name': lambda clip: json.loads('{'),
    'UnicodeDecodeError: .* invalid start byte': lambda clip: b'\xff'.decode(),
    "KeyError: 'nobody'": lambda clip: {}['nobody'],
    'ZeroDivisionError: division by zero': lambda clip: len(clip.track_ids) / 0,
    "ArgumentError: 50 % of '100%d'": fail(
        mmhot.errors.ArgumentError("50 %% of '100%%d'")
    ),
    'OSError: .*28.* No space left': fail(OSError(errno.ENOSPC, 'No space left')),
    'ImportError: no torchx': fail(ImportError('no torchx')),
    'AssertionError$': fail(AssertionError()),
    'StopIteration$': lambda clip: next(iter(())),
    'MemoryError$': fail(MemoryError()),
    'TypeError: must return a Clip[23]D, got NoneType': lambda clip: None,
    'TypeError: must return a Clip[23]D, got list': lambda clip: [clip],
}
"""What a step raises or returns, as a message names it."""
WRONG_POSES = {
    'rows must be sorted by frame': lambda x: x.take(np.arange(len(x))[::-1]),
    r'scores must have the shape .*\(19, 17\)': lambda x: replace(
        x, scores=x.scores[1:]
    ),
    'keypoints_3d is not finite': lambda x: replace(
        x, keypoints_3d=np.nan * x.keypoints_3d
    ),
    'got ndarray': lambda x: x.keypoints_3d,
}


@pytest.mark.parametrize('fault', FAULTS | WRONG_POSES)
@pytest.mark.parametrize('kind', [mmhot.PoseStep, mmhot.KeypointStep])
def test_errors_arrive_with_the_name_of_the_step(fault, kind, skater, lifted, lifter):
    if kind is mmhot.KeypointStep and fault in WRONG_POSES:
        return
    step_of((FAULTS | WRONG_POSES)[fault], kind, live=True)
    ways = [lambda: mmhot.lift(skater), lambda: [*mmhot.steps(skater)]]
    if kind is mmhot.PoseStep:
        ways.append(lambda: mmhot.refine(lifted))
    if fault not in WRONG_POSES:
        ways.append(lambda: frames_of(lifter))
    for run in ways:
        with pytest.raises(StepError, match=f"^the step 'mine': .*{fault}") as caught:
            run()
        assert caught.value.__cause__ is not None
        line = explain(caught.value)
        assert '\n' not in line
        assert line.endswith('(MMHOT_DEBUG=1 shows the traceback)')


def changed(**fields):
    return lambda clip: replace(clip, **fields)


def changed_array(name, change):
    return lambda clip: replace(clip, **{name: change(getattr(clip, name))})


WRONG_CLIPS = {
    'axes must be one of camera, z-up, world': changed(axes='up'),
    "unit must be one of m, got 'mm'": changed(unit='mm'),
    'name must be text, got None': changed(name=None),
    'steps must be options by the name of the step, got None': changed(steps=None),
    "steps must be .*, got {'mine': 3}": changed(steps={'mine': 3}),
    'joint_names must be a tuple of names, got ': changed(joint_names=['a'] * 17),
    r'cuts must be a tuple of frame numbers, got \(1.5,\)': changed(cuts=(1.5,)),
    'heights must be BodyHeight by track ID': changed(heights={0: 1.8}),
    'lens must be a Lens or None, got 900': changed(lens=900),
    'the path of the camera must have 4 numbers for each frame to': changed(
        camera=Camera(np.zeros((2, 4)), None)
    ),
    'camera.path must be an array of numbers, got str': changed(
        camera=Camera('static', None)
    ),
    'the intrinsics are for images of 50x90': changed(lens=Lens.pinhole(50, 50, 90)),
    'width must be 1 to 100000 whole pixels, got nan': changed(width=np.nan),
    'track has negative numbers': changed_array('track', lambda x: x - 1),
    'frame has numbers above 10000000': changed_array('frame', lambda x: x + 10**12),
    'frame must hold whole numbers, got 0.5': changed_array('frame', lambda x: x + 0.5),
    'keypoints_3d has numbers above 1e': changed_array(
        'keypoints_3d', lambda x: 1e30 * np.sign(x)
    ),
    'keypoints_3d must be finite or NaN': changed_array(
        'keypoints_3d', lambda x: x + np.inf
    ),
    'scores must be an array of numbers, got <U': changed_array(
        'scores', lambda x: x.astype(str)
    ),
    'scores must be an array of numbers, got object': changed_array(
        'scores', lambda x: x.astype(object)
    ),
}
"""Faults of a 3D clip, as a message names them."""


@pytest.mark.parametrize('fault', WRONG_CLIPS)
def test_3d_clips_are_checked_whole(fault, lifted):
    with pytest.raises(ValueError, match=fault):
        WRONG_CLIPS[fault](lifted).checked()


@pytest.mark.parametrize(
    ('fault', 'fields'),
    [
        ('name must be text', dict(name=None)),
        ('steps must be options by the name of the step', dict(steps=None)),
        ('cuts must be a tuple of frame numbers', dict(cuts=3)),
        ('tracks must be a list of Track2D', dict(tracks=[None])),
        ('lens must be a Lens or None', dict(lens=60)),
        ('camera must be a Camera or None', dict(camera='static')),
        (r'numbers from 0 as track IDs, got \[-1\]', dict(track=-1)),
        (r'numbers from 0 as track IDs, got \[0\.5\]', dict(track=0.5)),
    ],
)
def test_2d_clips_are_checked_whole(fault, fields, skater):
    clip = mmhot.read_keypoints(skater)
    if 'track' in fields:
        fields = dict(tracks=[replace(clip.tracks[0], **fields)])
    with pytest.raises(ValueError, match=fault):
        check_clip(replace(clip, **fields))


def write_into(name):
    """Return a step that writes into an array that is computed from the clip."""

    def write(clip):
        array = eval(f'clip.{name}', {'clip': clip})
        array[:] = 1
        return clip

    return write


@pytest.mark.parametrize(
    'name',
    [
        *('person(0).keypoints_3d', 'people[0].times', 'person(0).frames'),
        *('time', 'places()', 'confidence', 'confidences[0]'),
    ],
)
def test_what_would_be_lost_is_read_only(name, skater, lifted):
    is_2d = 's[0]' in name
    step_of(write_into(name), mmhot.KeypointStep if is_2d else mmhot.PoseStep)
    with pytest.raises(StepError, match="^the step 'mine': ValueError: .*read-only"):
        mmhot.lift(skater) if is_2d else mmhot.refine(lifted)
    with pytest.raises(AttributeError):
        lifted.person(0).keypoints_3d = lifted.keypoints_3d


@pytest.mark.parametrize(
    'change', [lambda x: x.first_joints(5), lambda x: to_axes(x, 'z-up')]
)
def test_steps_of_streams_keep_joints_and_axes(change, lifter):
    step_of(change, live=True)
    with pytest.raises(StepError, match="'mine': .* must keep the joints and axes"):
        frames_of(lifter)


@pytest.mark.parametrize('height', ['4:1.8', '0:1.8,4:1.2', '1.8,1.2'])
def test_heights_of_other_people_are_refused_before_the_lift(
    height, skater, monkeypatch
):
    monkeypatch.setattr(Lift, '__call__', fail(AssertionError('lifted')))
    with pytest.raises(ValueError, match='^height must .* skater, got '):
        [*mmhot.steps(skater, height=height)]


@pytest.mark.parametrize('way', ['assign', "KeyError: 'nobody'"])
def test_steps_of_users_run_in_infer_and_in_workers_of_ray(
    way, video, detector, checkpoint, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # the worker does, for its process
    stated = dict(out_dir=tmp_path, formats='npz', pose3d_weights=checkpoint)
    plain = mmhot.infer(video, pose3d_weights=checkpoint)
    step_of((DOUBLES | FAULTS)[way])
    values = Values(stated, INFER_COMMAND.kinds)
    worker = RemoteWorker(ClipWorker, values, str(tmp_path))
    outcome, _ = worker.process(*find_inputs([str(video)]))
    if way == 'assign':
        clip = mmhot.infer(video, pose3d_weights=checkpoint)
        expected = 2 * plain.keypoints_3d
        for each in (clip, mmhot.read_lifted(tmp_path / 'clip.npz')):
            np.testing.assert_array_equal(each.keypoints_3d, expected)
    else:
        assert outcome.error.startswith(f"the step 'mine': {way} (MMHOT_DEBUG")
        with pytest.raises(StepError, match=way):
            mmhot.infer(video, pose3d_weights=checkpoint)


@pytest.mark.parametrize('kind', [mmhot.PoseStep, mmhot.KeypointStep])
def test_a_step_may_leave_nobody_in_some_frames_of_a_stream(kind, lifter):
    nobody = iter([True] * 3 + [False] * 99)

    def leave(clip, *known):
        rows = np.zeros(0, int)
        empty = clip.take(rows) if kind is mmhot.PoseStep else replace(clip, tracks=[])
        return empty if next(nobody) else clip

    step_of(leave, kind, live=True)
    people = [len(each) for each in frames_of(lifter, 12)]
    assert people == [0] * 5 + [1] * 7  # the tracker waits for two frames


def test_without_anybody_nothing_is_written(skater, tmp_path, capsys):
    step_of(lambda clip: clip.take(np.zeros(0, int)))
    clip = mmhot.lift(skater)
    for format_ in ('npz', 'glb', 'bvh', 'html'):
        with pytest.raises(ValueError, match='skater has no poses: nothing is written'):
            clip.save(tmp_path / f'a.{format_}')
    assert main(['lift', str(skater), '--out-dir', str(tmp_path)]) == 1
    assert 'skater has no poses: nothing is written' in capsys.readouterr().err
    assert not [*tmp_path.glob('*.*')]


def test_people_may_be_added(skater):
    def add(clip):
        other = replace(clip.tracks[0], track=7)
        return replace(clip, tracks=[*clip.tracks, other])

    step_of(add, mmhot.KeypointStep)
    assert mmhot.lift(skater).track_ids == [0, 7]


class Scaled(mmhot.PoseStep):
    """Scale poses; its options are declared below, as modules with text types do."""

    name, live = 'scaled', True

    __annotations__ = {
        'size': "Annotated[float, 'size of people', Option(low=0.1, high=10)]",
        'seen': 'list',
    }
    size = 1.0
    seen = field(default_factory=list)

    def __call__(self, clip):
        self.seen.append(clip.name)
        return replace(clip, keypoints_3d=self.size * clip.keypoints_3d)


def test_options_of_steps_are_options_everywhere(skater, lifted, tmp_path, capsys):
    kind = type(
        'Scaled',
        (Scaled,),
        {x: vars(Scaled)[x] for x in ('__annotations__', 'size', 'seen')},
    )
    mmhot.register_step(kind)
    clip = mmhot.lift(skater, pose3d='nanohtnet', size=2)
    np.testing.assert_array_equal(clip.keypoints_3d, 2 * lifted.keypoints_3d)
    assert clip.steps['scaled'] == {'size': 2.0}
    assert 'scaled' not in mmhot.lift(skater, pose3d='nanohtnet').steps
    with pytest.raises(ValueError, match=r'^size must be from 0\.1 to 10, got 20'):
        mmhot.lift(skater, size=20)
    with pytest.raises(ValueError, match="^size needs the step 'scaled', which is le"):
        mmhot.lift(skater, size=2, without='scaled')
    with pytest.raises(
        ValueError, match='^size=3.0 comes too late: .* has run, with 2'
    ):
        mmhot.refine(clip, size=3)
    with pytest.raises(SystemExit):
        main(['lift', '--help'])
    assert '--size N' in capsys.readouterr().out
    argv = ['lift', str(skater), '--pose3d', 'nanohtnet', '--out-dir', str(tmp_path)]
    assert main([*argv, '--size=2', '--formats=npz']) == 0
    written = mmhot.read_lifted(tmp_path / 'skater.npz')
    np.testing.assert_array_equal(written.keypoints_3d, clip.keypoints_3d)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'fov': Annotated[float | None, 'another meaning']},
            "name of the option 'fov' is taken",
        ),
        ({'progress': Annotated[bool, 'shown']}, "cannot have the name 'progress'"),
        ({'limit': "Annotated[float, 'of', Unknown()]"}, 'NameError: .*Unknown'),
    ],
)
def test_options_that_are_taken_or_unknown_are_refused(options, message):
    body = {'name': 'mine', '__annotations__': options} | dict.fromkeys(options)
    with pytest.raises(ValueError, match=message):
        mmhot.register_step(type('Mine', (mmhot.PoseStep,), body))
    assert user_steps.REGISTERED == {}


def step_with(kind, **limits):
    """Register a step with an option; it does nothing."""
    annotations = {'choice': Annotated[kind, 'text', Option(**limits)]}
    return step_of(lambda clip: clip, __annotations__=annotations, choice=None)


@pytest.mark.parametrize(
    ('kind', 'stated', 'value'),
    [
        (tuple[str, ...], 'x, y', ('x', 'y')),
        (tuple[int, int], '3,4', (3, 4)),
        (list[str] | None, 'x', ['x']),
        (list[int], '12', [12]),
        (set[str], ['y'], {'y'}),
        (Sequence[Path], Path('a'), (Path('a'),)),
        (None | float, '2', 2.0),
        (Literal[17, 24], '24', 24),
    ],
)
def test_options_of_several_values_are_split_by_commas(kind, stated, value):
    step = step_with(kind)
    assert options_of(step)['choice'].convert(stated) == value
    assert step().with_stated({'choice': stated}).choice == value


@pytest.mark.parametrize(
    ('kind', 'stated', 'message'),
    [
        (tuple[int, int], '1,2,3', '2 values separated by commas, each a whole number'),
        (tuple[str, ...], 'x,,y', 'values separated by commas, each a name or file'),
        (set[float], 4, 'from 0 to 3, got 4'),
        (float, 'nan', 'a number, got '),
        (list[float], [np.nan], 'values separated by commas, each a number'),
    ],
)
def test_wrong_values_of_options_are_refused(kind, stated, message, skater):
    step_with(kind, **dict(low=0, high=3) if stated == 4 else {})
    with pytest.raises(ValueError, match=f'^choice must be {message}'):
        mmhot.lift(skater, choice=stated)


@pytest.mark.parametrize(
    'kind',
    [
        *(int | str, int | str | None, Any, Callable, np.ndarray, object, bytes),
        *(Literal[1, 'x'], dict[str, int], tuple[int, str], list[list[int]]),
        *(list, list[bool], np.float32),
    ],
)
def test_options_that_text_cannot_state_need_a_function(kind, skater):
    with pytest.raises(
        StepError, match=r"the option 'choice' has the type .*read=\.\.\."
    ):
        step_with(kind)
    with pytest.raises(TypeError, match="unexpected keyword argument 'choice'"):
        mmhot.lift(skater, choice=1)
    step = step_with(kind, read=int)
    assert options_of(step)['choice'].convert('1') == 1


def test_files_keep_options_of_any_type(skater, tmp_path):
    options = {'names': Annotated[set[str], 'text'], 'path': Annotated[Path, 'text']}
    defaults = {'names': field(default_factory=set), 'path': Path('a')}
    step_of(double, __annotations__=options, **defaults)
    stated = dict(names='y,x', path='b')
    mmhot.lift(skater, pose3d='nanohtnet', **stated).save(tmp_path / 'a.npz')
    clip = mmhot.read_lifted(tmp_path / 'a.npz')
    assert clip.steps['mine'] == {'names': ['x', 'y'], 'path': 'b'}
    assert mmhot.refine(clip, **stated).steps['mine'] == clip.steps['mine']
    with pytest.raises(ValueError, match='comes too late'):
        mmhot.refine(clip, names='x')


class Times(mmhot.PoseStep):
    """Multiply poses, by a constructor of its own."""

    name = 'times'

    def __init__(self, factor=2):
        self.factor = factor

    def __call__(self, clip):
        return replace(clip, keypoints_3d=self.factor * clip.keypoints_3d)


@pytest.mark.parametrize('step', [Times(2), Times])
def test_classes_may_have_constructors(step, skater, lifted):
    mmhot.register_step(step)
    twice = mmhot.lift(skater, pose3d='nanohtnet').keypoints_3d
    np.testing.assert_array_equal(twice, 2 * lifted.keypoints_3d)


def own(function):
    """Return a method ``__call__``."""
    return {'__call__': function}


def kind_of(base, **body):
    return type('Mine', (base,), {'name': 'mine'} | body)


WRONG_SIGNATURES = {
    'clip': lambda: kind_of(mmhot.PoseStep, **own(lambda self: 1)),
    'clip, footage': lambda: kind_of(mmhot.VideoStep, **own(lambda self, clip: 1)),
    'clip, lifted': lambda: kind_of(mmhot.LiftedStep, **own(lambda self, clip: 1)),
    'fps': lambda: kind_of(Times, start=lambda self: self),
}


@pytest.mark.parametrize('names', WRONG_SIGNATURES)
def test_steps_with_wrong_signatures_are_refused(names):
    with pytest.raises(
        StepError, match=rf"^the step 'mine': TypeError: .* called with \({names}\): "
    ):
        mmhot.register_step(WRONG_SIGNATURES[names]())
    with pytest.raises(StepError, match='must have a method __call__'):
        mmhot.register_step(kind_of(mmhot.KeypointStep))
    assert user_steps.REGISTERED == {}


@pytest.mark.parametrize(
    ('register', 'given', 'message'),
    [
        (mmhot.register_writer, {}, r'called with \(clip, path, export\): '),
        (mmhot.register_reader, {'ending': '.x'}, r'called with \(path\): '),
        (mmhot.register_pose_estimator, {}, r'called with \(options\): '),
        (mmhot.register_reader, {'start': 'POSE'}, 'must be bytes'),
        (mmhot.register_reader, {'ending': b'.x'}, 'must be str'),
    ],
)
def test_functions_with_wrong_signatures_are_refused(register, given, message):
    functions = [print] if 'must' in message else [lambda: None, 'nope', None]
    for function in functions:
        with pytest.raises(StepError, match=f"the .* 'mine': TypeError: .*{message}"):
            register('mine', function, **given)
    assert 'mine' not in {**FORMATS, **files.REGISTERED, **pose_source.POSE_ESTIMATORS}


def test_clips_of_steps_cannot_change_the_next_ones(skater, lifted):
    for _, clip in mmhot.steps(skater, pose3d='nanohtnet'):
        last = deepcopy(clip)
        clip.fps = 50.0
        if isinstance(clip, mmhot.Clip2D):
            clip.tracks.clear()
        else:
            clip.keypoints_3d *= 0
    np.testing.assert_array_equal(last.keypoints_3d, lifted.keypoints_3d)


def test_resume_sees_that_parts_changed(video, detector, checkpoint, tmp_path, capsys):
    def write_ids(clip, file, export):
        file.write_text(str(clip.track_ids))

    def finish(**options):
        again = dict(pose3d_weights=checkpoint, out_dir=tmp_path, resume=True)
        assert infer_it(video, **again | dict(formats='npz,ids') | options) == 0
        return 'was finished before' not in capsys.readouterr().out

    mmhot.register_writer('ids', write_ids)
    lens = tmp_path / 'lens.json'
    lens.write_text(json.dumps(dict(fx=70, fy=70, cx=32, cy=24, width=64, height=48)))
    assert finish()
    assert not finish()
    step = step_of(double)
    assert finish()
    assert not finish()
    user_steps.REGISTERED['mine'] = object = step()
    vars(object)['factor'] = 3
    assert finish()
    assert finish(intrinsics=lens)
    assert not finish(intrinsics=lens)
    status = lens.stat()
    lens.write_text(lens.read_text().replace('70', '80'))
    os.utime(lens, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert finish(intrinsics=lens)


@pytest.mark.parametrize('base', [Options, object])
@pytest.mark.parametrize(
    'decorate', [dataclass(frozen=True, kw_only=True), lambda kind: kind]
)
def test_writers_of_users_have_options(base, decorate, lifted, tmp_path):
    body = {'digits': 2, '__annotations__': {'digits': Annotated[int, 'text']}}
    kind = decorate(type('HeadOptions', (base,), body))

    def write_heads(clip, file, export):
        np.savetxt(file, clip.places()[:, 10], f'%.{export.of(kind).digits}f')

    mmhot.register_writer('heads', write_heads, options=[kind])
    lifted.save(tmp_path / 'a.heads', digits=1)
    heads = lifted.places()[:, 10]
    np.testing.assert_allclose(np.loadtxt(tmp_path / 'a.heads'), heads, atol=0.051)
    with pytest.raises(ValueError, match='^digits needs the format heads'):
        lifted.save(tmp_path / 'a.npz', digits=1)


def test_wrong_writers_are_refused(lifted, tmp_path):
    for options in (('nope',), Options):
        with pytest.raises(StepError, match="^the format 'some': TypeError: "):
            mmhot.register_writer('some', print, options=options)
    with pytest.raises(ValueError, match='must be a new suffix'):
        mmhot.register_writer('some..csv', print)
    for name, function in (
        ('nothing.csv', lambda *_: None),
        ('key', FAULTS["KeyError: 'nobody'"]),
    ):
        mmhot.register_writer(name, lambda clip, file, export, f=function: f(clip))
        with pytest.raises(StepError, match=f"^the format '{name}': "):
            lifted.save(tmp_path / f'a.{name}')
    assert not [*tmp_path.iterdir()]


def test_readers_of_users(skater, tmp_path, capsys):
    [track] = mmhot.read_keypoints(skater).tracks

    def read(path):
        points = np.loadtxt(path).reshape(-1, 17, 2)
        return mmhot.Clip2D.from_arrays(points, (1280, 720), 25)

    mmhot.register_reader('pose', read, ending='.pose')
    mmhot.register_reader('fault', FAULTS["KeyError: 'nobody'"], start=b'FAULT')
    path, fault = tmp_path / 'a.pose', tmp_path / 'b.txt'
    np.savetxt(path, track.keypoints.reshape(len(track.frames), -1))
    fault.write_text('FAULT')
    clip = mmhot.lift(path, without='sides,confidence')
    plain = mmhot.lift(skater, without='sides,confidence')
    seen = np.isfinite(plain.keypoints_2d)
    np.testing.assert_allclose(clip.keypoints_2d[seen], plain.keypoints_2d[seen], 1e-5)
    assert clip.name == 'a'
    with pytest.raises(ValueError, match='^fps cannot be given|: fps cannot be given'):
        mmhot.lift(path, fps=30)
    with pytest.raises(ValueError, match='2D keypoints are for mmhot lift'):
        mmhot.refine(path)
    with pytest.raises(ValueError, match=r"b\.txt: the reader 'fault': KeyError: 'nob"):
        mmhot.lift(fault)
    assert main(['lift', str(fault), '--out-dir', str(tmp_path)]) == 2
    assert "the reader 'fault': KeyError: 'nobody'" in capsys.readouterr().err
    for given in ({}, {'ending': '.pose'}):
        with pytest.raises(
            ValueError, match='^pose: a reader needs a name that is not taken'
        ):
            mmhot.register_reader('pose', read, **given)


@pytest.mark.parametrize('detector', ['pose-verified', 'whole_image'])
def test_2d_models_of_users_are_named(detector, tmp_path, monkeypatch):
    class Mine(mmhot.PoseEstimator):
        name, skeleton, identity = 'mine', 'coco-17', {'name': 'mine'}

        def __call__(self, images, boxes):
            return {}['nobody']

    monkeypatch.setattr(pose_source, 'POSE_ESTIMATORS', {})
    mmhot.register_pose_estimator('mine', lambda options: Mine())
    image = Path(__file__).parents[2] / 'docs/images/dance.jpg'
    with pytest.raises(StepError, match="^the 2D model 'mine': KeyError: 'nobody'"):
        mmhot.infer(image, pose2d='mine', det_model=detector)
