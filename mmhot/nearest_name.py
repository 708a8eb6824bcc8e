"""Hints at the names that mistyped ones may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches

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
