"""Imports of packages that may be missing or broken."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType

from mmhot.installation.devices import list_devices, list_devices_of_driver

_CHILD = (
    'import json, sys; sys.path[:] = json.loads(sys.argv[1]); '
    'from mmhot.installation.imports import import_all; import_all(sys.argv[2:])'
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
