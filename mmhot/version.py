"""Version of the package, and of its code."""

import hashlib
import secrets
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

__version__ = '0.3.0'


@cache
def digest_of_code(*rooms: str) -> str:
    """Return a digest of mmhot's sources, or of the sources of some of its rooms.

    Names of cached results contain it, so that changed code computes them anew.

    Args:
        *rooms (str): Names of subpackages, such as ``'chain/tracking'``.
    """
    root = Path(__file__).parent
    folders = [root / room for room in rooms] or [root]
    files = [x for folder in folders for x in sorted(folder.rglob('*.py'))]
    return _digest(root, files)


def digest_of_part(part: type | Callable) -> str:
    """Return a digest of the sources of the package that defines a class or function.

    A module that is in no package is digested alone.
    """
    return _digest_of_package(part.__module__.partition('.')[0])


@cache
def _digest_of_package(name: str) -> str:
    """Return a digest of the sources of a top-level package or module."""
    module = sys.modules[name]
    if not getattr(module, '__file__', None):
        return secrets.token_hex(8)  # a notebook's cells may change: nothing is reused
    file = Path(module.__file__ or '')
    is_package = hasattr(module, '__path__')
    files = sorted(file.parent.rglob('*.py')) if is_package else [file]
    return _digest(file.parent, files)


def _digest(root: Path, files: Iterable[Path]) -> str:
    """Return a digest of the names, relative to a root, and contents of files."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
