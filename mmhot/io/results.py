"""Folder of results, and what they must not overwrite."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from os.path import realpath
from pathlib import Path
from tempfile import TemporaryFile

from mmhot.errors import ArgumentError
from mmhot.io.atomic import CACHE_FOLDER, sweep


def check_targets(
    targets: Iterable[tuple[object, Iterable[Path]]], read: Iterable[str | Path]
) -> None:
    """Refuse to write over an input, over a folder, or twice to one file.

    ``targets`` are for each input its name in messages and the files to write.
    """
    inputs = {realpath(path) for path in read}
    sources: dict[str, object] = {}
    for source, files in targets:
        for file, target in {realpath(file): file for file in files}.items():
            if target.is_dir():
                raise IsADirectoryError(
                    f'{target} is a folder: a file of this name would be written'
                )
            if file in inputs and target.exists():
                raise ValueError(
                    f'{target} is an input and would be overwritten by a result'
                )
            if file in sources:
                raise ValueError(
                    f'{sources[file]} and {source} would both be written as '
                    f'{target.name}: run them one by one into different folders'
                )
            sources[file] = source


def lock(file: RawIOBase, path: Path) -> None:
    """Refuse a file to which another process appends; its end releases the lock.

    Windows has no such locks. There, the lines of both processes are in the file.
    """
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArgumentError(
                'another stream writes %s: choose another {out_dir}', path
            ) from error


@contextmanager
def results_folder(
    folder: Path,
    targets: Iterable[tuple[object, Iterable[Path]]],
    read: Iterable[str | Path],
) -> Iterator[None]:
    """Create a writable folder; remove it again if nothing was written to it.

    The other arguments are passed to :func:`check_targets`.
    """
    check_targets(targets, read)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # permissions alone do not show it
            pass
    except OSError as error:
        raise ArgumentError(
            '{out_dir}: cannot write to %s: %s', folder, error.strerror
        ) from error
    sweep(folder)
    sweep(folder / CACHE_FOLDER)
    try:
        yield
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()  # it fails, and is kept, unless it is empty
