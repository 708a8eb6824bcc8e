"""What a machine must have for the environment: asked before anything is downloaded."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

MEMORY_GB_PER_JOB = 2


class SetupError(Exception):
    """What keeps the environment from being made, in one line."""


def check_python(wanted: tuple[int, int]) -> None:
    """Ask for this version of Python, with all that makes virtual environments."""
    name = '.'.join(map(str, wanted))
    if sys.version_info[:2] != wanted:
        version = '.'.join(map(str, sys.version_info[:3]))
        raise SetupError(
            f'Python {name} is needed, and this is {version}: install it, or name it '
            f'with make PYTHON=/path/to/python{name}'
        )
    try:
        import ensurepip  # noqa: F401  Debian packages it apart
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            "Python's venv module is incomplete: install it (on Debian and Ubuntu: apt "
            f'install python{name}-venv)'
        ) from None


def check_compiler() -> None:
    """Ask for what compiles MMCV's operators."""
    compilers = [os.environ.get('CXX', '').partition(' ')[0], 'c++', 'g++']
    if not any(name and shutil.which(name) for name in compilers):
        raise SetupError(
            'a C++ compiler is needed to compile MMCV: install one (on Debian and '
            'Ubuntu: apt install g++)'
        )
    if not Path(sysconfig.get_paths()['include'], 'Python.h').is_file():
        raise SetupError(
            "Python's headers are needed to compile MMCV: install them (on Debian and "
            'Ubuntu: apt install python3.11-dev)'
        )


def check_disk(folder: Path, needed: float) -> None:
    """Ask for free disk space, in GB."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise SetupError(
            f'{needed:g} GB of disk space are needed in {folder}, and there are only '
            f'{free:.1f} GB'
        )


def compile_jobs() -> int:
    """Return how many files to compile at once: what cores and memory allow."""
    if hasattr(os, 'sched_getaffinity'):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9
    return max(1, min(cores, int(memory / MEMORY_GB_PER_JOB)))
