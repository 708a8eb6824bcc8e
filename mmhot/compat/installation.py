"""Devices of this machine, and commands of other Python processes."""

import ctypes
import json
import sys
from collections.abc import Sequence
from contextlib import suppress

from mmhot.errors import ArgumentError

# Start of the programs of `python_command`
_SET_PATH = 'import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); '


def choose_device(name: str | None = None) -> str:
    """Return a device that PyTorch can use.

    Args:
        name (str, optional): 'cpu', 'cuda', 'cuda:N', 'mps', or 'auto' for a GPU if
            there is one. Defaults to 'auto'.

    Returns:
        str: Its name for PyTorch.

    Raises:
        ValueError: If PyTorch has no such device here.
    """
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
    """Raise a ValueError unless there is a device.

    Args:
        name (str): Device that is asked for; ``cuda`` is the first GPU.
        devices (Sequence[str]): Devices that there are.
    """
    has_gpu = 'cuda:0' in devices
    if name in devices or (name == 'cuda' and has_gpu):
        return
    hint = ''
    if name.startswith('cuda') and not has_gpu:
        hint = (
            '; `nvidia-smi` shows whether there is a GPU, and `mmhot doctor` whether '
            'PyTorch can use it'
        )
    raise ArgumentError(
        '{device} must be one of %s, got %r%s', ', '.join(devices), name, hint
    )


def python_command(code: str, *arguments: str) -> list[str]:
    """Return a command that runs a program in another process of this Python.

    The process imports from the same folders as this one. It ignores the folder in
    which it starts, and Python's environment variables.

    Args:
        code (str): Program.
        *arguments: Its ``sys.argv[1:]``.

    Returns:
        list[str]: Command for :mod:`subprocess`.

    Example::

        subprocess.run(python_command('import mmhot; print(sys.argv)', 'walk.mp4'))
    """
    path = json.dumps([folder for folder in sys.path if folder])
    return [sys.executable, '-I', '-c', _SET_PATH + code, path, *arguments]


def list_devices_of_driver() -> list[str]:
    """List the CPU and the GPUs of NVIDIA's driver, as PyTorch names them.

    PyTorch is not imported, and may lack support for the GPUs.
    """
    count = ctypes.c_int(0)
    with suppress(OSError):
        name = 'nvcuda.dll' if sys.platform == 'win32' else 'libcuda.so.1'
        driver = ctypes.CDLL(name)
        driver.cuInit(0)
        driver.cuDeviceGetCount(ctypes.byref(count))
    return ['cpu', *(f'cuda:{index}' for index in range(count.value))]
