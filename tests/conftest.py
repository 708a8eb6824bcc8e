"""Fixtures and pytest hooks shared by all tests."""

import gc
import hashlib
import importlib
import logging
import os
import runpy
import signal
import sys
from copy import deepcopy
from functools import cache, partial
from pathlib import Path

import pytest

import mmhot  # noqa: F401 stands in for xtcocotools, which MMPose imports
from mmhot.cli import errors

# One thread a process: the tests are small, and machines are shared.
os.environ.setdefault('OMP_NUM_THREADS', '1')

ROOT = Path(__file__).parents[1]
if not (ROOT / 'mmhot/.mim').exists():  # a worktree that is not installed
    runpy.run_path(str(ROOT / 'setup.py'))['link_mim'](ROOT)

# `make test-all` runs what other runs of the tests remember.
WITHOUT_MEMOS = bool(os.environ.get('MMHOT_WITHOUT_MEMOS'))
_deselected_slow = {}
_known = {}
WEIGHTS = ROOT / 'mmhot/weights'

# Collections of garbage walk through all modules' objects, a sixth of the time.
gc.set_threshold(2_000, 10, 10)

# Files of ten seconds and more begin first, for processes to end together.
LONG = (
    *('configs', 'published_hosts', 'shipped_weights', 'camera_motion', 'experiments'),
    *('project', 'gtpt_parity', 'interrupted_writes', 'same_by_every_way'),
    *('coco_files', 'options_act', 'shipped_graphs', 'training', 'resume'),
)

# Shells start background jobs with SIGINT ignored, which child processes inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Reset MMEngine's default scope and managers, which a test's Runner sets."""
    _reset_managers()
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
def _same_log_level():
    """Reset the level that workers of Ray's stand-in set in their own process."""
    yield
    logging.getLogger('mmhot').setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _fast_runner(monkeypatch):
    """Skip slow steps of MMEngine that take half of a tiny training."""
    if WITHOUT_MEMOS:
        return
    config = sys.modules.get('mmengine.config.config')
    if hasattr(config, 'FormatCode'):  # onedl-mmengine has none
        # formats the config with yapf for every checkpoint
        monkeypatch.setattr(config, 'FormatCode', lambda text, **style: (text, True))
    if config is not None:
        # reloads pkg_resources for every base config, and reads each again
        monkeypatch.setattr(config, 'is_installed', _cached(config.is_installed))
        read = partial(_read_once, config.Config._file2dict)
        monkeypatch.setattr(config.Config, '_file2dict', staticmethod(read))
        # parses each config three times
        is_lazy = partial(_is_lazy_once, config.Config._is_lazy_import)
        monkeypatch.setattr(config.Config, '_is_lazy_import', staticmethod(is_lazy))
    runner = sys.modules.get('mmengine.runner.runner')
    if runner is not None:
        # runs compilers and queries GPUs for every log
        monkeypatch.setattr(runner, 'collect_env', dict)
    metafiles = sys.modules.get('mmengine.config.utils')
    if metafiles is not None:
        # parses all of MMPose's metafiles for every base config
        monkeypatch.setattr(metafiles, 'load', _cached_load)


@pytest.fixture(autouse=True)
def _open_shipped_graphs_once(monkeypatch):
    """Share the sessions of the package's own ONNX files, and what they computed."""
    runtime = sys.modules.get('onnxruntime')
    if runtime is None or WITHOUT_MEMOS:
        return

    def open_(path, *options, **more):
        if not options or isinstance(path, bytes) or Path(path).parent != WEIGHTS:
            return open_any(path, *options, **more)
        key = path, options[0].intra_op_num_threads, str(more)
        return _once(key, lambda: remembering(open_any(path, *options, **more)))

    def remembering(session):
        session.run = partial(_run_once, session, session.run)
        return session

    open_any = runtime.InferenceSession
    monkeypatch.setattr(runtime, 'InferenceSession', open_)


def _once(key, compute):
    """Compute a value once in a process."""
    if key not in _known:
        _known[key] = compute()
    return _known[key]


def _run_once(session, run, names, inputs, *options):
    """Run a graph; the same inputs, to the bit, are computed once in a process."""
    given = tuple(
        (name, x.dtype, x.shape, hashlib.sha256(x.tobytes()).digest())
        for name, x in inputs.items()
    )
    key = session, str(names), given
    return [x.copy() for x in _once(key, lambda: run(names, inputs, *options))]


def _is_lazy_once(is_lazy, filename):
    status = os.stat(filename)
    key = 'lazy', os.path.abspath(filename), status.st_mtime_ns, status.st_size
    return _once(key, lambda: is_lazy(filename))


_cached = cache(cache)


def _read_once(read, filename, *args, **options):
    """Read a config; bases and packages' own are read once in a process."""
    path = os.path.abspath(filename)
    if not {'_base_', '.mim'} & {*Path(path).parts} or not os.path.isfile(path):
        return read(filename, *args, **options)
    key = path, os.stat(path).st_mtime_ns, args, *options.items()
    return deepcopy(_once(key, lambda: read(filename, *args, **options)))


