"""Error messages: prefixes with file names, and suggestions for mistyped names."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

_MAX_NAMES = 12


def require_file(path: str | Path) -> Path:
    """Return the path of an existing file; raise FileNotFoundError otherwise."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    return path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Prefix the errors of a block with the path that is being read.

    Raises:
        ValueError: The content is invalid.
        FileNotFoundError: The path does not exist.
        OSError: The path cannot be read.
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


def nearest_name(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to ``given``, None if none is."""
    near = get_close_matches(str(given), list(known), n=1, cutoff=0.5)
    return near[0] if near else None


def hint_at_names(given: str, known: Iterable[str], title: str = 'known') -> str:
    """Suggest a known name for a mistyped one.

    Args:
        given (str): The unknown name.
        known (Iterable[str]): The valid names.
        title (str): Label of the list if no name is similar. Defaults to 'known'.

    Returns:
        str: ``did you mean NAME?`` or ``TITLE: NAME, NAME, ...``.
    """
    known = list(known)
    near = nearest_name(given, known)
    if near is not None:
        return f'did you mean {near}?'
    return f'{title}: {", ".join(known[:_MAX_NAMES]) or "none"}'
