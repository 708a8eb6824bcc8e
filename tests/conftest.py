"""Builders and rules shared by all tests."""

import importlib.util
import os
import signal
import sys
from functools import cache
from pathlib import Path

import pytest

# One thread a process: the tests are small, and machines are shared.
os.environ.setdefault('OMP_NUM_THREADS', '1')

ROOT = Path(__file__).parents[1]

_left_out = {}


# Shells start background jobs deaf to Ctrl-C, and so are processes that these start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Forget the scope that a test's Runner left: every later build would use it."""
    before = dict(_default_scopes())
    try:
        return (yield)
    finally:
        scopes = _default_scopes()
        scopes.clear()
        scopes.update(before)


def _default_scopes():
    module = sys.modules.get('mmengine.registry.default_scope')
    return {} if module is None else module.DefaultScope._instance_dict


@pytest.fixture(autouse=True)
def _brief_runner(monkeypatch):
    """Spare MMEngine what nobody reads: half of the time of a tiny training.

    It formats configs with yapf, for every checkpoint, asks compilers and GPUs who
    they are, for every log, and reads all of MMPose's metafiles, for every config.
    """
    config = sys.modules.get('mmengine.config.config')
    if config is not None:
        monkeypatch.setattr(config, 'FormatCode', lambda text, **style: (text, True))
    runner = sys.modules.get('mmengine.runner.runner')
    if runner is not None:
        monkeypatch.setattr(runner, 'collect_env', dict)
    metafiles = sys.modules.get('mmengine.config.utils')
    if metafiles is not None:
        monkeypatch.setattr(metafiles, 'load', _read_once)


@cache
def _read_once(path):
    """Read one of the hundred files that MMEngine searches for a base config."""
    from mmengine.fileio import load

    return load(path)


@pytest.fixture
def run_tool(monkeypatch, capfd):
    """Run a tool as a user would, but in this process."""

    def run(name, *args):
        path = next((ROOT / 'tools').rglob(f'{name}.py'))
        spec = importlib.util.spec_from_file_location(f'tool_{name}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, args)])
        monkeypatch.setenv('LOCAL_RANK', '0')
        _forget_earlier_runs()
        capfd.readouterr()
        try:
            code = module.main()
        except SystemExit as stop:
            code = stop.code
        return code, capfd.readouterr().err

    return run


def _forget_earlier_runs():
    """Drop the visualizers, which go on writing to an earlier run's files."""
    mmengine = sys.modules.get('mmengine.visualization')
    kinds = [] if mmengine is None else [mmengine.Visualizer]
    for kind in kinds:
        kinds += kind.__subclasses__()
        kind._instance_dict.clear()


def pytest_deselected(items):
    """Remember which slow tests were left out, and the reasons they give."""
    for item in items:
        mark = item.get_closest_marker('slow')
        if mark is not None:
            _left_out[item.nodeid] = mark.kwargs.get('reason', 'takes long')


def pytest_sessionfinish(session):
    """Have a process of pytest-xdist tell the one that reports."""
    if hasattr(session.config, 'workeroutput'):
        session.config.workeroutput['left_out'] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over what such a process has told, unless it broke down."""
    _left_out.update(getattr(node, 'workeroutput', {}).get('left_out', {}))


def pytest_terminal_summary(terminalreporter):
    """Name the slow tests that were left out."""
    if not _left_out:
        return
    terminalreporter.section(f'left out: {len(_left_out)} slow, see make test-all')
    for name, reason in _left_out.items():
        terminalreporter.write_line(f'{name}: {reason}')