@cache
def _cached_load(path):
    from mmengine.fileio import load

    return load(path)


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory):
    """A small lifter with random weights."""
    from lifters import save_lifter

    return save_lifter(tmp_path_factory.mktemp('lifter') / 'tiny.pth')


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Replace the shipped lifters by two tiny ones."""
    from lifters import save_lifter

    from mmhot.weights import index

    folder = tmp_path / 'weights'
    folder.mkdir()
    monkeypatch.setattr(index, 'WEIGHTS_FOLDER', folder)
    save_lifter(folder / 'tiny-a.pth')
    save_lifter(folder / 'tiny-b.pth', num_frames=27)
    monkeypatch.setattr(index, 'DEFAULT_LIFTER', 'tiny-b')
    return folder


@pytest.fixture(scope='session')
def skater(tmp_path_factory):
    """The first 20 2D poses of the demo's skater."""
    from clip_files import cut_skater

    return cut_skater(tmp_path_factory.mktemp('skater') / 'skater.npz', 20)


@pytest.fixture
def video(tmp_path):
    """Ten frames without loss, each of a brightness of its own."""
    from video_files import write_video

    return write_video(tmp_path / 'clip.mkv', codec='ffv1')


@pytest.fixture
def detector(monkeypatch):
    """A stand-in that finds a person in each frame, beside one that finds keypoints."""
    from pose_sources import Detector, Estimator, use_stand_ins

    detector = Detector(every=1)
    detector.opened = use_stand_ins(monkeypatch, detector, Estimator())
    return detector


@pytest.fixture
def opened(detector):
    """Options of the 2D models that were opened."""
    return detector.opened


@pytest.fixture
def tool_output(monkeypatch, capfd):
    """Run a tool's command line in this process.

    The fixture is a function of the tool's name and arguments, which returns the exit
    code, stdout and stderr.
    """

    def run(name, *args):
        path = next((ROOT / 'tools').rglob(f'{name}.py')).relative_to(ROOT)
        tool = importlib.import_module('.'.join(path.with_suffix('').parts))
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, args)])
        monkeypatch.setenv('LOCAL_RANK', '0')
        _reset_managers()
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            errors.run_tool(tool.add_arguments, tool.main)
        return stop.value.code, *capfd.readouterr()

    return run


@pytest.fixture
def run_tool(tool_output):
    """Run a tool as ``tool_output``, successfully; return what it prints."""

    def run(name, *args):
        code, out, err = tool_output(name, *args)
        assert code == 0, err
        return out

    return run


@pytest.fixture
def tool_error(tool_output):
    """Run a tool that refuses its input; return its only line of error."""

    def run(name, *args):
        code, _, err = tool_output(name, *args)
        (line,) = [line for line in err.splitlines() if 'error: ' in line]
        assert code == 2
        assert 'Traceback' not in err
        return line

    return run


@pytest.fixture
def work_folder(tmp_path, monkeypatch):
    """Make an empty folder the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _reset_managers():
    """Drop global instances, which later runs of one name would share.

    Runs of equally named configs share them within a second. Visualizers would write
    to an earlier run's files, loggers to its output, and its checkpoints count.
    """
    managers = {
        'Visualizer': 'mmengine.visualization',
        'MessageHub': 'mmengine.logging',
        'MMLogger': 'mmengine.logging',
    }
    classes = [
        getattr(sys.modules[module], name)
        for name, module in managers.items()
        if module in sys.modules
    ]
    for manager in classes:
        classes += manager.__subclasses__()
        manager._instance_dict.clear()


def pytest_collection_modifyitems(items):
    """Sort the files, of which pytest-xdist gives one after another to processes."""
    other = [item.nodeid for item in items if ' at 0x' in item.nodeid]
    if other:
        raise pytest.UsageError(f'processes collect different tests: {other[0]}')
    items.sort(key=lambda item: item.path.stem.removeprefix('test_') not in LONG)


def pytest_collection_finish():
    """Exempt the imported modules from collections of garbage."""
    gc.freeze()


def pytest_deselected(items):
    """Record which slow tests were deselected, with their reasons."""
    for item in items:
        mark = item.get_closest_marker('slow')
        if mark is not None:
            _deselected_slow[item.nodeid] = mark.kwargs.get('reason', 'takes long')


def pytest_sessionfinish(session):
    """Send the record from a pytest-xdist worker to the controller."""
    gc.unfreeze()  # to be freed at the end
    if hasattr(session.config, 'workeroutput'):
        session.config.workeroutput['deselected_slow'] = _deselected_slow


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Receive a worker's record; a crashed worker has none."""
    output = getattr(node, 'workeroutput', {})
    _deselected_slow.update(output.get('deselected_slow', {}))


def pytest_terminal_summary(terminalreporter):
    """List the slow tests that were deselected."""
    if not _deselected_slow:
        return
    count = len(_deselected_slow)
    terminalreporter.section(f'deselected: {count} slow, see make test-all')
    for name, reason in _deselected_slow.items():
        terminalreporter.write_line(f'{name}: {reason}')
