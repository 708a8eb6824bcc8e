"""JSON Lines files: one document per line, valid at any time while they grow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmhot.io.arrays import to_json


class JsonLines:
    """Append documents to a file; earlier content stays.

    Args:
        path (str | Path): File to create or extend.

    Raises:
        OSError: If it cannot be written; one line that names it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._naming_errors():
            self._file = self.path.open('ab', buffering=0)

    def __enter__(self) -> 'JsonLines':
        """Return the open file."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._file.close()

    def write(self, document: dict) -> str:
        """Append a document of plain values without NaN; return its line."""
        line = to_json(document)
        with self._naming_errors():
            self._file.write(f'{line}\n'.encode())
        return line

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(f'cannot write {self.path}: {error.strerror}') from error
