"""Contents of picture files."""

import cv2
import numpy as np


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
