"""Files that are replaced as a whole or not at all."""

import os

import pytest

from mmhot.io.atomic import replacing


def fail_halfway(target):
    with replacing(target) as temporary:
        temporary.write_text('half')
        raise RuntimeError


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / 'clip.npz'
    target.write_text('old')
    with pytest.raises(RuntimeError):
        fail_halfway(target)
    assert target.read_text() == 'old'
    with replacing(target) as temporary:
        assert temporary.suffix == '.npz'
        temporary.write_text('new')
    assert target.read_text() == 'new'
    assert os.listdir(tmp_path) == ['clip.npz']
