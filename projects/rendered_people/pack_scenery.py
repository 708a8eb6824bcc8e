"""Pack views of panoramas without people as training images.

Example::

    npm pack @pmndrs/assets@1.7.0
    python -m projects.rendered_people.pack_scenery pmndrs-assets-1.7.0.tgz \
        data/scenery/train.npz
"""

import argparse
import base64
import re
import sys
import tarfile
import tempfile
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from projects.rendered_people.commands import run_command
from projects.rendered_people.packed_people import (
    PackedPeople,
    join_images,
    write_packed_people,
)

_SIZE = (192, 256)
_KEYPOINTS = 133
_PADDING = 1.35  # of a box, as in shards of people
_FOV = np.radians((50, 110))  # narrower views would be more blurred than people
_PITCH = np.radians(15)
_EXPOSURE = 0.5  # standard deviation of its logarithm
_QUALITY = 80
# Minimum contrast of a view, maximum share of white pixels.
_MIN_CONTRAST, _MAX_WHITE = 8, 0.3
_TRIES = 20
_SUFFIXES = ('.exr', '.hdr', '.jpg', '.jpeg', '.png', '.webp')
_EXR = b'v/1\x01'  # magic number
# npm's @pmndrs/assets has each image as a script with a data URL
_IN_PACKAGE = re.compile(r'hdri/(\w+)\.exr\.js$')
_DATA_URL = re.compile(rb'base64,([A-Za-z0-9+/=]+)')
_GAMMA = 2.2
_WHITE = 4.0  # brightness of white paper over the median
_LARGEST = 6e4  # of half precision; the sun is infinite or not a number


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'source', type=Path, help="folder of panoramas, or npm's @pmndrs/assets (.tgz)"
    )
    parser.add_argument('target', type=Path, help='.npz file to write')
    parser.add_argument(
        '--count', type=int, default=2500, help='number of views (default: 2500)'
    )
    parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument('--only', nargs='+', metavar='NAME', help='these panoramas')
    choice.add_argument(
        '--without', nargs='+', default=[], metavar='NAME', help='all but these'
    )
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Sample views and pack them."""
    if args.count < 1:
        raise ValueError(f'--count must be at least 1, got {args.count}')
    panoramas = read_panoramas(args.source)
    unknown = {*(args.only or ()), *args.without} - panoramas.keys()
    if unknown:
        raise ValueError(
            f'{args.source} has no {", ".join(sorted(unknown))}; it has '
            f'{", ".join(panoramas)}'
        )
    names = [name for name in args.only or panoramas if name not in args.without]
    if not names:
        raise ValueError('--without excludes all panoramas')
    rng = np.random.default_rng(args.seed)
    encoded = [
        _encode(sample_view(panoramas[names[rng.integers(len(names))]], rng))
        for _ in tqdm(range(args.count), unit='view', file=sys.stderr)
    ]
    images, offsets = join_images(encoded)
    size = np.array(_SIZE)
    box = np.concatenate([size * (1 - 1 / _PADDING), size * (1 + 1 / _PADDING)]) / 2
    views = PackedPeople(
        images,
        offsets,
        keypoints=np.zeros((args.count, _KEYPOINTS, 2), np.float32),
        visibility=np.zeros((args.count, _KEYPOINTS), np.uint8),
        bboxes=np.tile(box.astype(np.float32), (args.count, 1)),
    )
    write_packed_people(views, args.target)
    print(
        f'{args.count} views of {len(names)} panoramas written to {args.target}: '
        f'{", ".join(names)}'
    )


def sample_view(panorama: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sample direction and lens of a view, again if it is almost uniform."""
    for _ in range(_TRIES):
        image = view(
            panorama,
            _SIZE,
            fov=np.exp(rng.uniform(*np.log(_FOV))),
            yaw=rng.uniform(-np.pi, np.pi),
            pitch=rng.normal(0, _PITCH),
            exposure=np.exp(rng.normal(0, _EXPOSURE)),
        )
        gray = image.mean(-1)
        if gray.std() > _MIN_CONTRAST and (gray > 250).mean() < _MAX_WHITE:
            break
    return image[:, ::-1] if rng.random() < 0.5 else image


