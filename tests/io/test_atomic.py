"""Temporary files of killed processes."""

import os
import signal
import subprocess
import sys

import pytest

from mmhot.io.atomic import CACHE_FOLDER, remove_abandoned, replacing

KILLED = """
import os, signal, sys
from mmhot.io.atomic import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text('half')
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == 'win32', reason='Windows has no SIGKILL')
def test_files_of_killed_processes_are_removed(tmp_path):
    target = tmp_path / 'clip.mp4'
    command = [sys.executable, '-c', KILLED, str(target)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert left.startswith('.mmhot-')
    assert left.endswith('.mp4')
    # as earlier versions named them
    (tmp_path / '.mmhot-0123abcd.npz').touch()
    (tmp_path / CACHE_FOLDER).mkdir()
    (tmp_path / '.other').touch()
    remove_abandoned(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [CACHE_FOLDER, '.other']


def test_files_that_are_being_written_stay(tmp_path):
    target = tmp_path / 'clip.npz'
    with replacing(target) as temporary:
        temporary.write_text('new')
        remove_abandoned(tmp_path)
        assert temporary.read_text() == 'new'
    assert target.read_text() == 'new'
    assert os.listdir(tmp_path) == ['clip.npz']


def test_missing_folder_has_nothing_to_remove(tmp_path):
    remove_abandoned(tmp_path / 'none')
