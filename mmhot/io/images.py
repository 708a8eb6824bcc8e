"""Image files: sizes from headers, decoding, writing. Opening of videos."""

from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmhot.errors import escape, ignored_warnings, require_file
from mmhot.io.arrays import read_limited
from mmhot.io.atomic import replacing

MAX_PIXELS = 64_000_000
"""Pixels of the largest image or frame that is read by default."""
_IMAGE_SUFFIXES = {'.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff'}
# OpenCV crops and warps no longer sides, and detectors scale them to some 300 pixels.
_MAX_SIDE, _MAX_ASPECT = 32_766, 100
# Image files may have this many bytes per pixel of the limit, and further ones.
_MAX_PIXEL_BYTES, _MAX_METADATA = 8, 64 << 20


def is_image(name: str | Path) -> bool:
    """Return whether a file name is that of an image."""
    return Path(name).suffix.lower() in _IMAGE_SUFFIXES


def read_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image file upright (EXIF), as BGR uint8 (H, W, 3).

    Args:
        path (str | Path): The file.
        max_pixels (int): Larger images are refused by their header.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image, or too large.
    """
    path, name = require_file(path), escape(path)
    with path.open('rb') as file:
        size = encoded_size(file)
    if size is None:
        raise ValueError(f'{name} is no readable image')
    check_pixels(*size, max_pixels, name)
    limit = _MAX_PIXEL_BYTES * max_pixels + _MAX_METADATA
    # imread takes no names that the system's encoding lacks
    return decode_image(read_limited(path, limit), name)


def check_pixels(width: float, height: float, limit: int, name: str) -> None:
    """Raise ValueError for images of too many pixels, too long or too narrow."""
    if max(width, height) > min(_MAX_SIDE, _MAX_ASPECT * min(width, height)):
        raise ValueError(
            f'{name} has {width:.0f}x{height:.0f} pixels: at most {_MAX_SIDE} per side '
            f'are read, and {_MAX_ASPECT} times the other side'
        )
    if width * height > limit:
        raise ValueError(
            f'{name} has {width:.0f}x{height:.0f} pixels: at most {limit / 1e6:g} '
            'million are read'
        )


def decode_image(data: bytes | np.ndarray, name: str) -> np.ndarray:
    """Decode the first image of a file's content and apply its EXIF orientation.

    Args:
        data (bytes | np.ndarray): The content; as array uint8 (N,).
        name (str): The image's name in error messages.

    Returns:
        np.ndarray: BGR, uint8 (H, W, 3).

    Raises:
        ValueError: If the content is no image.
    """
    import cv2

    values, image = np.frombuffer(data, np.uint8), None
    with suppress(cv2.error):  # of more than 2^30 pixels, among others
        image = cv2.imdecode(values, cv2.IMREAD_COLOR) if len(values) else None
    if image is None:
        raise ValueError(f'{name} is no readable image')
    return image


def encoded_size(file: BinaryIO) -> tuple[int, int] | None:
    """Read width and height of an image file from its header; None if it has none.

    Pillow's own function refuses large images without stating their size.
    """
    from PIL import Image

    start = file.read(32)
    if start[8:12] == b'WEBP':
        return _webp_size(start)
    for name in ('Png', 'Jpeg', 'Bmp', 'Tiff'):
        import_module(f'PIL.{name}ImagePlugin')
        open_image, accepts = Image.OPEN[name.upper()]
        if accepts(start):
            file.seek(0)
            # damaged headers raise nearly anything
            with suppress(Exception), ignored_warnings():
                return open_image(file, '').size
    return None


def _webp_size(start: bytes) -> tuple[int, int] | None:
    """Read the size of a WebP file; Pillow would allocate the image."""
    kind, number = start[12:16], partial(int.from_bytes, byteorder='little')
    if kind == b'VP8X':
        return number(start[24:27]) + 1, number(start[27:30]) + 1
    if kind == b'VP8L':
        bits = number(start[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b'VP8 ':
        return number(start[26:28]) & 0x3FFF, number(start[28:30]) & 0x3FFF
    return None


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write a PNG file.

    Args:
        path (str | Path): The file to create or replace.
        image (np.ndarray): BGR, uint8 (H, W, 3).
    """
    import cv2

    with replacing(path) as temporary:
        encoded, data = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        assert encoded
        temporary.write_bytes(data.tobytes())


def open_media(file: str, **options: Any) -> Any:
    """Open a video, sound or stream for reading, with titles of any encoding.

    Args:
        file (str): Path or URL.
        **options: Of ``av.open``.

    Returns:
        av.container.InputContainer: The opened file.
    """
    import av

    if int(av.__version__.partition('.')[0]) < 19:  # raises for titles not in UTF-8
        options['metadata_errors'] = 'replace'
    return av.open(file, **options)
