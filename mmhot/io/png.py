"""Pictures as PNG files."""

from pathlib import Path

import cv2
import numpy as np

from .atomic import replacing


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
