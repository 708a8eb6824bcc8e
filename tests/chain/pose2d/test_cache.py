"""Caches of keypoints and records of finished inputs."""

from functools import partial

import numpy as np
import pytest
from pose_sources import infer
from video_files import write_video

from mmhot.chain.pose2d.cache import (
    ClipPeople,
    cache_path,
    identify,
    load_people,
    save_people,
)
from mmhot.chain.tracking.appearance import AppearanceObserver
from mmhot.io.atomic import CACHE_FOLDER
from mmhot.io.lifted import read_lifted
from mmhot.structures.people import People


@pytest.fixture
def run(checkpoint, monkeypatch, tmp_path):
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    video = write_video(tmp_path / 'a.mkv', codec='ffv1')
    fixed = dict(pose3d_weights=checkpoint, out_dir=tmp_path / 'out')
    return partial(infer, video, **fixed, formats='npz')


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


def test_kept_files_that_are_links_are_computed_again(run, detector, tmp_path):
    assert run() == 0
    for kept in kept_files(tmp_path):
        kept.rename(tmp_path / kept.name)
        kept.symlink_to(tmp_path / kept.name)
    detector.calls.clear()
    assert run(resume=True) == 0
    assert len(detector.calls) == 10
    assert not any(kept.is_symlink() for kept in kept_files(tmp_path))


def test_people_and_what_was_observed_are_loaded_again(tmp_path):
    observer, rng = AppearanceObserver('coco-17'), np.random.default_rng(0)
    shapes = (4,), (), (17, 2), (17,)
    people = [
        People(*(rng.random((count, *shape), np.float32) for shape in shapes))
        for count in (1, 0, 2)
    ]
    for index, frame in enumerate(people):
        observer.observe(index, np.zeros((48, 64, 3), np.uint8), frame, index == 0)
    observed = {'appearance': observer.arrays()}
    clip = ClipPeople(people, [0.0, 0.04, 0.08], (64, 48), True, '', [2], observed)
    save_people(clip, tmp_path / 'a.npz')
    again = load_people(tmp_path / 'a.npz')
    assert {*again.observed} == {observer.name}
    for name in ('times', 'size', 'complete', 'ended', 'cuts', 'first'):
        assert getattr(again, name) == getattr(clip, name)
    for frame, expected in zip(again.people, people, strict=True):
        for name in ('bboxes', 'bbox_scores', 'keypoints', 'scores'):
            np.testing.assert_array_equal(getattr(frame, name), getattr(expected, name))
    content = bytearray((tmp_path / 'a.npz').read_bytes())
    content[content.index(people[0].scores.tobytes())] ^= 1
    (tmp_path / 'b.npz').write_bytes(content)
    assert load_people(tmp_path / 'b.npz') is None


def test_other_observers_see_the_frames_of_cached_people(run, detector, tmp_path):
    assert run(camera='static', without='returning') == 0
    people, _ = kept_files(tmp_path)
    assert {*load_people(people).observed} == {'appearance'}
    assert run(camera='rotating') == 0
    assert {*load_people(people).observed} == {'appearance', 'background'}
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
    for more in ({}, {'resume': True}, {'smooth_3d': 'butterworth'}):
        assert infer(video, **options, **more) == 0
    assert len(detector.calls) == 10
