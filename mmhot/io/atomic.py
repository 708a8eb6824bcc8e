"""Atomic writes: files that are replaced as a whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mmhot.errors import escape, one_line

CACHE_FOLDER = '.mmhot-cache'
"""Folder of intermediate results, in the folder of results."""


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write to a temporary file that replaces ``path`` when the block succeeds.

    The temporary file is in the same folder and has the same suffix, for writers that
    infer the format from it. On any exception, Ctrl-C included, it is removed and
    ``path`` stays as it was.

    Args:
        path (str | os.PathLike): The file to create or replace.

    Yields:
        Path: The temporary file, which is empty.

    Raises:
        OSError: If the file cannot be written or the disk is full. The message names
            ``path``.

    Example::

        with replacing('walk.npz') as temporary:
            temporary.write_bytes(content)
    """
    path = Path(path)
    temporary = path.with_name(f'.mmhot-{secrets.token_hex(4)}{path.suffix}')
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open('rb+') as file:
            os.fsync(file.fileno())  # It reports a full disk.
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if (
            isinstance(error, OSError)
            and error.errno is not None
            and error.filename in (None, str(temporary))
        ):
            raise OSError(
                f'cannot write {escape(path)}: {one_line(error.strerror or error)}'
            ) from error
        raise


@contextmanager
def replacing_text(path: str | os.PathLike) -> Iterator[TextIO]:
    """Open a text file in UTF-8 that replaces ``path``, see :func:`replacing`.

    Newlines are not converted. Lone surrogates, by which Python represents file names
    that are not UTF-8, are escaped.
    """
    with (
        replacing(path) as temporary,
        temporary.open(
            'w', encoding='utf-8', errors='backslashreplace', newline=''
        ) as file,
    ):
        yield file
