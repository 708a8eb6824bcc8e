"""Shards of packed people: contents, and damaged files."""

import pytest
from packed_shards import assert_same, packed_people

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


def test_missing_files_and_other_formats_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.npz'):
        read_packed_people(tmp_path / 'none.npz')
    (tmp_path / 'text.npz').write_text('no archive')
    with pytest.raises(ValueError, match='text.npz is not a file of packed people'):
        read_packed_people(tmp_path / 'text.npz')
