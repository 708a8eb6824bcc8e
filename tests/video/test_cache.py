"""Caches of keypoints, tracks and finished inputs: edited ones are computed again."""

import json
import os
from functools import partial

import numpy as np
import pytest
from lifters import save_lifter
from pose_sources import Detector, Estimator, infer, use_stand_ins
from video_files import write_video

from mmhot.io.atomic import CACHE_FOLDER
from mmhot.io.lifted import read_lifted
from mmhot.video.cache import (
    file_facts,
    identify,
    load_observed,
    load_people,
    load_tracks,
    save_observed,
)
from mmhot.video.people import FrameObserver


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')


@pytest.fixture
def run(checkpoint, monkeypatch, tmp_path):
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    video = write_video(tmp_path / 'a.mkv', codec='ffv1', pix_fmt='bgr0')
    return partial(infer, video, pose3d_weights=checkpoint, out_dir=tmp_path / 'out')


@pytest.fixture
def detector(monkeypatch):
    detector = Detector(every=1)
    use_stand_ins(monkeypatch, detector, Estimator())
    return detector


def cache_files(tmp_path):
    """The files of people, tracks and the finished run."""
    files = sorted(
        (tmp_path / 'out' / CACHE_FOLDER).iterdir(), key=lambda x: len(x.name)
    )
    finished, people, tracks, *observed = files
    assert tracks.name.endswith('.tracks.npz')
    kinds = [path.name.split('.')[-3] for path in observed]
    assert kinds == ['appearance', 'background-15']
    return people, tracks, finished


def edit(path, **changes):
    with np.load(path) as archive:
        arrays = dict(archive)
    for name, change in changes.items():
        arrays[name] = change(arrays[name]) if callable(change) else np.array(change)
    np.savez(path, **arrays)


def fill(value):
    return lambda array: np.full_like(array, value)


EDITS = {
    'huge': dict(keypoints=fill(1e30)),
    'NaN': dict(keypoints=fill(np.nan)),
    'infinite': dict(scores=fill(np.inf)),
    'a pixel': dict(keypoints=lambda array: array + 1),
    'no size': dict(size=[0, 0]),
    'negative size': dict(size=[-64, -48]),
    'text': dict(times=lambda array: array.astype(str)),
    'fewer': dict(counts=lambda array: array[:-1]),
    'negative counts': dict(counts=fill(-1)),
    'whole numbers': dict(keypoints=lambda array: array.astype(int)),
    'shape': dict(bboxes=lambda array: array.reshape(-1)),
    'complex': dict(scores=lambda array: array.astype(complex)),
    'unfinished': dict(complete=False),
    'cuts': dict(cuts=[-5, 10**9]),
    'times': dict(times=fill(-1.0)),
    'checksum': dict(checksum=0),
}


@pytest.mark.parametrize('case', EDITS)
def test_edited_keypoints_are_computed_again(run, detector, tmp_path, case, caplog):
    assert run() == 0
    first = read_lifted(tmp_path / 'out/a.npz')
    people, *_ = cache_files(tmp_path)
    edit(people, **EDITS[case])
    assert run() == 0
    assert len(detector.calls) == 20
    assert f'{people} is damaged or was edited: it is computed again' in caplog.text
    again = read_lifted(tmp_path / 'out/a.npz')
    np.testing.assert_array_equal(again.keypoints_3d, first.keypoints_3d)
    caplog.clear()
    assert run() == 0
    assert len(detector.calls) == 20
    assert caplog.text == ''


@pytest.mark.parametrize(
    'change',
    [
        dict(keypoints=fill(1e30)),
        dict(frames=lambda array: array[::-1]),
        dict(track=['a']),
        dict(rules='a'),
    ],
)
def test_edited_tracks_are_computed_again(run, detector, tmp_path, change, caplog):
    assert run() == 0
    first = read_lifted(tmp_path / 'out/a.npz')
    _, tracks, _ = cache_files(tmp_path)
    edit(tracks, **change)
    assert run() == 0
    assert f'{tracks} is damaged' in caplog.text
    again = read_lifted(tmp_path / 'out/a.npz')
    np.testing.assert_array_equal(again.keypoints_3d, first.keypoints_3d)


