"""Version of the package, and of its code."""

import hashlib
import secrets
import sys
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

__version__ = '0.2.0'


@cache
def digest_of_code(*rooms: str) -> str:
    """Return a digest of the sources of rooms of mmhot, by default of all.

    Whatever is kept for later runs is named by the sources that decide it.
    """
    root = Path(__file__).parent
    return _digest(
        root,
        (x for room in rooms or ('.',) for x in sorted((root / room).rglob('*.py'))),
    )


def digest_of_part(part: object) -> str:
    """Return a digest of the sources of the package that defines a class or function.

    A module that is in no package is digested alone.
    """
    while isinstance(part, partial):
        part = part.func
    return _digest_of_package(part.__module__.partition('.')[0])


@cache
def _digest_of_package(name: str) -> str:
    module = sys.modules[name]
    if not getattr(module, '__file__', None):
        return secrets.token_hex(8)  # a notebook's cells may change: nothing is reused
    file = Path(module.__file__ or '')
    is_package = hasattr(module, '__path__')
    files = sorted(file.parent.rglob('*.py')) if is_package else [file]
    return _digest(file.parent, files)


def _digest(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
