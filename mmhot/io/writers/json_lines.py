"""JSON Lines files: one document per line, valid at any time while they grow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmhot.io.arrays import to_json


class JsonLines:
    """Append documents to a file; each line is written completely or not at all.

    A line that does not fit on the disk is removed again. Earlier content stays.

    Args:
        path (str | Path): File to create or extend.

    Raises:
        OSError: If it cannot be written; one line that names it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._naming_errors():
            self._file = self.path.open('ab+', buffering=0)
            if self._file.seek(0, os.SEEK_END):
                self._file.seek(-1, os.SEEK_END)
                if self._file.read(1) != b'\n':
                    self._append(b'\n')  # a crash cut the last line

    def __enter__(self) -> 'JsonLines':
        """Return the open file."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._file.close()

    def write(self, document: dict) -> str:
        """Append a document.

        Args:
            document (dict): Plain values, no NaN.

        Returns:
            str: The line, without the newline.

        Raises:
            OSError: If the disk is full; one line that names the file.
        """
        try:
            line = to_json(document)
        except ValueError as error:
            raise ValueError(f'{self.path}: a number is not finite') from error
        with self._naming_errors():
            self._append(f'{line}\n'.encode())
        return line

    def _append(self, data: bytes) -> None:
        size = self._file.seek(0, os.SEEK_END)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(size)
            raise

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(f'cannot write {self.path}: {error.strerror}') from error
