"""Files that must be there."""

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
