"""Shards of packed people: contents, and damaged files."""

import numpy as np
import pytest
from packed_shards import assert_same, damage, packed_people

from projects.rendered_people.packed_people import (
    read_packed_people,
    write_packed_people,
)


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / 'people.npz'
    write_packed_people(packed_people(), path)
    return path


def test_shard_round_trip(shard):
    assert_same(read_packed_people(shard), packed_people())


def test_far_keypoints_cannot_be_packed(tmp_path):
    people = packed_people()
    people.keypoints[0, 0, 0] = 2000
    with pytest.raises(ValueError, match='crop the images first'):
        write_packed_people(people, tmp_path / 'people.npz')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ({'vis': None}, "has no array 'vis'"),
        ({'bbox': np.zeros((3, 4))}, 'same number of people'),
        ({'kpts_q': np.zeros((4, 133), np.uint16)}, r"'kpts_q' is uint16 \(4, 133\)"),
        ({'offsets': np.arange(5)}, "'offsets' do not fit"),
        ({'offsets': np.uint64([0, 9, 5, 7, 8])}, "'offsets' do not fit"),
        ({'vis': np.full((4, 133), 3, np.uint8)}, "'vis' must be 0, 1 or 2"),
        ({'bbox': np.full((4, 4), np.nan)}, "'bbox' must be .* finite"),
        ({'bbox': np.tile([9, 9, 1, 1], (4, 1))}, "'bbox' must be .* in this order"),
        ({'cam3d': np.float32(1)}, 'same number of people'),
        ({'area': np.array([1.0, 2, 3, -4])}, "'area' must be one positive number"),
    ],
)
def test_damaged_files_are_an_error(shard, arrays, message):
    damage(shard, **arrays)
    with pytest.raises(ValueError, match=f'people.npz is no file .*{message}'):
        read_packed_people(shard)


def test_missing_files_and_other_formats_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.npz'):
        read_packed_people(tmp_path / 'none.npz')
    (tmp_path / 'text.npz').write_text('no archive')
    with pytest.raises(ValueError, match='text.npz is no file of packed people'):
        read_packed_people(tmp_path / 'text.npz')
