"""Lenses: focal length and principal point, known or assumed."""

import math

import numpy as np

# Human3.6M's focal length over its picture width (1145 / 1000 pixels): what is
# assumed, over the picture's longer side, where nobody knows the lens.
DEFAULT_FOCAL_RATIO = 1.145


def camera_intrinsics(
    camera_param: dict, focal_ratio: float = DEFAULT_FOCAL_RATIO
) -> tuple[np.ndarray, np.ndarray]:
    """Focal lengths and principal point, assumed where they are not known.

    Args:
        camera_param (dict): ``w`` and ``h`` in pixels and, where known, ``f`` and
            ``c`` (two numbers each, pixels), as in mmpose's camera files.
        focal_ratio (float): Focal length over the longer picture side to assume
            where there is no ``f``.

    Returns:
        tuple[np.ndarray, np.ndarray]: ``f`` and ``c`` in pixels, (2,) each.
    """
    size = np.array([camera_param['w'], camera_param['h']], np.float32)
    focal = camera_param.get('f')
    centre = camera_param.get('c')
    focal = np.full(2, focal_ratio * size.max()) if focal is None else focal
    centre = size / 2 if centre is None else centre
    return (
        np.asarray(focal, np.float32).reshape(2),
        np.asarray(centre, np.float32).reshape(2),
    )


def focal_of_view(degrees: float, width: int) -> float:
    """Focal length of a lens with a horizontal angle of view.

    Args:
        degrees (float): Angle from the left to the right edge of the picture.
        width (int): Picture width in pixels.

    Returns:
        float: Focal length in pixels.

    Raises:
        ValueError: If no ordinary lens has that angle.
    """
    if not 1 <= degrees <= 170:
        raise ValueError(
            f'the angle of view must be from 1 to 170 degrees, got {degrees:g}'
        )
    return width / 2 / math.tan(math.radians(degrees) / 2)
