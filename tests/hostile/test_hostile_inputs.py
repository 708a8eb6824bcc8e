"""Damaged, huge and deceptive inputs: refused in one line, or lifted to finite poses.

Each case is a fork of this process with limited memory. No input may run code, fill the
memory, write outside of the output folder, or hold the process.
"""

import os
import resource
import signal
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path

import hostile_files as files
import numpy as np
import pytest
from hostile_streams import all_streams, keep_silent, served

from mmhot.errors import escape
from mmhot.io.lifted import read_lifted

pytestmark = [
    pytest.mark.slow(reason='some 140 runs of mmhot, see make test-hostile'),
    pytest.mark.skipif(sys.platform != 'linux', reason='needs fork and /proc'),
]
REFUSED, EITHER, LIFTED = 'refused', 'either', 'lifted'
LIFT = ['lift', 'INPUT', '--out-dir', 'out', '--formats', 'npz,json']
ALL = [*LIFT[:-1], 'npz,json,csv,angles.csv,bvh,trc,mot,glb,html,png']
INFER = ['infer', 'INPUT', '--out-dir', 'out', '--pose2d', 'gtpt-t']
LENS = ['lift', 'good.npz', '--out-dir', 'out', '--intrinsics', 'INPUT']
CHECKPOINT = ['lift', 'good.npz', '--out-dir', 'out', '--checkpoint', 'INPUT']
LIVE = [*INFER, '--live', '--reconnect', '1', '--duration', '20']
LIVE += ['--det-model', 'whole_image', '--quiet']
SIZES = ['--image-size', '1280x720', '--fps', '25']
# Seconds of a case; address space beyond that of the imports; resident memory.
TIMEOUT, MORE_MEMORY, MAX_MEMORY = 120, 4 << 30, 3 << 30
VALUES = (None, -1, 10**400, '\x1b[31m\n', [['a'], 2], {'x': [1]})


def text(content):
    """A file of this text."""
    return partial(Path.write_text, data=content)


def data(content):
    """A file of these bytes."""
    return partial(Path.write_bytes, data=content)


def npz(**arrays):
    return partial(files.npz, **arrays)


def at(frames):
    """A pose in some frames only."""
    poses = np.repeat(files.poses(1), len(frames), 0)
    return npz(keypoints=poses, frame=np.array(frames), fps=1000.0)


def large(path):
    """300 MB of zeros, most of them not on the disk."""
    path.write_text('[')
    os.truncate(path, 300 << 20)


