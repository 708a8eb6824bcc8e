"""``mmhot infer --runner ray``: many inputs at once, none lost, none done twice."""

import os
import signal
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from paths import ROOT
from pose_sources import infer
from ray_stand_ins import read_log, slow_worker
from video_files import write_video

from mmhot.apis.ray_runner import collect_outcomes, process_with_ray
from mmhot.chain.calls import INFER_COMMAND
from mmhot.chain.frames.inputs import find_inputs
from mmhot.chain.outcome import Outcome
from mmhot.io.lifted import read_lifted
from mmhot.options import Values
from mmhot.progress import Report

TESTS = ROOT / 'tests'
slow = partial(pytest.mark.slow, reason='starts Ray clusters')


@pytest.mark.parametrize(
    ('device', 'message'),
    [
        ('cpu', 'num_workers must be at most 2 on this'),
        ('cuda:1', 'device must be cpu or cuda with'),
    ],
)
def test_more_workers_than_cores_and_single_gpus_are_refused(
    device, message, monkeypatch
):
    module = SimpleNamespace(
        init=lambda **options: None,
        shutdown=lambda: None,
        cluster_resources=lambda: {'CPU': 2.0},
    )
    monkeypatch.setitem(sys.modules, 'ray', module)
    stated = dict(out_dir='out', device=device, runner='ray', num_workers=3)
    outcomes = process_with_ray([], Values(stated, INFER_COMMAND.kinds), Report())
    with pytest.raises(ValueError, match=message):
        list(outcomes)


class Pool:
    """Stands in for Ray's pool: works on what it is given, one after the other."""

    def __init__(self, errors):
        self.errors, self.submitted = errors, []

    def submit(self, work, item):
        self.submitted.append(item)

    def has_next(self):
        return bool(self.submitted)

    def get_next_unordered(self):
        item = self.submitted.pop(0)
        error = self.errors[item.name]
        if isinstance(error, Exception):
            raise error
        return Outcome(item.name, error=error), [(f'line of {item.name}', False)]


def test_outcomes_are_those_of_workers_and_of_dead_workers():
    ray = SimpleNamespace(exceptions=SimpleNamespace(RayError=RuntimeError))
    pool = Pool({'a': '', 'b': 'bad', 'c': RuntimeError('the worker\ndied'), 'd': ''})
    inputs, lines = [SimpleNamespace(name=name) for name in 'abcd'], []
    outcomes = list(collect_outcomes(ray, pool, inputs, lines.append))
    assert {outcome.name: outcome.error for outcome in outcomes} == {
        **{'a': '', 'b': 'bad', 'd': ''},
        'c': 'its worker failed: the worker died',
    }
    assert lines == ['line of a', 'line of b', 'line of d']


@pytest.fixture
def videos(tmp_path):
    return [write_video(tmp_path / f'video{n}.mkv', codec='ffv1') for n in range(6)]


@pytest.fixture
def importable(monkeypatch):
    """Let Ray's processes import what they run."""
    pytest.importorskip('ray')
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS / 'helpers')))
    monkeypatch.setenv('PYTHONPATH', paths)


@slow()
def test_killed_worker_loses_nothing(videos, checkpoint, tmp_path, importable):
    """Two processes, of which one is killed in the middle of a video."""
    out, log = tmp_path / 'out', tmp_path / 'log.txt'
    stated = dict(
        out_dir=out,
        pose3d_weights=checkpoint,
        device='cpu',
        runner='ray',
        num_workers=2,
    )
    options = Values(stated, INFER_COMMAND.kinds)
    inputs = find_inputs([str(video) for video in videos])
    victims = []

    def kill_one():
        while not victims:
            time.sleep(0.02)
            steps = read_log(log)
            if sum(what != 'models' for _, what in steps) > 14:
                victims.append(steps[-1][0])
                os.kill(victims[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    make = partial(slow_worker, log=log)
    run = partial(process_with_ray, report=Report(print), make_worker=make)
    outcomes = list(run(inputs, options))
    killer.join(5)
    assert victims
    assert sorted(outcome.name for outcome in outcomes) == sorted(
        video.stem for video in videos
    )
    assert not any(outcome.error for outcome in outcomes)
    for video in videos:
        clip = read_lifted(out / f'{video.stem}.npz')
        np.testing.assert_array_equal(clip.frame, np.arange(10))
    steps = read_log(log)
    processes = {pid for pid, _ in steps}
    assert len(processes) == 3  # two, and the one that was started instead
    # each loaded its models once
    assert sum(what == 'models' for _, what in steps) == 3
    # only frames of the video that was worked on were looked at again
    assert 60 <= sum(what != 'models' for _, what in steps) <= 69
    # the same once more: all is finished
    again = list(run(inputs, Values(stated | {'resume': True}, INFER_COMMAND.kinds)))
    assert all(outcome.skipped for outcome in again)


@slow()
def test_missing_models_are_reported_once(videos, tmp_path, importable, capfd):
    wrong = dict(pose3d='mmhot-none', num_workers=1, runner='ray')
    assert infer(*videos, out_dir=tmp_path / 'out', **wrong) == 2
    lines = [x for x in capfd.readouterr().err.splitlines() if 'mmhot infer' in x]
    assert len(lines) == 1
    assert 'mmhot-none' in lines[0]
