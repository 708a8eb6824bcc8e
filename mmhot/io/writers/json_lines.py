"""Files of one JSON document a line, which grow and are whole at any time."""

import json
import os
from pathlib import Path
from types import TracebackType

# Windows would write \r\n in place of \n.
_BINARY = getattr(os, 'O_BINARY', 0)


class JsonLines:
    """Appends lines to a file.

    Each line is written at once or not at all, whatever ends the program; one that
    does not fit on the disk is taken back. What was in the file stays.

    Args:
        path (str | Path): The file, created if it is not there.

    Raises:
        OSError: If it cannot be written to; one line that names it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY
            self._file = os.open(path, flags, 0o666)
            self._size = os.fstat(self._file).st_size
            if self._size and self._last_byte() != b'\n':
                self._append(b'\n')  # the machine went down within a line
        except OSError as error:
            raise self._explain(error) from error

    def __enter__(self) -> 'JsonLines':
        """Return the open file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        os.close(self._file)

    def write(self, document: dict) -> str:
        """Append a document.

        Args:
            document (dict): Plain values; no NaN.

        Returns:
            str: Its line, without the newline.

        Raises:
            OSError: If the disk is full or gone; one line that names the file.
        """
        line = json.dumps(document, allow_nan=False, ensure_ascii=False)
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
