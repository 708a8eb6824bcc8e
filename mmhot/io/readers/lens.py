"""Reader of camera intrinsics: JSON, YAML of OpenCV and ROS, ``.npz``.

ROS writes ``camera_info`` as below. OpenCV's files are similar, and tag matrices::

    image_width: 1280
    image_height: 720
    camera_matrix: {rows: 3, cols: 3, data: [900, 0, 655, 0, 920, 340, 0, 0, 1]}
    distortion_model: plumb_bob
    distortion_coefficients: {rows: 1, cols: 5, data: [-0.28, 0.09, 0, 0, -0.01]}
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmhot.errors import naming
from mmhot.io.arrays import (
    as_number,
    as_numbers,
    check_count,
    load_arrays,
    load_json,
    read_limited,
)
from mmhot.structures.lens import DISTORTIONS, Lens

_PINHOLE = ('fx', 'fy', 'cx', 'cy')
# Terms of the distortion in OpenCV's order, for files that name each number
_TERMS = ('k1', 'k2', 'p1', 'p2', 'k3', 'k4', 'k5', 'k6')
# Keys of calibration programs, by our name of the number
_KEYS = {
    'matrix': ('camera_matrix', 'K', 'cameraMatrix', 'intrinsic_matrix', 'mtx'),
    'distortion': (
        *('dist_coeffs', 'distortion_coefficients', 'distCoeffs'),
        *('distortion', 'dist', 'D'),
    ),
    'width': ('image_width', 'width', 'w'),
    'height': ('image_height', 'height', 'h'),
    **{name: (name,) for name in (*_PINHOLE, *_TERMS)},
}
_MODELS = ('plumb_bob', 'rational_polynomial', 'opencv', '', None)
_MAX_TEXT = 256 << 10  # bytes of a file
_EXPECTED = f'{_KEYS["matrix"][0]} (3x3) or {", ".join(_PINHOLE)} expected'


def read_lens(path: str | Path) -> Lens:
    """Read a calibrated lens from ``.json``, ``.yml``, ``.yaml`` or ``.npz``.

    Args:
        path (str | Path): A file with the keys of OpenCV, ROS or other programs.

    Returns:
        Lens: The lens; it has the image size if the file states it.

    Raises:
        ValueError: If the file is damaged, lacks intrinsics, or has another distortion
            model than OpenCV's.
        OSError: If the file does not exist or cannot be read.

    Example::

        lens = read_lens('camera_info.yaml')
    """
    path = Path(path)
    with naming(path):
        content = _load(path)
        model = content.get('distortion_model')
        if model not in _MODELS:
            raise ValueError(
                f'distortion_model {model!r:.40} is not supported: it must be '
                "OpenCV's model ('plumb_bob' or 'rational_polynomial' in ROS)"
            )
        numbers = _numbers_of(content)
        # ROS writes 0 for sizes that it does not know.
        width, height = (as_number(x, numbers.get(x, 0)) for x in ('width', 'height'))
        size = (int(width), int(height)) if width and height else None
        fx, fy, cx, cy = _pinhole(numbers)
        return Lens((fx, fy), (cx, cy), _distortion(numbers), size)


def _load(path: Path) -> Mapping[str, object]:
    suffix = path.suffix.lower()
    if suffix == '.npz':
        return load_arrays(path, [key for keys in _KEYS.values() for key in keys])
    if suffix not in ('.json', '.yml', '.yaml'):
        raise ValueError('must be a .json, .yml, .yaml or .npz file of intrinsics')
    content = load_json(path, _MAX_TEXT) if suffix == '.json' else _load_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f'has no intrinsics: {_EXPECTED}')
    return content


def _load_yaml(path: Path) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Loader that also decodes OpenCV's matrices."""

    Loader.add_constructor(
        'tag:yaml.org,2002:opencv-matrix',
        lambda loader, node: loader.construct_mapping(node, deep=True),
    )
    # OpenCV's header is not valid YAML.
    text = read_limited(path, _MAX_TEXT).decode('utf-8').removeprefix('%YAML:1.0')
    try:
        content = yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(f'is not valid YAML: {error}') from error
    check_count(content, len(text))
    return content


def _numbers_of(content: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Return the numbers that a file states, arrays of any shape, by our names."""
    numbers = {}
    for name, keys in _KEYS.items():
        key = next((key for key in keys if key in content), '')
        value = content.get(key)
        if isinstance(value, dict) and 'data' in value:  # a matrix of OpenCV or ROS
            value = value['data']
        if value is not None:
            # YAML reads 1e-3 as text.
            numbers[name] = as_numbers(key, value, from_text=True)
    return numbers


def _pinhole(numbers: Mapping[str, np.ndarray]) -> tuple[float, ...]:
    """Return fx, fy, cx and cy in pixels, from arrays (...) by our names."""
    if 'matrix' in numbers:
        rows = numbers['matrix'].reshape(3, 3).tolist()
        (fx, _, cx), (below, fy, cy), last = rows
        if [below, *last] != [0, 0, 0, 1]:
            raise ValueError(
                'the camera matrix must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], got '
                f'{rows}'
            )
        return fx, fy, cx, cy
    if missing := [name for name in _PINHOLE if name not in numbers]:
        raise ValueError(f'lacks {", ".join(missing)}: {_EXPECTED}')
    return tuple(as_number(name, numbers[name]) for name in _PINHOLE)


def _distortion(numbers: Mapping[str, np.ndarray]) -> tuple[float, ...]:
    """Return the terms of the distortion, padded to a number that OpenCV supports.

    They are zero for terms that a file does not name. The arrays (...) have our names.
    """
    named = [as_number(term, numbers.get(term, 0)) for term in _TERMS]
    terms = numbers.get('distortion', np.trim_zeros(np.array(named), 'b'))
    if not terms.any():
        return ()
    count = next((n for n in DISTORTIONS if n >= terms.size), terms.size)
    return tuple(np.pad(terms.ravel(), (0, count - terms.size)).tolist())
