"""What tells one 2D model from another, for results that are kept."""

from pathlib import Path
from typing import Any


def identify(name: str, weights: str | Path, **options: Any) -> dict[str, Any]:
    """Describe a model by plain values.

    Args:
        name (str): Its name.
        weights (str | Path): Its file, or an address.
        **options (Any): Everything else that changes what it finds.

    Returns:
        dict[str, Any]: For JSON; another if the file was changed.
    """
    facts: dict[str, Any] = {'name': name, 'weights': str(weights), **options}
    path = Path(weights)
    if path.is_file():
        status = path.stat()
        facts['weights'] = str(path.resolve())
        facts['file'] = [status.st_size, status.st_mtime_ns]
    return facts
