"""Imports packages in processes of their own, for as long as there is time.

A package can be complete and still crash when it is imported: compiled for another
PyTorch, without a system library, with another NumPy. Only importing tells, and that
takes seconds. It happens in other processes, which may crash or hang.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

_CODE = (
    'import json, sys; sys.path[:] = json.loads(sys.argv[1]); '
    'from mmhot.installation.import_probe import import_all; import_all(sys.argv[2:])'
)


@dataclass(frozen=True)
class Failure:
    """Why a module cannot be imported.

    Args:
        reason (str): The error, in one line.
        culprit (str): Top-level module in which it happened; itself or another.
    """

    reason: str
    culprit: str


class ImportProbe:
    """One process that imports modules in order.

    Args:
        modules (Sequence[str]): What to import.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = list(modules)
        self._process = subprocess.Popen(
            [sys.executable, '-c', _CODE, json.dumps(sys.path), *self.modules],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def results(self, deadline: float) -> tuple[dict[str, Failure | None], list[str]]:
        """Wait for the imports.

        Args:
            deadline (float): When to stop, by ``time.monotonic()``.

        Returns:
            tuple: What was imported, each with its failure or None, and a description
            of every device that PyTorch found (empty if it was not imported).
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
            done[begun] = Failure(f'crashes ({_exit(code)})', begun.partition('.')[0])
        return done, devices


def import_all(modules: Sequence[str]) -> None:
    """Import modules and write a line of JSON before and after each.

    Args:
        modules (Sequence[str]): What to import, in order.
    """
    out = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what packages print is not for the parent

    def tell(*words) -> None:
        out.write(json.dumps(words) + '\n')
        out.flush()

    for module in modules:
        tell('begin', module)
        try:
            importlib.import_module(module)
        except BaseException as error:
            tell('end', _one_line(error), _culprit(error, module))
        else:
            tell('end')
        if module == 'torch' and 'torch' in sys.modules:
            with suppress(Exception):
                tell('devices', *_devices())


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
        if name not in ('', 'importlib', 'mmhot', '_frozen_importlib', 'ctypes'):
            return name
    return module.partition('.')[0]


def _exit(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f'exit code {code}'
