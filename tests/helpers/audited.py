"""Run cases in this process under an audit hook, and report what each of them did.

``python audited.py FOLDER`` reads ``FOLDER/cases.json``: for each name the arguments of
``mmhot``, which runs in ``FOLDER/NAME/input``. Only that folder and the caches may be
opened; files of ``FOLDER/secret``, and a port, are watched, as libraries in C have no
audit events. Writes ``FOLDER/found.json``: the violations by name.
"""

import contextlib
import ctypes
import io
import json
import os
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(sys.argv[1])
IN_OPEN = 0x20
HARM = 'HARM'
_PROCESSES = (
    'subprocess.',
    'os.exec',
    'os.posix_spawn',
    'os.spawn',
    'os.system',
    'os.fork',
    'pty.',
    'os.startfile',
)
_NETWORK = ('socket.connect', 'socket.getaddrinfo', 'urllib.Request', 'socket.sendto')
_CHANGES = (
    'os.remove',
    'os.rename',
    'os.rmdir',
    'os.link',
    'os.symlink',
    'os.chmod',
    'os.mkdir',
    'os.truncate',
    'shutil.',
)
found: set[str] = set()
watching, own = False, FOLDER
# installed files, and those of the system
PLACES = [
    sys.prefix,
    sys.base_prefix,
    sysconfig.get_path('stdlib'),
    '/usr',
    '/lib',
    '/proc',
    '/sys',
    '/dev',
    '/etc',
    str(Path(__file__).parents[2]),
    *(path for path in (*sys.path[1:], sys.pycache_prefix) if path),
]
sys.dont_write_bytecode = True  # compiled modules are no files of cases


def place_of(path):
    """Return a path without links and dots; None for numbers of open files."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    return os.path.realpath(os.fsdecode(path))


def is_in(path, places):
    return any(path == str(x) or path.startswith(f'{x}/') for x in places)


def audit(event, arguments):
    global watching
    if not watching:
        return
    watching = False  # the checks themselves open files
    try:
        check(event, arguments)
    finally:
        watching = True


def check(event, arguments):
    if event.startswith(_PROCESSES + _NETWORK):
        found.add(f'{event} {arguments[:2]!r:.100}')
    elif event == 'open' or event.startswith(_CHANGES):
        check_file(event, place_of(arguments[0]) if arguments else None)
    elif event in ('compile', 'exec'):
        name = arguments[1] if event == 'compile' else arguments[0].co_filename
        name = os.fsdecode(name or '')
        if Path(name).is_file() and is_in(place_of(name), [FOLDER]):
            found.add(f'{event} of {name}')
    elif event == 'import' and str(arguments[0]).startswith('evil'):
        found.add(f'import {arguments[0]}')


def check_file(event, path):
    if path is None or '.egg-info/' in path:
        return
    own_places = [own, FOLDER / 'caches']
    if not is_in(path, own_places + (PLACES if event == 'open' else [])):
        found.add(f'{event} {path}')
    # MMEngine copies configs into the folder of temporary files
    is_program = path.endswith(('.py', '.pyc', '.so')) and is_in(path, [FOLDER])
    if event == 'open' and is_program and not is_in(path, own_places[1:]):
        found.add(f'{event} of a program {path}')


class Watch:
    """Opened files of a folder, by inotify: libraries in C open them, too."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None)
        self.file = libc.inotify_init1(os.O_NONBLOCK)
        for path in (folder, *folder.rglob('*')):
            libc.inotify_add_watch(self.file, os.fsencode(path), IN_OPEN)

    def opened(self):
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self.file, 1 << 16))
        return False


def run(name, arguments, main, watch):
    """Run a case; return its exit code, last line and violations."""
    global watching, own
    os.chdir(FOLDER / name / 'input')
    found.clear()
    watch.opened()
    text = io.StringIO()
    with contextlib.redirect_stderr(text), contextlib.redirect_stdout(text):
        watching = True
        try:
            code = main(arguments)
        except SystemExit as error:
            code = error.code
        except BaseException as error:
            code = f'{type(error).__name__}: {error}'
        finally:
            watching = False
    if watch.opened():
        found.add('a secret file was opened')
    if os.environ.pop(HARM, None):
        found.add('a program ran')
    lines = text.getvalue().strip().splitlines()
    return dict(code=code, line=lines[-1] if lines else '', found=sorted(found))


def start():
    """Import everything and run a right case, so that later imports are the cases'."""
    import mmhot.apis.onnx_models  # noqa: F401

    with contextlib.suppress(ImportError):
        import h5py  # noqa: F401
    from mmhot.cli.dispatch import main

    return main


if __name__ == '__main__':
    cases = json.loads((FOLDER / 'cases.json').read_text())
    main, watch = start(), Watch(FOLDER / 'secret')
    run('warm', cases.pop('warm'), main, watch)
    sys.addaudithook(audit)
    sys.path.insert(0, '')  # as `python -m mmhot` has it
    results = {name: run(name, case, main, watch) for name, case in cases.items()}
    (FOLDER / 'found.json').write_text(json.dumps(results))
