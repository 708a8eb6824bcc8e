"""Output folder: protection of inputs, cleaning."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from os.path import realpath
from pathlib import Path
from tempfile import TemporaryFile

from mmhot.errors import ArgumentError


def check_targets(
    targets: Iterable[tuple[object, Iterable[Path]]], read: Iterable[str | Path]
) -> None:
    """Check that results do not replace an input, a folder or each other.

    Args:
        targets (Iterable): For each input, its name in messages and the files that will
            be written.
        read (Iterable[str | Path]): All inputs.

    Raises:
        IsADirectoryError: If a file to write is a folder.
        ValueError: If a file to write is an input, or would be written twice.
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


@contextmanager
def results_folder(
    folder: Path,
    targets: Iterable[tuple[object, Iterable[Path]]],
    read: Iterable[str | Path],
) -> Iterator[None]:
    """Create a writable folder; remove it again if nothing was written to it.

    Args:
        folder (Path): The folder.
        targets (Iterable): See :func:`check_targets`.
        read (Iterable[str | Path]): See :func:`check_targets`.

    Raises:
        ArgumentError: If the folder cannot be written to.
        IsADirectoryError: See :func:`check_targets`.
        ValueError: See :func:`check_targets`.
    """
    check_targets(targets, read)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # Permissions alone do not show it.
            pass
    except OSError as error:
        raise ArgumentError(
            '{out_dir}: cannot write to %s: %s', folder, error.strerror
        ) from error
    try:
        yield
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()  # It fails, and the folder stays, unless it is empty.
