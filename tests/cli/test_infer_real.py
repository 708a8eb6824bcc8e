"""``mmhot infer`` on real file systems, in real processes; slow."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from lifters import save_lifter
from pose_sources import Detector, Estimator, infer, use_stand_ins
from ray_stand_ins import read_log
from video_files import gray_image, write_video

from mmhot.io.lifted import read_lifted

pytestmark = pytest.mark.slow(reason='mounts file systems and starts processes')
TESTS = Path(__file__).parents[1]


@pytest.fixture
def checkpoint(tmp_path):
    return save_lifter(tmp_path / 'tiny.pth')


@pytest.fixture
def video(tmp_path):
    images = [gray_image(number % 50) for number in range(200)]
    return write_video(tmp_path / 'clip.mkv', images, codec='ffv1', pix_fmt='bgr0')


@pytest.fixture
def mount(tmp_path):
    """Mount a file system in memory; needs an administrator."""
    folder = tmp_path / 'disk'
    folder.mkdir()

    def run(*options):
        done = subprocess.run(['mount', *options, folder], capture_output=True)
        if done.returncode:
            pytest.skip(f'cannot mount: {done.stderr.decode().strip()}')
        return folder

    yield run
    subprocess.run(['umount', folder], capture_output=True)


@pytest.fixture
def infer_it(checkpoint, monkeypatch):
    monkeypatch.delenv('MMHOT_DEBUG', raising=False)
    use_stand_ins(monkeypatch, Detector(every=1), Estimator())
    return partial(infer, pose3d_weights=checkpoint)


def test_full_disk_keeps_what_fits(infer_it, video, mount, capfd):
    disk = mount('-t', 'tmpfs', '-o', 'size=250k', 'tmpfs')
    code = infer_it(video, out_dir=disk, formats='npz,html')
    errors = capfd.readouterr().err.splitlines()
    assert code == 1
    assert any('No space left on device' in line for line in errors)
    assert all(line.startswith('mmhot infer: ') for line in errors)
    assert len(read_lifted(disk / 'clip.npz')) == 200
    assert not (disk / 'clip.html').exists()
    assert not list(disk.rglob('.mmhot-*.*'))


def test_read_only_disk_is_refused(infer_it, video, mount, capfd):
    disk = mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs')
    mount('-o', 'remount,ro')
    assert infer_it(video, out_dir=disk / 'out') == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert 'Read-only file system' in line


_PROGRAM = """
import sys
from mmhot.cli import clip_worker, main
from ray_stand_ins import slow_worker
from functools import partial
real = clip_worker.ClipWorker
def slow(args, say, complain, run):
    worker = slow_worker(args, run, say, complain, log=sys.argv[1], seconds=0.02)
    worker._args.batch_size = 1
    return worker
clip_worker.ClipWorker = slow
import ray_stand_ins
ray_stand_ins.ClipWorker = real
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize('times', [1, 2])
def test_ctrl_c_ends_a_real_process(video, checkpoint, tmp_path, times):
    log, out = tmp_path / 'log.txt', tmp_path / 'out'
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    argv = ['infer', video, '--out-dir', out, '--pose3d-weights', checkpoint]
    command = [sys.executable, '-c', textwrap.dedent(_PROGRAM), log, *argv]
    start = partial(
        subprocess.Popen,
        env={**os.environ, 'PYTHONPATH': paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process = start(list(map(str, command)))
    while len(read_log(log)) < 50:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert 'Traceback' not in errors
    lines = [line for line in errors.splitlines() if line.startswith('mmhot infer')]
    assert len(lines) == 1
    assert 'interrupted' in lines[0]
    seen = len(read_log(log))
    again = start(list(map(str, [*command, '--resume'])))
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    np.testing.assert_array_equal(read_lifted(out / 'clip.npz').frame, np.arange(200))
    # once, the frame that was being looked at is looked at again; twice, maybe all
    looked = len(read_log(log)) - seen - 1
    assert looked <= (200 - (seen - 1) + 1 if times == 1 else 200)
