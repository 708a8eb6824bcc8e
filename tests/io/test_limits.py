"""Limits on what files hold and become, checked before memory is taken."""

import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from clip_files import (
    SIZE,
    assert_refused,
    dump,
    instance,
    lifted_clip,
    save,
    walk,
)

from mmhot.io import arrays
from mmhot.io.arrays import load_arrays, load_json
from mmhot.io.readers.animal_tracking import _check_array
from mmhot.io.readers.keypoints import read_keypoints
from mmhot.io.writers import bvh, rates, trc
from mmhot.lifting.lifter import Lifter
from mmhot.structures.clips import MAX_TRACKS

POSE = walk(1)[0]


def test_zip_bomb_is_refused_by_its_headers(tmp_path):
    path = save(tmp_path / 'a.npz', keypoints=None)
    with zipfile.ZipFile(path, 'a', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('keypoints.npy', b'')
    data = bytearray(path.read_bytes())
    entry = data.rindex(b'PK\x01\x02')  # the declared size, in the directory
    data[entry + 24 : entry + 28] = (600 << 20).to_bytes(4, 'little')
    path.write_bytes(data)
    assert_refused(path, 'its arrays take 600 MB, compressed to 0 MB: at most 512 MB')
    assert len(load_arrays(path, ['fps'])) == 1  # other arrays count nothing


def test_numbers_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, '_MAX_NUMBERS', 100)
    path = save(tmp_path / 'a.npz')
    assert_refused(path, "'keypoints' is (4, 17, 2): at most 100 numbers are read")


@pytest.mark.parametrize(
    ('name', 'shape', 'kind', 'message'),
    [
        ('tracks', (10**9,), 'f8', 'at most'),
        ('tracks', (10**6, 17, 2, 3), 'f2', 'at most'),
        ('tracks', (3,), 'S8', 'numbers, and names, are expected'),
        ('tracks', (3,), 'V8', 'numbers, and names, are expected'),
        ('tracks', (3,), 'c16', 'numbers, and names, are expected'),
        ('node_names', (1000,), 'S1000000', 'at most'),
        ('node_names', (10**8,), 'O', 'at most'),
        ('node_names', (17,), 'f8', 'numbers, and names, are expected'),
    ],
)
def test_arrays_of_hdf5_are_limited(name, shape, kind, message):
    class File(dict):
        def get(self, name, getlink):
            return SimpleNamespace()

    array = SimpleNamespace(external=None, is_virtual=False, shape=shape)
    array.dtype = np.dtype(kind)
    h5py = SimpleNamespace(HardLink=SimpleNamespace)
    with pytest.raises(ValueError, match=message):
        _check_array(h5py, File({name: array}), name)


def test_track_ids_are_limited(tmp_path):
    count = MAX_TRACKS + 1
    path = save(
        tmp_path / 'a.npz',
        keypoints=np.repeat(POSE[None], count, 0),
        track=np.arange(count),
        frame=np.zeros(count, int),
    )
    assert_refused(path, f'has {count} track IDs: at most {MAX_TRACKS} are read')


def test_json_is_limited_in_size_and_depth(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('[' * 100_000)
    with pytest.raises(ValueError, match='is not valid JSON'):
        load_json(path)
    with pytest.raises(ValueError, match='is larger than 64 KB, the most that is read'):
        load_json(path, limit=64 << 10)


def test_text_beside_numbers_takes_no_memory(tmp_path):
    # NumPy would give every number the length of the text: 40 GB
    keypoints = [['q' * 1_000_000, 1.0], *[[1.0, 2.0]] * 5000]
    path = dump(tmp_path / 'a.json', [instance(POSE, keypoints=keypoints)])
    assert_refused(path, 'must be numbers in a regular list', **SIZE)


def person_of(frames, **fields):
    """A clip of one person in some frames, in world axes."""
    clip = lifted_clip().take(np.zeros(len(frames), int))
    numbers = np.array(frames)
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(len(frames), 17, 3)).astype(np.float32)
    return replace(clip, frame=numbers, keypoints_3d=poses, axes='world', **fields)


def test_long_gaps_are_left_out(monkeypatch, caplog):
    monkeypatch.setattr(rates, '_REACH', 2)
    clip = person_of([2, 5, 10_000_000])
    frames, positions = rates.fill_frames(clip, first=0)
    ends = [9_999_998, 9_999_999, 10_000_000]
    assert frames.tolist() == [*range(8), *ends]
    np.testing.assert_array_equal(positions, clip.places()[[0] * 4 + [1] * 4 + [2] * 3])
    (message,) = caplog.messages
    assert message == (
        f'{clip.name}: 9999990 frames of person {clip.track[0]} without a pose are '
        'left out'
    )


@pytest.mark.parametrize('is_timed', [False, True])
def test_files_of_sparse_tracks_are_small(tmp_path, monkeypatch, is_timed):
    monkeypatch.setattr(rates, '_REACH', 50)
    frames = np.array([0, 10_000_000])
    clip = person_of(frames, fps=25.0, time=frames / 24 if is_timed else None)
    trc.write_person(clip, tmp_path / 'a.trc')
    bvh.write_person(clip, tmp_path / 'a.bvh')
    rows = (tmp_path / 'a.trc').read_text().splitlines()[6:]
    assert len(rows) == 102
    assert rows[-1].split('\t')[0] == '10000001'
    lines = (tmp_path / 'a.bvh').read_text().splitlines()
    assert 100 < len(lines) - lines.index('MOTION') < 300


def test_frames_between_sparse_ones_are_counted_before_they_are_made(tmp_path):
    frames = np.arange(0, 10_000_000, 1000)
    keypoints = np.repeat(POSE[None], len(frames), 0)
    path = save(tmp_path / 'a.npz', keypoints=keypoints, frame=frames, fps=1000.0)
    steps = dict(longest_step=3.0, filled_step=1.0)
    lifter = SimpleNamespace(
        fps=50.0, mapping='trained', is_person=True, known=None, **steps
    )
    message = '9,999,001 poses, with those between its frames: at most 5,000,000'
    with pytest.raises(ValueError, match=message):
        Lifter.prepare(lifter, read_keypoints(path))
