"""Files that appear when they are complete, and encoded images."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a temporary file beside a file, then rename it.

    Args:
        path (str | Path): The file to create or replace; its folder is created.

    Yields:
        Path: The temporary file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def decode_image(data: bytes | np.ndarray, name: str) -> np.ndarray:
    """Decode the content of an image file.

    Args:
        data (bytes | np.ndarray): The content; as array uint8 (N,).
        name (str): The image's name in error messages.

    Returns:
        np.ndarray: BGR, uint8 (H, W, 3).

    Raises:
        ValueError: If the content is not an image.
    """
    values = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(values, cv2.IMREAD_COLOR) if len(values) else None
    if image is None:
        raise ValueError(f'{name} is not a readable image')
    return image


def read_image(path: Path) -> np.ndarray:
    """Read an image file as BGR uint8 (H, W, 3)."""
    return decode_image(path.read_bytes(), str(path))
