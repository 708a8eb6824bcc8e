"""Panoramas, and what a camera in their middle sees."""

import base64
import re
import tarfile
import tempfile
from pathlib import Path

import cv2
import numpy as np

from mmhot.installation.imports import import_extra

_PICTURES = ('.exr', '.hdr', '.jpg', '.jpeg', '.png', '.webp')
_EXR = b'v/1\x01'  # the first bytes
# npm's @pmndrs/assets keeps each picture as a script with a data URL
_IN_PACKAGE = re.compile(r'hdri/(\w+)\.exr\.js$')
_DATA_URL = re.compile(rb'base64,([A-Za-z0-9+/=]+)')
_GAMMA = 2.2
_WHITE = 4.0  # times the median is as bright as paper
_LARGEST = 6e4  # of a half-precision picture; the sun is beyond, or not a number


def read_panoramas(source: Path) -> dict[str, np.ndarray]:
    """Read equirectangular pictures.

    Args:
        source (Path): A folder of pictures (EXR, HDR, JPEG, PNG, WebP), or the archive
            ``pmndrs-assets-VERSION.tgz`` that ``npm pack @pmndrs/assets`` downloads.

    Returns:
        dict[str, np.ndarray]: Of each name, in order, linear light with a median of 1,
        BGR float32 (H, W, 3).

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If there is no picture in it, or one cannot be read.
    """
    if source.is_dir():
        files = sorted(path for path in source.iterdir() if path.suffix in _PICTURES)
        encoded = {path.stem: path.read_bytes() for path in files}
    elif source.is_file():
        encoded = _unpack(source)
    else:
        raise FileNotFoundError(f'{source} does not exist')
    if not encoded:
        raise ValueError(f'{source} has no panoramas ({", ".join(_PICTURES)})')
    return {name: _decode(source, name, data) for name, data in encoded.items()}


def view(
    panorama: np.ndarray,
    size: tuple[int, int],
    fov: float,
    yaw: float = 0.0,
    pitch: float = 0.0,
    exposure: float = 1.0,
    roll: float = 0.0,
    center: tuple[float, float] | None = None,
) -> np.ndarray:
    """Look at a part of a panorama.

    Args:
        panorama (np.ndarray): One of :func:`read_panoramas`.
        size (tuple[int, int]): Width and height of the picture, pixels.
        fov (float): Angle that its width covers, radians, below pi.
        yaw (float): How far to the right of the panorama's middle, radians.
        pitch (float): How far above the horizon, radians.
        exposure (float): Factor on the light.
        roll (float): Angle about the line of sight by which the camera is turned, the
            picture's right side up, radians.
        center (tuple[float, float], optional): Where the line of sight is in the
            picture, pixels from its left and upper edge; by default in the middle.

    Returns:
        np.ndarray: BGR, uint8 (height, width, 3).
    """
    width, height = size
    column, row = (width / 2, height / 2) if center is None else center
    right = np.arange(width) + 0.5 - column
    below = np.arange(height)[:, None] + 0.5 - row
    x = np.cos(roll) * right + np.sin(roll) * below
    y = np.cos(roll) * below - np.sin(roll) * right
    z = width / 2 / np.tan(fov / 2)
    down = y * np.cos(pitch) - z * np.sin(pitch)
    ahead = y * np.sin(pitch) + z * np.cos(pitch)
    x, down, ahead = np.broadcast_arrays(x, down, ahead)
    east = np.arctan2(x, ahead) + yaw
    south = np.arctan2(down, np.hypot(x, ahead))
    rows, columns = panorama.shape[:2]
    u = (east / (2 * np.pi) + 0.5) % 1 * columns - 0.5
    v = (south / np.pi + 0.5) * rows - 0.5
    light = cv2.remap(
        panorama,
        u.astype(np.float32),
        v.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    return _develop(light * exposure)


def _unpack(archive: Path) -> dict[str, bytes]:
    """Take the pictures from npm's archive."""
    found = {}
    try:
        with tarfile.open(archive) as package:
            for member in package:
                match = _IN_PACKAGE.search(member.name)
                if match:
                    script = package.extractfile(member).read()
                    found[match[1]] = base64.b64decode(_DATA_URL.search(script)[1])
    except (tarfile.TarError, EOFError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{archive} must be a folder of panoramas or the archive of '
            f'@pmndrs/assets: {error}'
        ) from error
    return found


def _decode(source: Path, name: str, encoded: bytes) -> np.ndarray:
    """Decode a picture to light."""
    if encoded.startswith(_EXR):
        picture = _decode_exr(encoded)
    else:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3:
        raise ValueError(f'{source}: {name} is damaged, or no picture in colors')
    if picture.dtype == np.uint8:
        light = (picture[..., :3] / np.float32(255)) ** _GAMMA
    else:
        light = np.nan_to_num(picture[..., :3], nan=_LARGEST, posinf=_LARGEST)
    light = light.clip(0, _LARGEST).astype(np.float32)
    return light / max(float(np.median(light.mean(-1))), 1e-6)


def _decode_exr(encoded: bytes) -> np.ndarray | None:
    """Decode OpenEXR, which OpenCV 5 does not, to BGR (H, W, 3); None if damaged."""
    openexr = import_extra('OpenEXR', 'the format EXR', 'render')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'panorama.exr')
        path.write_bytes(encoded)
        try:
            channels = openexr.File(str(path)).channels()
        except Exception:  # its bindings raise bare RuntimeErrors and others
            return None
        color = channels.get('RGB') or channels.get('RGBA')
        return None if color is None else color.pixels[..., 2::-1]


def _develop(light: np.ndarray) -> np.ndarray:
    """Make a picture of light; what is brighter than paper fades into white."""
    light = light / _WHITE
    light = light * (1 + light / _WHITE**2) / (1 + light) * (1 + 1 / _WHITE)
    return (255 * light.clip(0, 1) ** (1 / _GAMMA)).round().astype(np.uint8)
