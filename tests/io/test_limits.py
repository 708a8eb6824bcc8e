"""Limits on what files hold and become, checked before memory is taken."""

import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from clip_files import assert_refused, lifted_clip, save, walk
from pickled_calls import PickledCall

import mmhot
from mmhot.io.arrays import load_arrays, load_json
from mmhot.io.readers.lens import read_lens
from mmhot.structures.clips_2d import MAX_TRACKS

POSE = walk(1)[0]


def test_zip_bomb_is_refused_by_its_headers(tmp_path):
    path = save(tmp_path / 'a.npz', keypoints=None)
    with zipfile.ZipFile(path, 'a', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('keypoints.npy', b'')
    data = bytearray(path.read_bytes())
    entry = data.rindex(b'PK\x01\x02')  # the declared size, in the directory
    data[entry + 24 : entry + 28] = (600 << 20).to_bytes(4, 'little')
    path.write_bytes(data)
    assert_refused(path, 'has arrays of 600 MB, compressed to 0 MB: at most 512 MB')
    assert len(load_arrays(path, ['fps'])) == 1  # other arrays count nothing


def test_track_ids_are_limited(tmp_path):
    count = MAX_TRACKS + 1
    path = save(
        tmp_path / 'a.npz',
        keypoints=np.repeat(POSE[None], count, 0),
        track=np.arange(count),
        frame=np.zeros(count, int),
    )
    assert_refused(path, f'has {count} track IDs: at most {MAX_TRACKS} are read')


def times_1000(depth):
    """A list of 1000 ** depth numbers, of which few are stored."""
    values = [1.0] * 1000
    for _ in range(depth - 1):
        values = [values] * 1000
    return values


def endless():
    values = []
    values.append(values)
    return values


@pytest.mark.parametrize(
    'content', [times_1000(3), endless(), PickledCall(bytes, 7_800_000_000)]
)
def test_pickles_of_few_bytes_become_few_values(tmp_path, content):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match='a.pkl') as info:
        mmhot.lift(path, image_size=(640, 480), fps=25)
    assert '\n' not in str(info.value)


def test_aliases_of_yaml_end(tmp_path):
    path = tmp_path / 'camera.yml'
    path.write_text('K: &matrix [*matrix]')
    with pytest.raises(ValueError, match='repeats the same values'):
        read_lens(path)


@pytest.mark.parametrize('form', ['bvh', 'trc'])
def test_formats_without_gaps_have_no_frames_of_a_year(tmp_path, form):
    clip = lifted_clip().take([0, 2, 3])
    frame, track = np.array([0, 1, 10_000_000]), np.zeros(3, int)
    clip = replace(clip, frame=frame, track=track).checked()
    with pytest.raises(ValueError, match='frame 10000000 is too high'):
        clip.save(tmp_path / f'a.{form}')
    assert not [*tmp_path.iterdir()]


def test_joints_have_no_circle_of_parents():
    clip = lifted_clip()
    for parents in ((0, *clip.parents[1:]), clip.parents[1:]):
        with pytest.raises(ValueError, match='parent'):
            replace(clip, parents=parents).checked()


def test_json_is_limited_in_size_and_depth(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('[' * 100_000)
    with pytest.raises(ValueError, match='is not valid JSON'):
        load_json(path)
    with pytest.raises(ValueError, match='is larger than 64 KB, the most that is read'):
        load_json(path, limit=64 << 10)
