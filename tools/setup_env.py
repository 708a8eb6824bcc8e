"""Make, check and repair the environment in .venv; `make` calls it before all else.

Needs Python 3.11 and nothing else. The second call only looks whether all is still as
it was left, which takes about a second. What was interrupted goes on where it stopped;
packages with missing files are installed anew, and after the folder was moved the
scripts are mended. Example::

    python3.11 tools/setup_env.py
"""

import csv
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import setup_machine
from setup_machine import SetupError

ROOT = Path(__file__).resolve().parents[1]
PYTHON = (3, 11)

# Measured with the pins in requirements/, on Linux.
DOWNLOAD_GB = 3.0
DISK_GB = 5.5
DISK_WHILE_INSTALLING_GB = 9  # pip keeps the downloads until all is unpacked
MMCV_CPU_MINUTES = 16  # 12 where nothing else runs, 20 on a busy machine

IMPORTS = 'torch torchvision cv2 av scipy mmengine mmcv.ops mmdet mmpose.apis'


def announce(text: str) -> None:
    """Print a line before what other programs print next."""
    print(text, flush=True)


@dataclass(frozen=True)
class Step:
    """One stage of the set-up.

    Args:
        name (str): Its key in the stamp.
        inputs (tuple): Files that it depends on: when they change it runs again.
        arguments (tuple): What ``pip install`` is given.
    """

    name: str
    inputs: tuple[str, ...]
    arguments: tuple[str, ...]


STEPS = (
    Step(
        'packages',
        tuple(
            f'requirements/{name}.txt' for name in ('build', 'run', 'dev', 'augment')
        ),
        (
            '--no-warn-conflicts',  # MMEngine asks for opencv-python, see mm.txt
            *('-r', 'requirements/build.txt', '-r', 'requirements/run.txt'),
            *('-r', 'requirements/dev.txt'),
        ),
    ),
    Step(
        'openmmlab',
        ('requirements/run.txt', 'requirements/mm.txt'),
        ('--no-deps', '--no-build-isolation', '-r', 'requirements/mm.txt'),
    ),
    Step(
        'mmhot',
        ('pyproject.toml', 'setup.py'),
        ('--no-deps', '--no-build-isolation', '-e', '.'),
    ),
)


