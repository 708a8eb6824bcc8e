"""Errors of reading that name the file, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put ``path`` in front of what goes wrong inside the block.

    Args:
        path (Path): The file or folder that is being read.

    Raises:
        ValueError: Its content is wrong.
        FileNotFoundError: It is not there.
        OSError: It cannot be read.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{path}: {" ".join(str(error).split())}') from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{path}: no such file or folder') from error
    except OSError as error:
        reason = ' '.join(str(error.strerror or error).split())
        raise OSError(f'{path}: cannot be read ({reason})') from error