ARRAYS = {
    '700 MB in 1 MB': partial(files.npz_of_zeros, shape=(20_600_000, 17, 2)),
    '550 MB of frames': partial(files.npz_of_zeros, shape=(550_000_000,), name='frame'),
    'below the limit of bytes': partial(files.npz_of_zeros, shape=(12_000_000, 17, 2)),
    'pickled frames': npz(frame=np.array([files.Bomb()] * 3, object)),
    'a pickle': files.pickled,
    'a million names': npz(joint_names=np.array(['z'] * 10**6)),
    'skeleton of 10 MB': npz(skeleton='z' * 10_000_000),
    'negative frames': npz(frame=np.arange(3) - 5),
    'frames beyond 64 bits': npz(frame=np.full(3, 2**64 - 1, 'u8')),
    'every 1000th frame': at(range(0, 10_000_000, 1000)),
    'frames beyond the limit': at([0, 10_000_001]),
    **{
        f'header of {shape}': partial(
            files.npz_with, member=files.npy_header(shape) + bytes(64)
        )
        for shape in ((10**9, 17, 2), (2**62, 4), (-1, 17, 2), (0, 17, 2))
    },
    **{
        f'keypoints of {kind}': partial(
            files.npz_with, member=files.npy_header((10**9,), kind)
        )
        for kind in ('<U0', '|V0', '|O', '<c16', '<U1000000000')
    },
    **{
        f'keypoints of {value}': npz(keypoints=np.full((3, 17, 2), value))
        for value in (np.nan, np.inf, 1e30, -1e9)
    },
    **{
        f'{name} of {value}': npz(**{name: value})
        for name in ('width', 'fps')
        for value in (0, -1, np.nan, 1e30, '25', [1, 2])
    },
}
DOCUMENTS = {
    '900 lists': data(files.nested(900).encode()),
    '5,000,000 lists': data(files.nested(5_000_000).encode()),
    '300 MB': large,
    'empty': data(b''),
    'UTF-16': data('[{"a": 1}]'.encode('utf-16')),
    'no UTF-8': data(b'[{"a": "\xff\xfe"}]'),
}
CALIBRATIONS = {
    'aliases': files.aliases(),
    'alias of itself': 'camera_matrix: &a [*a]',
    'Python object': 'camera_matrix: !!python/object/apply:os.mkdir [executed]',
    '10,000 lists': 'camera_matrix: ' + files.nested(10_000),
    '10 MB': 'fx: 1\n' * 2_000_000,
    'control characters': 'fx: \x1b[31m',
}
PLACES = {
    'frame': (files.video_document(), (0, 'frame_id')),
    'keypoints': (files.video_document(), (0, 'instances', 0, 'keypoints')),
    'width': (files.coco_document(), ('images', 0, 'width')),
    'track': (files.coco_document(), ('annotations', 0, 'track_id')),
    'names': (files.coco_document(), ('categories', 0, 'keypoints')),
}
IMAGES = {
    f'{width} x {height}': partial(files.png, width=width, height=height, rows=rows)
    for width, height, rows in (
        (32_000, 32_000, 100),
        (2**31 - 1, 1, 1),
        (9000, 9000, 100),
    )
}
PLAYLIST = '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n'
HUGE = partial(files.video, frames=1, size=(12_000, 9000))
VIDEOS = {
    'PNG of 108 megapixels': ('mov', partial(HUGE, codec='png')),
    'FFV1 of 108 megapixels': ('mkv', partial(HUGE, codec='ffv1')),
    'empty': ('mp4', Path.touch),
    'playlist of an address': ('m3u8', text(PLAYLIST)),
}
NAMES = ('a\nb', 'a\x1b[31mb', 'a\udcff', 'a\u202eb', 'a%03d', 'concat:a', 'é' * 120)


def keypoint_cases():
    """Yield name, arguments, file, function that writes it, and what must happen."""
    for name, make in ARRAYS.items():
        yield name, LIFT, 'input.npz', make, REFUSED
    gaps = at([0, 9_999_999])
    yield 'gap of 10,000,000 frames', ALL, 'input.npz', gaps, LIFTED
    for name, make in DOCUMENTS.items():
        yield f'JSON {name}', LIFT + SIZES, 'input.json', make, REFUSED
    for (name, (document, path)), value in product(PLACES.items(), VALUES):
        make = partial(files.dump, document=files.replaced(document, path, value))
        yield f'JSON {name} {value!r:.20}', LIFT + SIZES, 'input.json', make, EITHER
    for name, content in CALIBRATIONS.items():
        yield f'calibration {name}', LENS, 'input.yml', text(content), REFUSED
    for name in NAMES:
        shown = f'{name!r:.20}'
        yield f'refused {shown}', LIFT, f'{name}.npz', files.pickled, REFUSED
        yield f'lifted {shown}', ALL, f'{name}.npz', files.npz, LIFTED
    yield 'format with a path', [*LIFT[:-1], '../npz'], 'input.npz', files.npz, REFUSED


def media_cases():
    """Yield cases of images, videos, checkpoints and of what is no file."""
    for name, make in IMAGES.items():
        yield f'image of {name}', INFER, 'input.png', make, REFUSED
    for name, (suffix, make) in VIDEOS.items():
        yield f'video {name}', INFER, f'input.{suffix}', make, REFUSED
    makers = {'npz': files.npz, 'png': files.image, 'mkv': files.video}
    for (suffix, make), seed in product(makers.items(), range(4)):
        make = partial(files.damaged, make=make, seed=seed)
        arguments = LIFT if suffix == 'npz' else INFER
        yield f'damaged {suffix} {seed}', arguments, f'input.{suffix}', make, EITHER
    special = {'npz': LIFT, 'yml': LENS, 'mp4': INFER, 'png': INFER}
    for suffix, kind in product(special, ('pipe', 'socket', 'loop', '/dev/zero')):
        make, file = partial(files.special, kind=kind), f'input.{suffix}'
        yield f'{kind} as {suffix}', special[suffix], file, make, REFUSED
    for suffix in ('pth', 'onnx'):
        for name, make in {'garbage': data(b'x'), 'a pickle': files.pickled}.items():
            yield f'{suffix} of {name}', CHECKPOINT, f'input.{suffix}', make, REFUSED


