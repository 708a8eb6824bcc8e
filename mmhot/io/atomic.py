"""Writing of files: replaced as a whole or not at all, and never over an input."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmhot.errors import escape, one_line

CACHE_FOLDER = '.mmhot-cache'
"""Folder of intermediate results, in that of the results."""


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Write to a temporary file that replaces ``path`` when the block succeeds.

    The temporary file is in the same folder and has the same suffix, for writers that
    infer the format from it. On any exception, Ctrl-C included, it is removed and
    ``path`` stays as it was.

    Args:
        path (str | os.PathLike): The file to create or replace.

    Yields:
        Path: An empty file to write to.

    Raises:
        OSError: If the file cannot be written or the disk is full; names ``path``.
    """
    path = Path(path)
    temporary = path.with_name(f'.mmhot-{secrets.token_hex(4)}{path.suffix}')
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open('rb+') as file:
            os.fsync(file.fileno())  # reports a full disk
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        is_write_error = isinstance(error, OSError) and error.errno is not None
        if is_write_error and error.filename in (None, str(temporary)):
            reason = one_line(error.strerror or error)
            raise OSError(f'cannot write {escape(path)}: {reason}') from error
        raise


def check_targets(
    targets: Iterable[tuple[object, Iterable[Path]]], read: Iterable[str | Path]
) -> None:
    """Refuse to write over an input, over a folder, or twice to one file.

    Args:
        targets (Iterable[tuple[object, Iterable[Path]]]): For each input its name in
            messages and the files to write.
        read (Iterable[str | Path]): Paths that are read.

    Raises:
        IsADirectoryError: If a folder is in the way.
        ValueError: If an input would be overwritten, or two inputs write one file.
    """
    inputs = {Path(path).resolve() for path in read}
    sources: dict[Path, object] = {}
    for source, files in targets:
        for file, target in {file.resolve(): file for file in files}.items():
            if file.is_dir():
                raise IsADirectoryError(f'{target} is a folder: a file is written here')
            if file in inputs and file.exists():
                raise ValueError(
                    f'{target} is an input and would be overwritten by a result'
                )
            if file in sources:
                raise ValueError(
                    f'{sources[file]} and {source} would both be written as {target}: '
                    'run them one by one into different folders'
                )
            sources[file] = source