def record(**changes):
    return lambda text: json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    'change',
    [
        record(frames='many'),
        record(people=[1]),
        record(files=[1, 2]),
        record(files={}),
        record(more=1),
        record(checksum=None),
        lambda text: '[' * 100_000,
        lambda text: '{"a":' * 100_000,
        lambda text: '[1]',
        lambda text: text[:-9],
        lambda text: '',
    ],
)
def test_edited_records_are_no_finished_runs(run, detector, tmp_path, change, caplog):
    assert run() == 0
    *_, finished = cache_files(tmp_path)
    finished.write_text(change(finished.read_text()))
    (tmp_path / 'out/a.npz').unlink()
    assert run(resume=True) == 0
    assert len(read_lifted(tmp_path / 'out/a.npz')) == 10
    assert f'{finished} is damaged' in caplog.text


@pytest.mark.parametrize('damage', [b'', b'PK\3\4', b'\x93NUMPY' * 9, None])
def test_damaged_caches_fail_no_input(run, detector, tmp_path, damage):
    assert run() == 0
    for path in cache_files(tmp_path):
        path.unlink()
        path.write_bytes(damage) if damage is not None else os.mkfifo(path)
    assert run(resume=True) == 0
    assert len(read_lifted(tmp_path / 'out/a.npz')) == 10


def overwrite(path, place, data):
    """Change bytes of a file, but neither its size nor its date."""
    status = path.stat()
    with path.open('rb+') as file:
        file.seek(place)
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize('size', [0, 5, 70_000, 4_000_000, 9_000_000])
@pytest.mark.parametrize('in_folder', [False, True])
def test_changed_middle_of_a_file_is_noticed(tmp_path, size, in_folder):
    path = tmp_path / 'a.mp4'
    path.write_bytes(np.random.default_rng(0).bytes(size))
    given = tmp_path if in_folder else path
    before = file_facts(given)
    assert file_facts(given) == before
    overwrite(path, size * 2 // 5, bytes(min(size // 5, 400_000)))
    assert (file_facts(given) != before) == (size > 0)


def test_changed_results_and_models_are_noticed(run, detector, tmp_path, capfd):
    assert run() == 0
    result = tmp_path / 'out/a.npz'
    overwrite(result, result.stat().st_size // 2, b'another')
    assert run(resume=True) == 0
    assert 'was finished before' not in capfd.readouterr().out
    assert len(read_lifted(result)) == 10
    model = tmp_path / 'model.onnx'
    model.write_bytes(bytes(1000))
    before = identify('a', model)
    overwrite(model, 500, b'another')
    assert identify('a', model) != before


def test_caches_of_other_inputs_are_not_used(run, detector, checkpoint, tmp_path):
    assert run() == 0
    people, *_ = cache_files(tmp_path)
    other = write_video(tmp_path / 'a.mp4')
    options = {'pose3d_weights': checkpoint, 'out_dir': tmp_path / 'other'}
    assert infer(other, **options) == 0
    (own,) = (
        path
        for path in (tmp_path / 'other' / CACHE_FOLDER).glob('a-*.npz')
        if path.name.count('.') == 1
    )
    own.write_bytes(people.read_bytes())
    assert infer(other, **options) == 0
    assert len(detector.calls) == 30


def test_missing_caches_are_not_reported(tmp_path, caplog):
    assert load_people(tmp_path / 'a.npz', 17) is None
    assert load_tracks(tmp_path / 'b.npz', 17, 1) is None
    assert caplog.text == ''


def test_observations_by_other_rules_are_made_again(tmp_path, caplog):
    class Turns(FrameObserver):
        name, rules = 'turns', 1

        def observe(self, index, image, people, new_shot):
            raise AssertionError

        def arrays(self):
            return {'turns': np.eye(3)}

    path, observer = tmp_path / 'a.npz', Turns()
    save_observed(path, observer)
    np.testing.assert_array_equal(load_observed(path, observer)['turns'], np.eye(3))
    observer.rules = 2
    assert load_observed(path, observer) is None
    assert save_observed(None, observer).keys() == {'turns'}
    assert load_observed(None, observer) is None
    assert caplog.text == ''


def test_names_may_be_long(run, detector, checkpoint, tmp_path):
    """Files of the cache have further suffixes; systems allow 255 bytes."""
    video = tmp_path / f'{"я" * 100}.mkv'
    (tmp_path / 'a.mkv').rename(video)
    options = dict(pose3d_weights=checkpoint, out_dir=tmp_path / 'out')
    assert infer(video, **options) == 0
    assert len(detector.calls) == 10
    assert infer(video, **options, resume=True) == 0
    assert infer(video, **options, smooth_3d='savgol') == 0
    assert len(detector.calls) == 10
