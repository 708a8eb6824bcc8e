"""Whatever stops a write, each file is as before, or whole and new."""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from clip_files import lifted_clip
from rendered_clips import rendered

from mmhot.chain.formats import FORMATS
from mmhot.chain.lifting.world import turn

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='needs fork')
# Of the table: the next format is tried by itself.
FORMATS = [
    name
    for name, writer in FORMATS.items()
    if writer.requires is None or find_spec(writer.requires[0]) is not None
]
GAIT = 'gait.csv', 'cycles.csv'
MOVED = 'keypoints_3d', 'keypoints_2d'
# Milliseconds after which a process that writes is killed.
KILLED_AFTER = [57, 171, 342]


def fork(action: Callable[[], object]) -> int:
    """Run an action in a fork; return its process ID. The exit code is 3 on OSError."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        action()
        code = 0
    except OSError:
        code = 3
    finally:
        os._exit(code)


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Return two clips by format, and the bytes of each file of them."""
    small, walk = lifted_clip(), turn(rendered('walk'), 'world', True)
    firsts = {form: walk if form in GAIT else small for form in FORMATS}
    moved = {
        form: replace(x, **{y: getattr(x, y) * np.float32(1.25) for y in MOVED})
        for form, x in firsts.items()
    }
    contents = []
    for number, clips in enumerate((firsts, moved)):
        folder = tmp_path_factory.mktemp(f'clip{number}')
        for form, clip in clips.items():
            clip.save(folder / f'a.{form}')
        contents.append({x.name: x.read_bytes() for x in folder.iterdir()})
    assert len(contents[0]) >= len(FORMATS)
    return {form: (firsts[form], moved[form]) for form in FORMATS}, contents


def check(folder, contents, may_leave=False):
    """Return how many files are new; all others must be the old ones, or absent."""
    new = 0
    for path in folder.iterdir():
        if path.name.startswith('.mmhot-') and may_leave:
            continue
        content = path.read_bytes()
        assert content in (contents[0][path.name], contents[1][path.name]), path
        new += content == contents[1][path.name]
    return new


@pytest.mark.parametrize('form', FORMATS)
def test_full_disks_leave_the_old_files(written, tmp_path, form):
    """Writes fail at a byte of the largest file: the first, a later one, the last."""
    clips, contents = written[0][form], written[1]
    clips[0].save(tmp_path / f'a.{form}')
    size = max(len(contents[1][path.name]) for path in tmp_path.iterdir())
    for limit in (0, size - 1, size):

        def write(limit=limit):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            clips[1].save(tmp_path / f'a.{form}')

        code = os.waitstatus_to_exitcode(os.waitpid(fork(write), 0)[1])
        assert code == (0 if limit == size else 3)
        new = check(tmp_path, contents)
        assert new == len([*tmp_path.iterdir()]) or limit < size


@pytest.mark.parametrize('after', KILLED_AFTER)
def test_killed_processes_leave_whole_files(written, tmp_path, after):
    clips, contents = written

    def write():
        for number in range(100):
            for form in FORMATS:
                clips[form][number % 2].save(tmp_path / f'a.{form}')

    process = fork(write)
    time.sleep(after / 1000)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    check(tmp_path, contents, may_leave=True)
