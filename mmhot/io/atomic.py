"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write to a temporary neighbor that becomes ``path`` only on success.

    The temporary file lies in the same folder and keeps the suffix, for writers
    that choose the format by it. Whatever ends the block early, Ctrl-C included,
    removes it and leaves an existing ``path`` as it was.

    Args:
        path (str | os.PathLike): The file to create or replace.

    Yields:
        Path: An empty file to write to.

    Raises:
        OSError: The folder cannot be written to, or the disk is full; one line
            that names ``path``.
    """
    path = Path(path)
    temporary = path.with_name(f'.mmhot-{secrets.token_hex(4)}{path.suffix}')
    try:
        if is_in_the_way(path):
            raise OSError(f'cannot write {path}: not an ordinary file')
        # Unlike mkstemp this gives the permissions of any new file.
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open('rb+') as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if _is_about(temporary, error):
            reason = ' '.join(str(error.strerror or error).split())
            raise OSError(f'cannot write {path}: {reason}') from error
        raise


def is_in_the_way(path: Path) -> bool:
    """Tell whether something is there that :func:`replacing` refuses to replace."""
    return path.exists() and not path.is_file()


def _is_about(temporary: Path, error: BaseException) -> bool:
    """Tell a failed write (the system names no file, or ours) from other errors."""
    if not isinstance(error, OSError) or error.errno is None:
        return False
    return error.filename is None or Path(str(error.filename)) == temporary
