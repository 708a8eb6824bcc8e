"""Choice of a speed level with scripted speeds; control of streams with a clock."""

import numpy as np
import pytest
from pose_sources import Detector, Estimator
from video_files import gray_image, write_video

from mmhot.cli.dispatch import main
from mmhot.video.frames import VideoFile
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
from mmhot.weights.backends import graph_with_keep_rates
from mmhot.weights.index import WEIGHTS_FOLDER

LEVELS = [
    Level('a', None, True, 1, 1.5),
    Level('b', None, False, 1, 1.0),
    Level('c', (0.7, 0.4, 0.2, 0.1), False, 2, 0.5),
    Level('d', (0.5, 0.3, 0.2, 0.1), False, 3, 0.3),
]


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


def test_levels_set_the_estimator():
    class Pruning(Estimator):
        def set_keep_rates(self, keep_rates):
            self.keep_rates = keep_rates

    detector = Detector()
    detector.interval = 1.0
    poses = VideoPoseEstimator(detector, Pruning())
    own = apply_level(poses, LEVELS[2], 30)
    assert own.estimator.keep_rates == (0.7, 0.4, 0.2, 0.1)
    assert (own.det_every, own.flip_test) == (60, False)
    assert apply_level(poses, LEVELS[0], None).det_every is None
    assert apply_level(poses, LEVELS[0], 30).flip_test


def test_chosen_settings_stay():
    detector = Detector()
    detector.interval = 1.0
    poses = VideoPoseEstimator(detector, Estimator(), det_every=7, flip_test=True)
    own = apply_level(poses, LEVELS[2], 30)
    assert (own.det_every, own.flip_test) == (7, True)


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
    assert all(graph_with_keep_rates(graph, each).is_file() for each in rates)


@pytest.fixture
def video(tmp_path):
    images = [gray_image(number) for number in range(20)]
    return write_video(tmp_path / 'clip.mkv', images, codec='ffv1', pix_fmt='bgr0')


def test_first_frames_can_be_read_again(video):
    first = FirstFrames(VideoFile(video), 6)
    for _ in range(2):
        assert [frame.index for frame in first] == [0, 1, 2, 3, 4, 5]
    assert first.num_frames == 6


def test_tuning_prints_the_choice_with_its_error(video):
    lines = []
    poses = VideoPoseEstimator(Detector(every=1), Estimator())
    tuned = tune(poses, VideoFile(video), 1e-3, lines.append)
    assert tuned.flip_test
    first, last = lines
    assert first.startswith('accurate: ')
    assert last.startswith('chosen: accurate: keep rates as trained, flip test')
    assert 'expected error' in last
    lines.clear()
    tune(poses, VideoFile(video), 1e6, lines.append)
    assert lines[-1].endswith('below the wanted 1e+06')


def test_wrong_targets_are_refused(video, capsys):
    assert main(['tune', str(video), '--target-fps', '0']) == 2
    assert '--target-fps must be above 0' in capsys.readouterr().err
    assert main(['tune', 'none.mp4']) == 2
    assert 'none.mp4 does not exist' in capsys.readouterr().err
