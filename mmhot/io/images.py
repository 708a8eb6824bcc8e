"""Image files: size, decoding and writing; opening of videos."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from mmhot.errors import escape, ignored_warnings, require_file

MAX_PIXELS = 64_000_000
"""Pixels of the largest image or frame that is read."""
_KINDS = ('PNG', 'JPEG', 'BMP', 'TIFF', 'WEBP')
_IMAGE_SUFFIXES = {'.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff'}
_EXIF_ORIENTATION = 0x0112
_EXIF_CAMERA = 0x8769  # directory of the camera's settings
_FOCAL_35MM = 0xA405  # entry there: focal length in millimeters on 35 mm film

# FFmpeg's network protocols. Its protocols that read local files are not among them.
_PROTOCOLS = (
    'http,https,httpproxy,tcp,tls,crypto,udp,udplite,rtp,rtsp,rtmp,rtmps,rtmpt,srt,srtp'
)
# FFmpeg's formats of files that name other files or addresses, or contain text.
_LISTS = {
    *('concat', 'dash', 'hls', 'image2', 'imf', 'lavfi', 'rtp', 'rtsp', 'sap', 'sdp'),
    *('tty', 'vobsub', 'webm_dash_manifest'),
}
_REFUSED = 'it may be a list of other files, which are not opened: convert it to .mp4'


def is_image(name: str | Path) -> bool:
    """Return whether a file name has the ending of an image.

    >>> is_image('a.JPG'), is_image('a.mp4')
    (True, False)
    """
    return Path(name).suffix.lower() in _IMAGE_SUFFIXES


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file and turn it upright by its EXIF orientation.

    Returns:
        np.ndarray: The image, BGR, uint8, (H, W, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not an image, or too large according to its header.
    """
    import cv2

    path = require_file(path)
    name = escape(path)
    image = None
    size = image_size(path)
    if size is not None:  # Pillow refuses images of more than 179 million pixels.
        check_pixels(*size, name)
        # imread cannot open names that the system's encoding lacks.
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(
            f'{name} is not a readable image of at most {MAX_PIXELS / 1e6:g} million '
            'pixels'
        )
    return image


def _inspect(path: Path, function: Callable[[Any], Any]) -> Any:
    """Apply a function to an image opened by Pillow; None if the image is damaged."""
    from PIL import Image  # not needed for videos

    # Damaged headers raise nearly any error.
    with (
        suppress(Exception),
        ignored_warnings(),
        Image.open(path, 'r', _KINDS) as image,
    ):
        return function(image)
    return None


def check_pixels(width: float, height: float, name: str) -> None:
    """Raise a ValueError if an image has too many pixels.

    Args:
        width (float): Width in pixels.
        height (float): Height in pixels.
        name (str): Name of the image in the message.

    Raises:
        ValueError: If there are more than ``MAX_PIXELS``.
    """
    if width * height > MAX_PIXELS:
        raise ValueError(
            f'{name} has {width:.0f}x{height:.0f} pixels: at most {MAX_PIXELS / 1e6:g} '
            'million are read'
        )


def image_size(path: Path) -> tuple[int, int] | None:
    """Read the width and height of an upright image in pixels from its header.

    The result is None if the header is damaged.
    """

    def upright(image: Any) -> tuple[int, int]:
        is_turned = _exif_of(image).get(_EXIF_ORIENTATION, 1) > 4
        return image.size[::-1] if is_turned else image.size

    return _inspect(path, upright)


def read_focal_35mm(path: Path) -> float | None:
    """Read a photo's 35 mm equivalent focal length in millimeters (EXIF), or None."""

    def focal_length(image: Any) -> float:
        return float(_exif_of(image).get_ifd(_EXIF_CAMERA)[_FOCAL_35MM])

    return _inspect(path, focal_length) or None  # 0 stands for an unknown length.


def _exif_of(image: Any) -> Any:
    # PngImageFile.getexif would decode the image.
    return PIL.Image.Image.getexif(image)


def open_media(file: str, **settings: Any) -> Any:
    """Open a video, sound or stream by ``av.open``, with titles in any encoding.

    A file cannot refer to other files or addresses. An address can refer to other
    addresses, as playlists do, but not to local files.

    Args:
        file (str): Path or address.
        **settings: Further arguments of ``av.open``.

    Returns:
        av.container.InputContainer: The opened file.

    Raises:
        OSError: If it cannot be read, or is a list of files.
    """
    import av

    if int(av.__version__.partition('.')[0]) < 19:
        # By default, titles that are not UTF-8 raise an error.
        settings['metadata_errors'] = 'replace'
    if '://' in file:
        limits = {'protocol_whitelist': _PROTOCOLS}
    else:
        names = {*','.join(av.formats_available).split(',')}
        formats = ','.join(sorted(names - _LISTS))
        limits = {'protocol_whitelist': 'file', 'format_whitelist': formats}
    settings['options'] = {**settings.get('options', {}), **limits}
    try:
        return av.open(file, **settings)
    except av.error.ArgumentError as error:
        raise OSError(error.errno, _REFUSED) from error
