"""Caches of keypoints and records of finished inputs."""

from functools import partial

import numpy as np
import pytest
from lifters import save_lifter
from pose_sources import Detector, Estimator, infer, use_stand_ins
from video_files import write_video

from mmhot.io.atomic import CACHE_FOLDER
from mmhot.io.lifted import read_lifted
from mmhot.pose2d.cache import (
    ClipPeople,
    cache_path,
    identify,
    load_people,
    save_people,
)
from mmhot.structures.people import People
from mmhot.tracking.appearance import AppearanceObserver


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')


@pytest.fixture
def run(checkpoint, monkeypatch, tmp_path):
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    video = write_video(tmp_path / 'a.mkv', codec='ffv1', pix_fmt='bgr0')
    fixed = dict(pose3d_weights=checkpoint, out_dir=tmp_path / 'out')
    return partial(infer, video, **fixed, formats='npz')


@pytest.fixture
def detector(monkeypatch):
    detector = Detector(every=1)
    use_stand_ins(monkeypatch, detector, Estimator())
    return detector


def kept_files(tmp_path):
    """The file of people, and the record of the finished run."""
    folder = tmp_path / 'out' / CACHE_FOLDER
    (people,), (record,) = folder.glob('*.npz'), folder.glob('*.json')
    return people, record


def test_damaged_files_are_computed_again(run, detector, tmp_path, caplog):
    assert run() == 0
    first = read_lifted(tmp_path / 'out/a.npz')
    people, record = kept_files(tmp_path)
    for content in (b'', b'PK\3\4', b'\x93NUMPY' * 9, b'{', b'[1]'):
        people.write_bytes(content)
        record.write_bytes(content)
        detector.calls.clear()
        caplog.clear()
        assert run(resume=True) == 0
        assert len(detector.calls) == 10
        assert f'{people} is damaged: it is computed again' in caplog.text
        again = read_lifted(tmp_path / 'out/a.npz')
        np.testing.assert_array_equal(again.keypoints_3d, first.keypoints_3d)


@pytest.mark.parametrize(
    'changes',
    [
        {'name': 'another.npz'},
        {'counts': np.full(10, -1)},
        {'counts': np.full(10, 2)},
        {'counts': np.full(10, 2**62)},
        {'counts': np.full(10, 1.0)},
        {'counts': np.full((10, 1), 1)},
        {'times': np.arange(9) / 25},
        {'times': np.zeros(10)},
        {'times': np.full(10, np.nan)},
        {'cuts': np.array([99])},
        {'size': np.array([0, 64])},
        {'size': np.array(64)},
        {'keypoints': np.array(['a'] * 340)},
        {'bboxes': np.full(40, np.nan, np.float32)},
        {'keypoints': np.full(340, np.nan, np.float32)},
        {'keypoints': np.full(340, np.inf, np.float32)},
        {'keypoints': np.full(340, 30, np.float32)},
        {'scores': np.full(170, 0.5, np.float32)},
        {'complete': np.array(False)},
        {'appearance:frames': np.array([10**9])},
        {'appearance:frames': np.array(0)},
        {'appearance:values': np.zeros((1, 1), np.float16)},
        {'appearance:more': np.zeros(1)},
    ],
    ids=repr,
)
def test_planted_people_are_computed_again(tmp_path, changes):
    """Exchanged files have the name of another clip, planted ones any arrays."""
    path, observer = tmp_path / 'a.npz', AppearanceObserver('coco-17')
    shapes = (1, 4), (1,), (1, 17, 2), (1, 17)
    person = People(*(np.ones(shape, np.float32) for shape in shapes))
    for index in range(10):
        observer.observe(index, np.zeros((48, 64, 3), np.uint8), person, index == 0)
    times = (np.arange(10) / 25).tolist()
    seen = {'appearance': observer.arrays()}
    save_people(ClipPeople([person] * 10, times, (64, 48), True, observed=seen), path)
    assert load_people(path, 17).has_seen(observer)
    with np.load(path) as file:
        np.savez(path, **dict(file) | changes)
    clip = load_people(path, 17)
    assert clip is None or not clip.has_seen(observer)


def test_resume_skips_inputs_whose_results_are_whole(run, detector, tmp_path, capfd):
    def is_skipped(**options):
        assert run(resume=True, **options) == 0
        return 'was finished before' in capfd.readouterr().out

    result = tmp_path / 'out/a.npz'
    assert not is_skipped()
    assert is_skipped()
    result.write_bytes(b'cut off')
    assert not is_skipped()
    assert len(read_lifted(result)) == 10
    assert not is_skipped(smooth_3d='savgol')
    assert is_skipped(smooth_3d='savgol')
    assert not is_skipped()  # the results are those of other options
    # neither option changes the keypoints
    assert len(detector.calls) == 10


def test_other_observers_see_the_frames_of_cached_people(run, detector, tmp_path):
    assert run(camera='static', without='returning') == 0
    people, _ = kept_files(tmp_path)
    assert {*load_people(people, 17).observed} == {'appearance'}
    assert run(camera='rotating') == 0
    assert {*load_people(people, 17).observed} == {'appearance', 'background'}
    assert len(detector.calls) == 10


def test_changed_files_are_noticed(tmp_path):
    path = tmp_path / 'a.onnx'
    path.write_bytes(b'a')

    def describe():
        paths = [cache_path(tmp_path, source, {}) for source in (path, tmp_path)]
        return *paths, identify('a', path)

    before = describe()
    assert describe() == before
    assert before[0].name.startswith('a-')
    assert cache_path(tmp_path, path, {'estimator': 'b'}) != before[0]
    path.write_bytes(b'another')
    assert all(now != old for now, old in zip(describe(), before, strict=True))


def test_names_may_be_long(run, detector, checkpoint, tmp_path):
    """Files of the cache have further suffixes; systems allow 255 bytes."""
    video = tmp_path / f'{"я" * 100}.mkv'
    (tmp_path / 'a.mkv').rename(video)
    options = dict(pose3d_weights=checkpoint, out_dir=tmp_path / 'out')
    for more in ({}, {'resume': True}, {'smooth_3d': 'savgol'}):
        assert infer(video, **options, **more) == 0
    assert len(detector.calls) == 10
