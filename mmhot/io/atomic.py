"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write to a temporary neighbour that becomes ``path`` only on success.

    The temporary name lies in the same folder and keeps the suffix, for writers
    that choose the format by it. Whatever ends the block early, Ctrl-C included,
    removes the temporary file and leaves an existing ``path`` as it was.

    Args:
        path (str | os.PathLike): The file to create or replace.

    Yields:
        Path: An empty file to write to.

    Raises:
        OSError: The folder cannot be written to, or the disk is full; one line
            that names ``path``.
    """
    path = Path(path)
    temporary = path.with_name(
        f'.{path.stem[:80]}.{secrets.token_hex(4)}{path.suffix[:16]}'
    )
    try:
        if path.is_dir():
            raise IsADirectoryError('it is a folder')
        # 'x' gives the permissions of an ordinary new file, unlike mkstemp.
        with temporary.open('xb'):
            pass
        yield temporary
        with temporary.open('rb+') as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            reason = ' '.join(str(error.strerror or error).split())
            raise type(error)(f'cannot write {path}: {reason}') from error
        raise
