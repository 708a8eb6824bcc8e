"""Devices of this machine, and packages of optional extras."""

import ctypes
import importlib
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from types import ModuleType

from mmhot.errors import ArgumentError, install_extra, one_line


def choose_device(name: str | None = None) -> str:
    """Return a device that PyTorch can use; 'auto' is the GPU if there is one."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name in (None, 'auto'):
        return 'cuda' if gpus else 'cpu'
    devices = ['cpu', *(f'cuda:{index}' for index in range(gpus))]
    if torch.backends.mps.is_available():
        devices.append('mps')
    check_device(name, devices)
    return name


def check_device(name: str, devices: Sequence[str]) -> None:
    """Raise a ValueError if a device is not listed; ``cuda`` stands for any GPU."""
    if name in devices or (name == 'cuda' and 'cuda:0' in devices):
        return
    text = '{device} must be one of %s, got %r'
    if name.startswith('cuda') and 'cuda:0' not in devices:
        text += '; `nvidia-smi` and `mmhot doctor` say whether there is a GPU, and '
        text += 'PyTorch for it'
    raise ArgumentError(text, ', '.join(devices), name)


def python_command(
    code: str, *arguments: str, cpu_seconds: int = 0, memory: int = 0
) -> list[str]:
    """Return the command of a Python process that imports from where this one does.

    Nothing is imported from the folder in which it starts, or named by the environment.
    ``code`` finds ``arguments`` in ``sys.argv[1:]``. The CPU time and the address space
    in bytes have limits, 0 for none, or those of this process if these are lower;
    Windows has none.
    """
    start = 'import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); '
    if find_spec('resource'):
        for kind, limit in (('CPU', cpu_seconds), ('AS', memory)):
            if limit:
                start += f'import resource as r; kind = r.RLIMIT_{kind}; '
                start += (
                    f'lower = [x for x in r.getrlimit(kind) if x >= 0] + [{limit}]; '
                )
                start += 'r.setrlimit(kind, [min(lower)] * 2); '
    path = json.dumps([folder for folder in sys.path if folder])
    return [sys.executable, '-I', '-c', start + code, path, *arguments]


def list_devices_of_driver() -> list[str]:
    """List devices as NVIDIA's driver reports them, without PyTorch."""
    count = ctypes.c_int(0)
    with suppress(OSError):
        name = 'nvcuda.dll' if sys.platform == 'win32' else 'libcuda.so.1'
        driver = ctypes.CDLL(name)
        driver.cuInit(0)
        driver.cuDeviceGetCount(ctypes.byref(count))
    return ['cpu', *(f'cuda:{index}' for index in range(count.value))]


def import_extra(module: str, purpose: str, extra: str) -> ModuleType:
    """Import a module of an optional extra of mmhot."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        need = f'{purpose} needs {module} ({one_line(error):.100})'
        raise ValueError(f'{need}: {install_extra(extra)}') from error
