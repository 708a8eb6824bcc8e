"""Read and write image files."""

from pathlib import Path

import cv2
import numpy as np

from mmhot.io.atomic import replacing


def decode_image(data: bytes | np.ndarray, name: str) -> np.ndarray:
    """Decode a picture file's content, turned as it says.

    Args:
        data (bytes | np.ndarray): The content; as array uint8 (N,).
        name (str): What errors call it.

    Returns:
        np.ndarray: BGR, uint8 (H, W, 3).

    Raises:
        ValueError: If it is no picture.
    """
    values = np.frombuffer(data, np.uint8)
    image = cv2.imdecode(values, cv2.IMREAD_COLOR) if len(values) else None
    if image is None:
        raise ValueError(f'{name} is no readable picture')
    return image


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Create or replace a PNG file; it is never there in part.

    Args:
        path (str | Path): The file.
        image (np.ndarray): Picture, (H, W, 3) uint8, blue, green, red.
    """
    with replacing(path) as temporary:
        encoded, data = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        assert encoded
        temporary.write_bytes(data.tobytes())
