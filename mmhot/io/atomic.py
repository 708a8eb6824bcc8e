"""Atomic writes: files that are replaced as a whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmhot.errors import escape, one_line

CACHE_FOLDER = '.mmhot-cache'
"""Folder of intermediate results, in that of the results."""
_PREFIX = '.mmhot-'


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write to a temporary file that replaces ``path`` when the block succeeds.

    The temporary file is in the same folder and has the same suffix, for writers that
    infer the format from it. On any exception, Ctrl-C included, it is removed and
    ``path`` stays as it was. Only a process that is killed leaves it behind.

    Args:
        path (str | os.PathLike): The file to create or replace.

    Yields:
        Path: An empty file to write to.

    Raises:
        OSError: If the folder is not writable or the disk is full; names ``path``.
    """
    path = Path(path)
    temporary = path.with_name(f'{_PREFIX}{secrets.token_hex(4)}{path.suffix}')
    try:
        if is_in_the_way(path):
            raise OSError(f'cannot write {escape(path)}: not an ordinary file')
        # unlike mkstemp this gives the permissions of any new file
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        with temporary.open('rb+') as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if _is_write_error(error, temporary):
            reason = one_line(error.strerror or error)
            raise OSError(f'cannot write {escape(path)}: {reason}') from error
        raise


def is_in_the_way(path: Path) -> bool:
    """Whether ``path`` exists and is no ordinary file."""
    return path.exists() and not path.is_file()


def _is_write_error(error: BaseException, temporary: Path) -> bool:
    """Whether an error came from writing: it names no file, or the temporary one."""
    if not isinstance(error, OSError) or error.errno is None:
        return False
    return error.filename is None or Path(str(error.filename)) == temporary