class Environment:
    """The virtual environment of a checkout.

    Args:
        root (Path): The checkout.
        run (Callable): Runs programs; like :func:`subprocess.run`.
        say (Callable): Prints a line.
    """

    def __init__(
        self, root: Path, run: Callable = subprocess.run, say: Callable | None = None
    ) -> None:
        self.root = root
        self.folder = root / '.venv'
        self.python = self.folder / 'bin' / 'python'
        self.site = self.folder / 'lib' / f'python{PYTHON[0]}.{PYTHON[1]}/site-packages'
        self.stamp_file = self.folder / 'mmhot-stamp.json'
        self._run = run
        self._say = say or announce

    def make(self) -> bool:
        """Bring the environment into the wanted state; return whether it changed."""
        stamp = self.read_stamp()
        for name, reason in self.damages(stamp).items():
            self._say(f'.venv: {name} {reason}: installing it again')
            self.forget(name)
            stamp = {**stamp, 'steps': {}}
        moved = stamp.get('root', str(self.root)) != str(self.root)
        working = self._python_works()
        todo = [
            step for step in STEPS if stamp['steps'].get(step.name) != self.key(step)
        ]
        if moved:
            todo = [step for step in STEPS if step in todo or step.name == 'mmhot']
        if not todo and working:
            return False
        self.check_machine(todo)
        self._announce(todo)
        if moved or not working:
            self._make_python()
        self._install(todo, stamp['steps'])
        return True

    def read_stamp(self) -> dict:
        """Read what is known about the environment; nothing if it is half-made."""
        try:
            stamp = json.loads(self.stamp_file.read_text())
            return {**stamp, 'steps': dict(stamp['steps'])}
        except (OSError, ValueError, KeyError, TypeError):
            return {'steps': {}}

    def key(self, step: Step) -> str:
        """Return a digest of all that a step depends on."""
        digest = hashlib.sha256(repr((step.arguments, PYTHON)).encode())
        for name in step.inputs:
            digest.update((self.root / name).read_bytes())
        return digest.hexdigest()

    def damages(self, stamp: dict) -> dict[str, str]:
        """Find packages with missing or cut files, by name, with the reason.

        A complete environment is compared with its stamp; a half-made one with what
        pip wrote down about each package.
        """
        found = {}
        infos = {package_name(info): info for info in self._infos()}
        for name in stamp.get('packages', sorted(infos)):
            if name not in infos:
                found[name] = 'is gone'
            elif reason := damage(infos[name]):
                found[name] = reason
        return found

    def forget(self, name: str) -> None:
        """Make pip believe that a package is not installed, so that it installs it."""
        for info in self._infos():
            if package_name(info) == name:
                shutil.rmtree(info)
        if name == 'pip':
            shutil.rmtree(self.site / 'pip', ignore_errors=True)

    def check_machine(self, todo: list[Step]) -> None:
        """Raise a SetupError that names what this machine lacks for the steps."""
        setup_machine.check_python(PYTHON)
        if self._compiles(todo):
            setup_machine.check_compiler()
        needed = 1 if self._has('torch') else DISK_WHILE_INSTALLING_GB
        setup_machine.check_disk(self.root, needed)

    def _announce(self, todo: list[Step]) -> None:
        names = ', '.join(step.name for step in todo) or 'Python'
        self._say(f'Setting up .venv ({names}); an interrupted set-up can be resumed.')
        if not self._has('torch'):
            self._say(
                f'It downloads about {DOWNLOAD_GB:g} GB and takes {DISK_GB:g} GB of '
                f'disk, {DISK_WHILE_INSTALLING_GB} GB while it installs.'
            )
        if self._compiles(todo):
            jobs = setup_machine.compile_jobs()
            minutes = max(1, round(MMCV_CPU_MINUTES / jobs))
            self._say(
                f'It compiles MMCV, which takes about {minutes} minutes on {jobs} '
                f'core{"s"[: jobs > 1]} (nothing if pip has it in its cache).'
            )

    def _compiles(self, todo: list[Step]) -> bool:
        names = {step.name for step in todo}
        return 'openmmlab' in names and not self._has('mmcv')

    def _has(self, name: str) -> bool:
        return any(package_name(info) == name for info in self._infos())

    def _infos(self) -> list[Path]:
        return sorted(self.site.glob('*.dist-info'))

    def _python_works(self) -> bool:
        if not os.access(self.python, os.X_OK):
            return False
        code = r'import sys, pip; print(sys.prefix, *sys.version_info[:2], sep="\n")'
        done = self._ask(code)
        return done.stdout.splitlines() == [str(self.folder), *map(str, PYTHON)]

    def _make_python(self) -> None:
        for link in (self.folder / 'bin').glob('python*'):
            link.unlink()
        self._call('making .venv', [sys.executable, '-m', 'venv', self.folder])

    def _mend_scripts(self) -> None:
        """Let the scripts that pip wrote start this environment's Python."""
        for script in (self.folder / 'bin').iterdir():
            if script.is_symlink() or not script.is_file():
                continue
            content = script.read_bytes()
            mended = _SHEBANG.sub(lambda _: shebang(self.python), content, count=1)
            if mended != content:
                script.write_bytes(mended)

    def _install(self, todo: list[Step], done: dict[str, str]) -> None:
        self.stamp_file.unlink(missing_ok=True)
        for leftover in self.site.glob('~*'):
            shutil.rmtree(leftover, ignore_errors=True)
        for step in todo:
            self._pip(step)
            done[step.name] = self.key(step)
        problem = self._imports()
        if 'mmcv' in problem:
            self._say('MMCV was compiled for another PyTorch: compiling it again')
            self.forget('mmcv')
            self._pip(STEPS[1], '--no-cache-dir')
            problem = self._imports()
        if problem:
            raise SetupError(f'all is installed but does not work: {problem}')
        self._mend_scripts()
        self._write_stamp(done)

    def _pip(self, step: Step, *options: str) -> None:
        self._call(
            f'installing {step.name}',
            [self.python, '-m', 'pip', 'install', *options, *step.arguments],
        )

    def _imports(self) -> str:
        """Return why the packages cannot be imported; nothing if they can."""
        code = f'for name in {IMPORTS.split()!r}: __import__(name)'
        done = self._ask(code)
        return done.stderr.strip().rpartition('\n')[2] if done.returncode else ''

    def _ask(self, code: str) -> subprocess.CompletedProcess:
        command = [str(self.python), '-c', code]
        return self._run(command, capture_output=True, text=True, env=clean_variables())

    def _call(self, what: str, command: list) -> None:
        command = [str(part) for part in command]
        code = self._run(command, cwd=self.root, env=clean_variables()).returncode
        if code:
            raise SetupError(f'{what} failed (exit code {code}, messages above)')

    def _write_stamp(self, steps: dict[str, str]) -> None:
        stamp = {
            'root': str(self.root),
            'steps': steps,
            'packages': [package_name(info) for info in self._infos()],
        }
        part = self.stamp_file.with_suffix('.part')
        part.write_text(json.dumps(stamp, indent=1))
        part.replace(self.stamp_file)


