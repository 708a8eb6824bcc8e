"""``mmhot infer`` in real processes that are interrupted; slow."""

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
from ray_stand_ins import read_log
from video_files import gray_image, write_video

from mmhot.io.lifted import read_lifted

pytestmark = pytest.mark.slow(reason='starts processes')
TESTS = Path(__file__).parents[1]


@pytest.fixture
def video(tmp_path):
    images = [gray_image(number % 50) for number in range(200)]
    return write_video(tmp_path / 'clip.mkv', images, codec='ffv1', pix_fmt='bgr0')


_PROGRAM = """
import sys
from mmhot.chain import worker as clip_worker
from mmhot.cli import main
from ray_stand_ins import slow_worker
from dataclasses import replace
real = clip_worker.ClipWorker
def slow(options, say, bars):
    options = replace(options, batch_size=1)
    return slow_worker(options, say, log=sys.argv[1], seconds=0.02)
clip_worker.ClipWorker = slow
import ray_stand_ins
ray_stand_ins.ClipWorker = real
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize('times', [1, 2])
def test_ctrl_c_ends_a_real_process(video, checkpoint, tmp_path, times):
    log, out = tmp_path / 'log.txt', tmp_path / 'out'
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS / 'helpers')))
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
    assert errors.count('mmhot infer: interrupted: 0 of 1 inputs are finished') == 1
    seen = len(read_log(log))
    again = start(list(map(str, [*command, '--resume'])))
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    np.testing.assert_array_equal(read_lifted(out / 'clip.npz').frame, np.arange(200))
    # once, the frame that was being looked at is looked at again; twice, maybe all
    looked = len(read_log(log)) - seen - 1
    assert looked <= (200 - (seen - 1) + 1 if times == 1 else 200)