CASES = [
    pytest.param(*case[1:], id=escape(case[0]))
    for case in (*keypoint_cases(), *media_cases())
]


@pytest.fixture(scope='module', autouse=True)
def _import_once():
    """Import what commands import, once for all forks."""
    import onnxruntime  # noqa: F401

    import mmhot.apis.lifting
    import mmhot.plugin  # noqa: F401
    from mmhot.cli.dispatch import build_parser

    build_parser()


@pytest.fixture
def folder(tmp_path):
    files.npz(tmp_path / 'good.npz')
    return tmp_path


@pytest.mark.parametrize(('arguments', 'file', 'make', 'expected'), CASES)
def test_file_is_refused_in_one_line_or_lifted(folder, arguments, file, make, expected):
    # in a fork, whose memory does not count
    assert wait(fork(lambda: make(folder / file) and None))[0] == 0
    check(run(arguments, folder, file), folder, expected)


@pytest.mark.parametrize('name', all_streams())
def test_stream_is_refused_in_one_line_or_lifted(folder, name):
    with served(all_streams()[name]) as address:
        check(run(LIVE, folder, address), folder, EITHER)


def test_interrupt_ends_a_stream_that_does_not_answer(folder):
    with served(keep_silent) as address:
        process = fork(partial(command, LIVE, folder, address))
        time.sleep(5)
        os.kill(process, signal.SIGINT)
        code, _ = wait(process, timeout=15)
    assert code in (1, 2, 130)


def fork(action):
    """Run an action in a fork, whose exit code it returns; return its process ID."""
    process = os.fork()
    if process:
        return process
    code = 99
    try:
        code = action() or 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        sys.__excepthook__(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def command(arguments, folder, source):
    """Run mmhot in this process with limited memory."""
    os.chdir(folder)
    for number, name in enumerate(('/dev/null', 'stdout', 'stderr')):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    sys.stdout, sys.stderr = (os.fdopen(number, 'w') for number in (1, 2))
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    from mmhot.cli.dispatch import main

    return main([source if text == 'INPUT' else text for text in arguments])


def wait(process, timeout=TIMEOUT):
    """Return exit code, None after the timeout, and largest memory."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        done, status, usage = os.wait4(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss << 10
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    return None, os.wait4(process, 0)[2].ru_maxrss << 10


def run(arguments, folder, source):
    before = {*folder.iterdir()}
    code, memory = wait(fork(partial(command, arguments, folder, source)))
    assert memory < MAX_MEMORY
    written = {*folder.iterdir()} - before
    assert {path.name for path in written} <= {'out', 'stdout', 'stderr'}
    return code


def check(code, folder, expected):
    """Check exit code, message, and results, which must be finite and not huge."""
    errors = (folder / 'stderr').read_text('utf-8', 'replace')
    assert code is not None, 'it hangs'
    assert not [x for x in (folder / 'out').rglob('.mmhot-*') if x.is_file()]
    if code:
        assert expected != LIFTED, errors
        assert code in (1, 2), errors
        lines = errors.splitlines()
        assert 'Traceback' not in errors
        assert lines[-1].startswith('mmhot'), errors
        assert all(escape(line) == line for line in lines)
        return
    assert expected != REFUSED
    for path in (folder / 'out').glob('*.*'):
        assert path.is_dir() or path.stat().st_size < 100 << 20
        if path.suffix == '.npz':
            assert np.isfinite(read_lifted(path).keypoints_3d).all()
