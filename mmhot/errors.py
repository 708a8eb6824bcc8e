"""Error messages: the file that cannot be read, and names close to a mistyped one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path


def require_file(path: str | Path) -> Path:
    """Return a file's path.

    Args:
        path (str | Path): The file.

    Raises:
        FileNotFoundError: If there is no such file; one line that names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    return path


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


_SHOWN = 12


def nearest_name(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to a given one, if any is near."""
    near = get_close_matches(str(given), list(known), n=1, cutoff=0.5)
    return near[0] if near else None


def hint_at_names(given: str, known: Iterable[str], title: str = 'known') -> str:
    """Word what is known: the nearest name or, where none is near, the first ones.

    Args:
        given (str): The unknown name.
        known (Iterable[str]): The names that would have been right.
        title (str): What to call them where none is near.

    Returns:
        str: ``did you mean NAME?`` or ``TITLE: NAME, NAME, ...``.
    """
    known = list(known)
    near = nearest_name(given, known)
    if near is not None:
        return f'did you mean {near}?'
    return f'{title}: {", ".join(known[:_SHOWN]) or "none"}'
