"""Choice of a speed level with scripted speeds; control of streams with a clock."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from pose_sources import Detector, Estimator
from video_files import gray_image, write_video

from mmhot.apis import lifting, live_session
from mmhot.apis.options import InferOptions
from mmhot.cli.dispatch import main
from mmhot.lifting.lifter import Lifter
from mmhot.video.filling import Gaps
from mmhot.video.frames import VideoFile
from mmhot.video.pipeline import VideoLifter
from mmhot.video.pose_estimation import VideoPoseEstimator
from mmhot.video.sources.mmpose_models import MMPoseEstimator
from mmhot.video.sources.onnx_models import OnnxPoseEstimator
from mmhot.video.speed import (
    FirstFrames,
    Level,
    SpeedControl,
    apply_level,
    choose_level,
    read_levels,
    tune,
    usual_level,
)
from mmhot.weights.backends import graph_with_keep
from mmhot.weights.index import DEFAULT_LIFTER, LIVE_LIFTER, WEIGHTS_FOLDER

LEVELS = [
    Level('a', None, True, 1, cost=1.5),
    Level('b', None, False, 1, cost=1.0),
    Level('c', (0.7, 0.4, 0.2, 0.1), False, 2, Gaps(0.2), flip_3d=False, cost=0.5),
    Level('d', (0.5, 0.3, 0.2, 0.1), False, 3, keep=14, cost=0.3),
]


@pytest.fixture(scope='module')
def lifter():
    return Lifter(backend='onnx')


class Pruning(Estimator):
    """Stand-in that remembers its keep rates."""

    def set_keep_rates(self, keep_rates):
        self.keep_rates = keep_rates


class Machine:
    """Measures levels at a speed that their costs do not quite predict."""

    def __init__(self, **speeds):
        self.speeds, self.measured = speeds, []

    def __call__(self, level):
        self.measured.append(level.name)
        return self.speeds[level.name]


@pytest.mark.parametrize(
    ('target', 'chosen', 'measured'),
    [
        (9, 'a', 'a'),  # a tenth is left for the rest
        (12, 'b', 'ab'),
        (20, 'c', 'ac'),
        (25, 'd', 'acd'),  # the table promised 30 of c
        (1000, 'd', 'ad'),
    ],
)
def test_most_accurate_level_that_is_fast_enough_is_chosen(target, chosen, measured):
    machine = Machine(a=10.0, b=15.0, c=24.0, d=40.0)
    level, speed = choose_level(LEVELS, machine, target)
    assert level.name == chosen
    assert ''.join(machine.measured) == measured
    assert speed == machine.speeds[chosen]


def changes(control, seconds, frames):
    """Names of the levels that are taken while each frame lasts so long."""
    return [control.level.name for _ in range(frames) if control.update(seconds)]


def test_streams_get_faster_at_once_and_more_accurate_after_a_while():
    control = SpeedControl(LEVELS, 25, start=1)
    assert changes(control, 0.03, 300) == []
    assert changes(control, 0.06, 20) == ['c']
    assert changes(control, 0.06, 100) == ['d']
    assert changes(control, 0.02, 100) == []
    # 0.02 s at a cost of 0.3 is 0.033 s at 0.5: too little room
    assert changes(control, 0.02, 1000) == []
    assert changes(control, 0.01, 24) == []
    assert changes(control, 0.01, 180) == ['c']


def test_streams_do_not_alternate_between_two_levels():
    control = SpeedControl(LEVELS, 25, start=1)
    base = 0.045  # seconds of a frame at a cost of 1: too slow at b, easy at c
    taken = []
    for _ in range(2000):
        if control.update(base * control.level.cost):
            taken.append(control.level.name)
    assert taken == ['c']


def test_table_is_sorted_and_names_the_default():
    levels = read_levels()
    costs = [level.cost for level in levels]
    assert costs == sorted(costs, reverse=True)
    usual = levels[usual_level()]
    assert (usual.name, usual.keep_rates, usual.flip_test) == ('default', None, False)
    assert all(level.pixels > 0 and level.mpjpe > 0 for level in levels)


def pipeline_of(lifter, estimator=None, **options):
    """A pipeline whose detector has an interval."""
    detector = Detector()
    detector.interval = 1.0
    poses = VideoPoseEstimator(detector, estimator or Pruning(), **options)
    return VideoLifter(poses, lifter)


def test_levels_set_all_models(lifter):
    pipeline = pipeline_of(lifter)
    own = apply_level(pipeline, LEVELS[2], 30)
    poses = own.pose_estimator
    assert poses.estimator.keep_rates == (0.7, 0.4, 0.2, 0.1)
    assert (poses.det_every, poses.flip_test, poses.gaps) == (60, False, Gaps(0.2))
    assert not own.lifter.flip_test
    assert apply_level(pipeline, LEVELS[0], None).pose_estimator.det_every is None
    accurate = apply_level(pipeline, LEVELS[0], 30)
    assert accurate.pose_estimator.flip_test
    assert accurate.pose_estimator.gaps.tolerance == 0
    assert accurate.lifter.flip_test
    assert pipeline.lifter.flip_test


def test_chosen_settings_stay(lifter):
    pipeline = pipeline_of(lifter, Estimator(), det_every=7, flip_test=True)
    poses = apply_level(pipeline, LEVELS[2], 30).pose_estimator
    assert (poses.det_every, poses.flip_test, poses.gaps.tolerance) == (7, True, 0)
    kept = Lifter(backend='torch', keep=18)
    assert kept.at_speed(keep=14).network is kept.network


def test_the_lifter_keeps_other_frames_without_torch(lifter):
    faster = lifter.at_speed(keep=14)
    assert '14 of 81 frames' in faster.name
    assert type(faster.network) is type(lifter.network)
    windows = np.random.default_rng(0).normal(size=(2, 81, 17, 2)).astype(np.float32)
    expected = Lifter(backend='torch', keep=14).network(windows)
    np.testing.assert_allclose(faster.network(windows), expected, atol=1e-4)
    live = Lifter(LIVE_LIFTER, backend='onnx')
    assert live.at_speed(keep=14).name == live.name


def test_levels_of_a_stream_do_not_add_up(lifter):
    pipeline, said = pipeline_of(lifter), []
    session = SimpleNamespace(
        _pipeline=pipeline,
        _lifter=SimpleNamespace(),
        _control=SimpleNamespace(update=lambda seconds: True),
        _stream=SimpleNamespace(label='camera'),
        _say=said.append,
    )
    for level in (LEVELS[0], LEVELS[2], LEVELS[1]):
        session._control.level = level
        live_session._StreamRun._adapt(session, 0.1)
    poses = session._lifter.pose_estimator
    assert (poses.flip_test, poses.gaps) == (False, Gaps())
    assert session._lifter.lifter.flip_test
    assert said[-1].startswith('camera: b: ')


def test_the_fastest_back_end_is_measured(monkeypatch):
    class Slow(Estimator):
        def estimate_fast(self, images, boxes):
            time.sleep(0.02)
            return self(images, boxes)

    class Fast(Slow):
        def estimate_fast(self, images, boxes):
            return self(images, boxes)

    lines, opened = [], []
    kinds = {'auto': Slow, 'torch': Slow, 'onnx': Fast}

    def open_pose_source(*models, skeleton, backend):
        opened.append(backend)
        return Detector(), kinds[backend]()

    monkeypatch.setattr(lifting.pose_source, 'open_pose_source', open_pose_source)
    models = lifting.open_pose_estimator(InferOptions(target_fps=30), lines.append)
    assert type(models.estimator) is Fast
    assert [line.split(':')[0] for line in lines] == ['Slow', 'Fast']
    opened.clear()
    lifting.open_pose_estimator(InferOptions(target_fps=30, backend='torch'))
    lifting.open_pose_estimator(InferOptions())
    assert opened == ['torch', 'auto']


@pytest.mark.parametrize('backend', ['torch', 'onnx'])
def test_keep_rates_are_those_of_the_network_and_part_of_the_identity(backend):
    if backend == 'torch':
        estimator = MMPoseEstimator('gtpt-t')
    else:
        estimator = OnnxPoseEstimator(WEIGHTS_FOLDER / 'gtpt-t_coco17_synth.onnx')
    image, box = np.full((90, 60, 3), 120, np.uint8), np.float32([[5, 5, 55, 85]])
    trained, before = estimator.estimate_fast([image], [box]), dict(estimator.identity)
    estimator.set_keep_rates((0.5, 0.3, 0.15, 0.1))
    pruned = estimator.estimate_fast([image], [box])
    assert estimator.identity != before
    assert not np.array_equal(pruned[0][1], trained[0][1])
    estimator.set_keep_rates(None)
    assert estimator.identity == before
    again = estimator.estimate_fast([image], [box])
    np.testing.assert_array_equal(again[0][0], trained[0][0])


def test_every_level_has_a_graph():
    graph = WEIGHTS_FOLDER / 'gtpt-t_coco17_synth.onnx'
    rates = {level.keep_rates for level in read_levels()} - {None}
    assert all(graph_with_keep(graph, each).is_file() for each in rates)
    graph = WEIGHTS_FOLDER / f'{DEFAULT_LIFTER}.onnx'
    counts = {level.keep for level in read_levels()} - {None}
    assert all(graph_with_keep(graph, [each]).is_file() for each in counts)


@pytest.fixture
def video(tmp_path):
    images = [gray_image(number) for number in range(20)]
    return write_video(tmp_path / 'clip.mkv', images, codec='ffv1', pix_fmt='bgr0')


def test_first_frames_can_be_read_again(video):
    first = FirstFrames(VideoFile(video), 6)
    for _ in range(2):
        assert [frame.index for frame in first] == [0, 1, 2, 3, 4, 5]
    assert first.num_frames == 6


def test_tuning_prints_the_choice_with_its_error(video, lifter):
    lines = []
    models = VideoPoseEstimator(Detector(every=1), Estimator())
    poses = VideoLifter(models, lifter, cache=video.parent)
    tuned = tune(poses, VideoFile(video), 1e-3, lines.append)
    assert tuned.pose_estimator.flip_test
    assert (tuned.cache, [*video.parent.glob('.mmhot*')]) == (video.parent, [])
    first, last = lines
    assert first.startswith('accurate: ')
    assert last.startswith('chosen: accurate: keep rates as trained, ')
    assert 'expected error' in last
    lines.clear()
    tune(poses, VideoFile(video), 1e6, lines.append)
    assert lines[-1].endswith('below the wanted 1e+06')


def test_wrong_targets_are_refused(video, capsys):
    assert main(['tune', str(video), '--target-fps', '0']) == 2
    assert '--target-fps must be above 0' in capsys.readouterr().err
    assert main(['tune', 'none.mp4']) == 2
    assert 'none.mp4 does not exist' in capsys.readouterr().err
