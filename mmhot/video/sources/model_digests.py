"""What tells one model from another, for results that are kept."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn


def identify(name: str, weights: str | Path, **options: Any) -> dict[str, Any]:
    """Describe a model by plain values.

    Args:
        name (str): Its name.
        weights (str | Path): Its file, or what else tells its weights.
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


def fingerprint(model: nn.Module, *settings: object) -> str:
    """Tell a model's weights, and how it is set, from all others.

    Weights that come with mmhot keep their name when they change, and downloaded ones
    their address: only what is in them tells.

    Args:
        model (nn.Module): With its weights.
        *settings (object): What else matters, such as parts of its config; written
            alike if equal.

    Returns:
        str: A SHA-256 in hexadecimal.
    """
    content = hashlib.sha256(repr(settings).encode())
    for value in model.state_dict().values():
        content.update(np.ascontiguousarray(value.cpu().numpy()))
    return content.hexdigest()
