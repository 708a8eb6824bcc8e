"""Devices of this machine, and imports of packages that may be missing or broken."""

import ctypes
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType


def choose_device(name: str | None = None) -> str:
    """Check a device that PyTorch can use, or choose one.

    Args:
        name (str, optional): ``cpu``, ``cuda``, ``cuda:N`` or ``auto``, the default:
            the GPU if there is one.

    Raises:
        ValueError: If the device does not exist.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name in (None, 'auto'):
        return 'cuda' if gpus else 'cpu'
    known = ['cpu', *(f'cuda:{index}' for index in range(gpus))]
    if torch.backends.mps.is_available():
        known.append('mps')
    check_device(name, known)
    return name


def check_device(name: str, known: Sequence[str]) -> None:
    """Refuse a device that does not exist.

    Args:
        name (str): Device.
        known (Sequence[str]): Devices of this machine; ``cuda`` stands for any GPU.

    Raises:
        ValueError: If it is none of them.
    """
    if name not in known and not (name == 'cuda' and 'cuda:0' in known):
        raise ValueError(f'device must be one of {", ".join(known)}, got {name!r}')


def list_devices() -> list[str]:
    """List the devices that PyTorch can use, with the names of GPUs."""
    from torch import cuda

    count = cuda.device_count() if cuda.is_available() else 0
    names = [f'cuda:{index} ({cuda.get_device_name(index)})' for index in range(count)]
    return ['cpu', *names]


def list_devices_of_driver() -> list[str]:
    """List devices as NVIDIA's driver reports them, without PyTorch."""
    count = ctypes.c_int(0)
    with suppress(OSError):
        name = 'nvcuda.dll' if sys.platform == 'win32' else 'libcuda.so.1'
        driver = ctypes.CDLL(name)
        driver.cuInit(0)
        driver.cuDeviceGetCount(ctypes.byref(count))
    return ['cpu', *(f'cuda:{index}' for index in range(count.value))]


_CHILD = (
    'import json, sys; sys.path[:] = json.loads(sys.argv[1]); '
    'from mmhot.installation import import_all; import_all(sys.argv[2:])'
)


def import_extra(module: str, purpose: str, extra: str) -> ModuleType:
    """Import a package of an optional extra.

    Args:
        module (str): Module to import.
        purpose (str): Feature that needs it; begins the error message.
        extra (str): Extra of mmhot that installs it.

    Raises:
        ValueError: If the import fails, with the command that installs the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = ' '.join(str(error).split())
        raise ValueError(
            f"{purpose} needs {module} ({reason:.100}): pip install 'mmhot[{extra}]'"
        ) from error


def try_imports(
    modules: Sequence[str], seconds: float
) -> tuple[dict[str, str], list[str]]:
    """Import modules in another process until the time is over.

    Args:
        modules (Sequence[str]): Modules, the fast ones first.
        seconds (float): Time limit.

    Returns:
        tuple[dict[str, str], list[str]]: Error of each module that was reached, empty
        if it was imported, and the devices that models can run on.
    """
    process = subprocess.Popen(
        [sys.executable, '-c', _CHILD, json.dumps(sys.path), *modules],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding='utf-8',
    )
    try:
        output, crash = process.communicate(timeout=seconds)[0], 'crashes, exit code {}'
    except subprocess.TimeoutExpired:
        process.kill()
        output, crash = process.communicate()[0], ''
    outcomes, devices = {}, None
    for line in output.splitlines():
        with suppress(ValueError):  # the time limit cut the line
            module, *end = json.loads(line)
            outcomes[module] = end[0] if end else crash.format(process.returncode)
            devices = end[1] if len(end) > 1 else devices
            unfinished = module if not end else None
    if not crash and outcomes:
        outcomes.pop(unfinished, None)
    return outcomes, devices or list_devices_of_driver()


def import_all(modules: Sequence[str]) -> None:
    """Import modules; before each print its name as JSON, after it the error, too.

    Args:
        modules (Sequence[str]): Modules, in order.
    """
    out = os.fdopen(os.dup(1), 'w', buffering=1, encoding='utf-8')
    os.dup2(2, 1)  # packages print to stdout
    for module in modules:
        out.write(json.dumps([module]) + '\n')
        end = [module, '']
        try:
            importlib.import_module(module)
            end += [list_devices()] if module == 'torch' else []
        except BaseException as error:
            end[1] = f'{" ".join(f"{type(error).__name__}: {error}".split()):.160}'
        out.write(json.dumps(end) + '\n')
