"""Devices of this machine, and processes of this Python."""

import ctypes
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec

from mmhot.errors import ArgumentError


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
    hint = ''
    if name.startswith('cuda') and 'cuda:0' not in devices:
        hint = (
            '; `nvidia-smi` and `mmhot doctor` say whether there is a GPU, and PyTorch '
            'for it'
        )
    text = '{device} must be one of %s, got %r%s'
    raise ArgumentError(text, ', '.join(devices), name, hint)


def python_command(code: str, *arguments: str, memory: int = 0) -> list[str]:
    """Return the command of a Python process that imports from where this one does.

    It ignores the folder in which it starts and Python's environment variables.

    Args:
        code (str): Program.
        *arguments: Its ``sys.argv[1:]``.
        memory (int): Limit of the address space in bytes, unless this process has a
            lower one; without effect on Windows. Defaults to 0, no limit.

    Returns:
        list[str]: Command for :mod:`subprocess`.
    """
    start = 'import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); '
    if memory and find_spec('resource'):
        start += 'import resource as r; lower = r.getrlimit(r.RLIMIT_AS); '
        start += f'limit = min([{memory}, *(x for x in lower if x >= 0)]); '
        start += 'r.setrlimit(r.RLIMIT_AS, (limit, limit)); '
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
