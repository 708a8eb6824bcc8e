"""Reader of camera intrinsics in JSON, YAML of OpenCV and ROS, and ``.npz``."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmhot.errors import naming
from mmhot.io import arrays
from mmhot.structures.lens import DISTORTIONS, Lens

# Keys that calibration programs use.
_MATRIX = ('camera_matrix', 'K', 'cameraMatrix', 'intrinsic_matrix', 'mtx')
_DISTORTION = (
    'dist_coeffs',
    'distortion_coefficients',
    'distCoeffs',
    'distortion',
    'dist',
    'D',
)
_WIDTH = ('image_width', 'width', 'w')
_HEIGHT = ('image_height', 'height', 'h')
_NUMBERS = ('fx', 'fy', 'cx', 'cy')
# Distortion terms in OpenCV's order, for files that name each number.
_TERMS = ('k1', 'k2', 'p1', 'p2', 'k3', 'k4', 'k5', 'k6')
_MAX_TEXT = 256 << 10
_EXPECTED = f'{_MATRIX[0]} (3x3) or {", ".join(_NUMBERS)} expected'


def read_lens(path: str | Path) -> Lens:
    """Read a calibrated lens from ``.json``, ``.yml``, ``.yaml`` or ``.npz``.

    ``docs/output-formats.md`` has the keys. The lens has the image size, if the file
    states it.
    """
    path = Path(path)
    with naming(path):
        content = _load(path)
        kind = content.get('distortion_model', 'plumb_bob')
        if kind not in ('plumb_bob', 'rational_polynomial', 'opencv', '', None):
            raise ValueError(
                f'distortion_model {kind!r:.40} is not supported: it must be '
                "OpenCV's model ('plumb_bob' or 'rational_polynomial' in ROS)"
            )
        width = _number(content, *_WIDTH)
        height = _number(content, *_HEIGHT)
        # ROS writes 0 where it is not known
        size = (int(width), int(height)) if width and height else None
        fx, fy, cx, cy = _pinhole(content)
        return Lens((fx, fy), (cx, cy), _distortion(content), size)


def _load(path: Path) -> Mapping[str, object]:
    suffix = path.suffix.lower()
    if suffix == '.npz':
        names = (*_MATRIX, *_DISTORTION, *_WIDTH, *_HEIGHT, *_NUMBERS, *_TERMS)
        return arrays.load_arrays(path, names)
    if suffix not in ('.json', '.yml', '.yaml'):
        raise ValueError('must be a .json, .yml, .yaml or .npz file of intrinsics')
    is_json = suffix == '.json'
    content = arrays.load_json(path, _MAX_TEXT) if is_json else _load_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f'has no intrinsics: {_EXPECTED}')
    return content


def _load_yaml(path: Path) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Decodes OpenCV's matrices, too."""

    Loader.add_constructor(
        'tag:yaml.org,2002:opencv-matrix',
        lambda loader, node: loader.construct_mapping(node, deep=True),
    )
    text = arrays.read_limited(path, _MAX_TEXT).decode('utf-8')
    text = text.removeprefix('%YAML:1.0')  # OpenCV's header, which is not valid YAML
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(f'is not valid YAML: {error}') from error


def _pinhole(content: Mapping[str, object]) -> tuple[float, ...]:
    name, matrix = _first(content, *_MATRIX)
    if matrix is None:
        numbers = {name: _number(content, name) for name in _NUMBERS}
        if missing := [name for name, number in numbers.items() if number is None]:
            raise ValueError(f'lacks {", ".join(missing)}: {_EXPECTED}')
        return tuple(number for number in numbers.values() if number is not None)
    (fx, _, cx), (below, fy, cy), last = matrix.reshape(3, 3).tolist()
    if [below, *last] != [0, 0, 0, 1]:
        raise ValueError(f'{name} must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]')
    return fx, fy, cx, cy


def _distortion(content: Mapping[str, object]) -> tuple[float, ...]:
    """Return the distortion, padded to a length that OpenCV supports."""
    _, terms = _first(content, *_DISTORTION)
    if terms is None:
        named = [_number(content, term) or 0.0 for term in _TERMS]
        terms = np.trim_zeros(np.array(named), 'b')
    if not terms.any():
        return ()
    # Further terms must be zero.
    length = next((n for n in DISTORTIONS if n >= terms.size), terms.size)
    return tuple(np.pad(terms.ravel(), (0, length - terms.size)).tolist())


def _number(content: Mapping[str, object], *names: str) -> float | None:
    """Return the number of the first name that is present; None if none is."""
    name, array = _first(content, *names)
    return None if array is None else arrays.as_number(array, name)


def _first(content: Mapping[str, object], *names: str) -> tuple[str, np.ndarray | None]:
    """Return the first name that is present, and its numbers, of any shape."""
    name = next((name for name in names if name in content), '')
    value = content.get(name)
    if isinstance(value, dict) and 'data' in value:  # a matrix of OpenCV or ROS
        value = value['data']
    # YAML reads 1e-3 as text
    return name, None if value is None else arrays.as_numbers(value, name, of_text=True)
