"""Limits on what files hold and become, checked before memory is taken."""

import zipfile

import numpy as np
import pytest
from clip_files import assert_refused, save, walk

from mmhot.io.arrays import load_arrays, load_json
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
