"""Imports packages in processes of their own, for as long as there is time.

A package can be complete and still fail when it is imported: compiled for another
PyTorch, without a system library, with another NumPy. Only trying tells, and importing
PyTorch and all that needs it takes longer than people wait. So there are three kinds of
attempts, written as ``'KIND MODULE'``:

* ``import``: all of it
* ``start``: until it wants PyTorch, which takes no time
* ``link``: load the compiled operators as the system's loader does, without Python
"""

import ctypes
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_CODE = (
    'import json, os, sys; sys.path[:] = json.loads(sys.argv[1]); '
    'os.nice(int(sys.argv[2])); '
    'from mmhot.installation.import_probe import try_all; try_all(sys.argv[3:])'
)


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed.

    Args:
        reason (str): The error, in one line.
        culprit (str): Top-level module in which it happened; its own or another.
    """

    reason: str
    culprit: str


class ImportProbe:
    """One process that makes attempts in order.

    Args:
        attempts (Sequence[str]): See the module.
        niceness (int): How far it stands back where the processor is busy.
    """

    def __init__(self, attempts: Sequence[str], niceness: int = 0) -> None:
        arguments = [json.dumps(sys.path), str(niceness), *attempts]
        self._process = subprocess.Popen(
            [sys.executable, '-c', _CODE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def results(self, deadline: float) -> tuple[dict[str, Failure | None], list[str]]:
        """Wait for the process.

        Args:
            deadline (float): When to stop it, by ``time.monotonic()``.

        Returns:
            tuple: By attempt that was made its failure, or None if it went well; and
            the devices of PyTorch, if that was imported.
        """
        try:
            out, _ = self._process.communicate(
                timeout=max(0, deadline - time.monotonic())
            )
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._read(self._process.communicate()[0], None)
        return self._read(out, self._process.returncode)

    def _read(self, out: str, code: int | None) -> tuple[dict, list[str]]:
        done, devices, begun = {}, [], None
        for line in out.splitlines():
            with suppress(ValueError):  # cut off by the deadline
                word, *values = json.loads(line)
                if word == 'begin':
                    begun = values[0]
                elif word == 'end':
                    done[begun] = Failure(*values) if values else None
                else:
                    devices = values
        if code is not None and begun is not None and begun not in done:
            done[begun] = Failure(f'crashes ({_exit(code)})', _package(begun))
        return done, devices


def try_all(attempts: Sequence[str]) -> None:
    """Make attempts and write a line of JSON before and after each.

    Args:
        attempts (Sequence[str]): See the module.
    """
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what packages print is not for the parent

    def tell(*words) -> None:
        out.write(json.dumps(words) + '\n')
        out.flush()

    for attempt in attempts:
        kind, module = attempt.split()
        tell('begin', attempt)
        try:
            _KINDS[kind](module)
        except BaseException as error:
            tell('end', _one_line(error), _culprit(error, module))
        else:
            tell('end')
        if attempt == 'import torch' and 'torch' in sys.modules:
            with suppress(Exception):
                tell('devices', *_devices())


class _TorchWanted(BaseException):
    """Raised in place of importing PyTorch; no ``except ImportError`` catches it."""


class _TorchBarrier:
    """Finder that stops at PyTorch."""

    def find_spec(self, name, path=None, target=None):
        if name == 'torch':
            raise _TorchWanted
        return None


def _start(module: str) -> None:
    with _barrier(), suppress(_TorchWanted):
        importlib.import_module(module)


@contextmanager
def _barrier() -> Iterator[None]:
    finder = _TorchBarrier()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _link(module: str) -> None:
    """Load an extension module's library, which is linked with PyTorch's."""
    package, _, name = module.partition('.')
    files = list(_folder(package).glob(f'{name}*.so'))
    if not files:
        raise ImportError(f'{package} has no compiled operators ({module})')
    torch = _folder('torch') / 'lib' / 'libtorch_python.so'
    try:
        ctypes.CDLL(str(torch), ctypes.RTLD_GLOBAL)
    except OSError:
        return  # PyTorch's own import knows more places to look for libraries
    ctypes.CDLL(str(files[0]))


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f'No module named {package!r}', name=package)
    return Path(spec.submodule_search_locations[0])


_KINDS = {'import': importlib.import_module, 'start': _start, 'link': _link}


def _devices() -> list[str]:
    import torch

    names = ['cpu']
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            names.append(f'cuda:{index} ({torch.cuda.get_device_name(index)})')
    return names


def _one_line(error: BaseException) -> str:
    text = ' '.join(str(error).split())
    text = text if len(text) < 160 else text[:157] + '...'
    return f'{type(error).__name__}: {text}'


def _culprit(error: BaseException, module: str) -> str:
    """Top-level module that is missing or in whose code the error happened."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return error.name.partition('.')[0]
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        name = frame.f_globals.get('__name__', '').partition('.')[0]
        if name and name not in sys.stdlib_module_names and name != 'mmhot':
            return name
    return module.partition('.')[0]


def _package(attempt: str) -> str:
    return attempt.split()[1].partition('.')[0]


def _exit(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f'exit code {code}'
