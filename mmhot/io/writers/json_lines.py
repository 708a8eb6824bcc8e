"""JSON Lines files: one document per line, valid at any time while they grow."""

import json
import os
from pathlib import Path

# Windows would write \r\n instead of \n.
_BINARY = getattr(os, 'O_BINARY', 0)


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
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY
            self._file = os.open(path, flags, 0o666)
            self._size = os.fstat(self._file).st_size
            if self._size and self._last_byte() != b'\n':
                self._append(b'\n')  # a crash cut the last line
        except OSError as error:
            raise self._explain(error) from error

    def __enter__(self) -> 'JsonLines':
        """Return the open file."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        os.close(self._file)

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
            line = json.dumps(document, allow_nan=False, ensure_ascii=False)
        except ValueError as error:
            raise ValueError(f'{self.path}: a number is not finite') from error
        try:
            self._append(f'{line}\n'.encode())
        except OSError as error:
            raise self._explain(error) from error
        return line

    def _last_byte(self) -> bytes:
        os.lseek(self._file, -1, os.SEEK_END)  # Windows has no pread
        return os.read(self._file, 1)

    def _append(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def _explain(self, error: OSError) -> OSError:
        return OSError(f'cannot write {self.path}: {error.strerror}')