def package_name(info: Path) -> str:
    """Return the name of the package that a ``.dist-info`` folder is about."""
    return re.sub('[-_.]+', '-', info.name.split('-')[0]).lower()


def damage(info: Path) -> str:
    """Say what is wrong with an installed package; nothing if all its files are there.

    Args:
        info (Path): Its ``.dist-info`` folder.
    """
    try:
        with open(info / 'RECORD', newline='', encoding='utf-8') as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return 'was half-installed'
    site = str(info.parent)
    for row in rows:
        if len(row) < 3 or not row[1] or row[0].endswith('.pyc'):
            continue
        try:
            size = os.stat(os.path.join(site, row[0])).st_size
        except OSError:
            return f'lacks {row[0]}'
        # Scripts change when they are mended.
        if row[2] and size != int(row[2]) and not row[0].startswith('..'):
            return f'has a damaged {row[0]}'
    return ''


_SHEBANG = re.compile(rb"\A(#!/bin/sh\n'''exec' .*\n' '''|#!.*python[0-9.]*)\n")


def shebang(python: Path) -> bytes:
    """Return the first lines of a script for a Python, as pip writes them."""
    path = bytes(python)
    if b' ' in path or len(path) > 125:
        return b"#!/bin/sh\n'''exec' \"%s\" \"$0\" \"$@\"\n' '''\n" % path
    return b'#!%s\n' % path


def clean_variables() -> dict[str, str]:
    """Return the variables for pip and for MMCV's compilation.

    Without a GPU in sight MMCV compiles its operators for the CPU only; those for the
    GPU would want a CUDA toolkit that fits PyTorch's, and nothing here uses them.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV')
    }
    return {
        **kept,
        'CUDA_VISIBLE_DEVICES': '',
        'FORCE_CUDA': '0',
        'MMCV_WITH_OPS': '1',
        'MAX_JOBS': str(setup_machine.compile_jobs()),
        'PIP_DISABLE_PIP_VERSION_CHECK': '1',
        'PIP_USER': '0',
    }


def main() -> int:
    """Run the tool."""
    environment = Environment(ROOT)
    start = time.monotonic()
    try:
        environment.folder.mkdir(exist_ok=True)
        with open(environment.folder / '.lock', 'w') as lock:
            wait_for(lock)
            if environment.make():
                announce(f'.venv is ready after {time.monotonic() - start:.0f} s.')
    except KeyboardInterrupt:
        print('setup: interrupted; the next call goes on from here', file=sys.stderr)
        return 130
    except (SetupError, OSError) as error:
        print(f'setup: error: {error}', file=sys.stderr)
        return 1
    return 0


def wait_for(lock) -> None:
    """Wait until no other call sets up the same environment."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        announce('Another call is setting up .venv; waiting for it.')
        fcntl.flock(lock, fcntl.LOCK_EX)


if __name__ == '__main__':
    sys.exit(main())