def _encode(image: np.ndarray) -> bytes:
    success, encoded = cv2.imencode(
        '.webp', image, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    )
    assert success
    return encoded.tobytes()


def read_panoramas(source: Path) -> dict[str, np.ndarray]:
    """Read equirectangular panoramas.

    Args:
        source (Path): A folder of images (EXR, HDR, JPEG, PNG, WebP), or the archive
            ``pmndrs-assets-VERSION.tgz`` that ``npm pack @pmndrs/assets`` downloads.

    Returns:
        dict[str, np.ndarray]: By sorted name, linear light with a median of 1, BGR
        float32 (H, W, 3).

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If it has no images, or one cannot be read.
    """
    if source.is_dir():
        files = sorted(path for path in source.iterdir() if path.suffix in _SUFFIXES)
        encoded = {path.stem: path.read_bytes() for path in files}
    elif source.is_file():
        encoded = _unpack(source)
    else:
        raise FileNotFoundError(f'{source} does not exist')
    if not encoded:
        raise ValueError(f'{source} has no panoramas ({", ".join(_SUFFIXES)})')
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
    """Render a pinhole camera's view of a panorama.

    Args:
        panorama (np.ndarray): One of :func:`read_panoramas`.
        size (tuple[int, int]): Width and height of the image, pixels.
        fov (float): Horizontal field of view, radians, below pi.
        yaw (float): Angle to the right of the panorama's center, radians.
        pitch (float): Angle above the horizon, radians.
        exposure (float): Factor on the light.
        roll (float): Rotation about the optical axis that raises the image's right
            side, radians.
        center (tuple[float, float], optional): Principal point, pixels from the left
            and upper edge. Defaults to the image's center.

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
    return _tone_map(light * exposure)


def _unpack(archive: Path) -> dict[str, bytes]:
    """Extract the images of npm's archive."""
    images = {}
    try:
        with tarfile.open(archive) as package:
            for member in package:
                match = _IN_PACKAGE.search(member.name)
                if match:
                    script = package.extractfile(member).read()
                    images[match[1]] = base64.b64decode(_DATA_URL.search(script)[1])
    except (tarfile.TarError, EOFError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{archive} must be a folder of panoramas or the archive of '
            f'@pmndrs/assets: {error}'
        ) from error
    return images


def _decode(source: Path, name: str, encoded: bytes) -> np.ndarray:
    """Decode an image to linear light."""
    if encoded.startswith(_EXR):
        image = _decode_exr(encoded)
    else:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3:
        raise ValueError(f'{source}: {name} is damaged, or not a color image')
    if image.dtype == np.uint8:
        light = (image[..., :3] / np.float32(255)) ** _GAMMA
    else:
        light = np.nan_to_num(image[..., :3], nan=_LARGEST, posinf=_LARGEST)
    light = light.clip(0, _LARGEST).astype(np.float32)
    return light / max(float(np.median(light.mean(-1))), 1e-6)


def _decode_exr(encoded: bytes) -> np.ndarray | None:
    """Decode OpenEXR, unsupported by OpenCV 5, to BGR (H, W, 3); None if damaged."""
    import OpenEXR

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'panorama.exr')
        path.write_bytes(encoded)
        try:
            channels = OpenEXR.File(str(path)).channels()
        except Exception:  # its bindings raise bare RuntimeErrors and others
            return None
        color = channels.get('RGB') or channels.get('RGBA')
        return None if color is None else color.pixels[..., 2::-1]


def _tone_map(light: np.ndarray) -> np.ndarray:
    """Convert light to an image, with Reinhard's curve towards white."""
    light = light / _WHITE
    light = light * (1 + light / _WHITE**2) / (1 + light) * (1 + 1 / _WHITE)
    return (255 * light.clip(0, 1) ** (1 / _GAMMA)).round().astype(np.uint8)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    run_command(lambda: run(args))


if __name__ == '__main__':
    main()
