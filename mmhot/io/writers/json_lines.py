"""JSON Lines files: one document per line, valid at any time while they grow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmhot.io.arrays import to_json


@contextmanager
def json_lines(path: Path) -> Iterator[Callable[[dict], None]]:
    """Open a file to append documents of plain values; earlier lines stay."""
    with _naming_errors(path):
        file = path.open('ab', buffering=0)
    with file:

        def write(document: dict) -> None:
            with _naming_errors(path):
                file.write(f'{to_json(document)}\n'.encode('utf-8', 'backslashreplace'))

        yield write


@contextmanager
def _naming_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f'cannot write {path}: {error.strerror}') from error
