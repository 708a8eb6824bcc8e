"""Lenses: focal length, principal point and distortion, known or assumed."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

# Human3.6M's focal length over its picture width (1145 / 1000 pixels): what is
# assumed, over the picture's longer side, where nobody knows the lens.
DEFAULT_FOCAL_RATIO = 1.145
# Numbers that OpenCV's model of distortion may have.
DISTORTIONS = (0, 4, 5, 8, 12, 14)
# Pixels by which a point may miss itself when the distortion is put back.
_CONVERGED = 0.5
# By how much a picture's shape may differ from the one that was calibrated.
_SAME_SHAPE = 0.01


@dataclass(frozen=True)
class Lens:
    """A calibrated lens, in OpenCV's model.

    Args:
        focal (tuple[float, float]): Focal lengths fx and fy in pixels.
        center (tuple[float, float]): Principal point cx and cy in pixels.
        distortion (tuple[float, ...]): k1, k2, p1, p2, k3, ...; none by default.
        size (tuple[int, int], optional): Width and height of the pictures that this
            is true for.

    Raises:
        ValueError: If a number makes no sense, in one line.
    """

    focal: tuple[float, float]
    center: tuple[float, float]
    distortion: tuple[float, ...] = ()
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not all(math.isfinite(number) for number in self.parameters):
            raise ValueError('intrinsics must be finite numbers')
        if not min(self.focal) > 0:
            raise ValueError(f'focal lengths must be above 0 pixels, got {self.focal}')
        if len(self.distortion) not in DISTORTIONS:
            raise ValueError(
                f'distortion must be {", ".join(map(str, DISTORTIONS[1:]))} numbers '
                f'(k1, k2, p1, p2, k3, ...), got {len(self.distortion)}'
            )

    @classmethod
    def of_view(cls, degrees: float, width: int, height: int) -> Self:
        """An ideal lens with a horizontal angle of view, see :func:`focal_of_view`."""
        focal = focal_of_view(degrees, width)
        return cls((focal, focal), (width / 2, height / 2), size=(width, height))

    @property
    def parameters(self) -> tuple[float, ...]:
        """fx, fy, cx, cy and the distortion."""
        return (*self.focal, *self.center, *self.distortion)

    def fitted(self, width: int, height: int) -> Self:
        """The same lens for pictures of another resolution.

        Args:
            width (int): Of the pictures, pixels.
            height (int): Of the pictures, pixels.

        Returns:
            Lens: With that size.

        Raises:
            ValueError: If the pictures have another shape than those calibrated with,
                or the principal point is in none of them.
        """
        wanted = (width, height)
        if self.size is None:
            if not (0 < self.center[0] < width and 0 < self.center[1] < height):
                x, y = self.center
                raise ValueError(
                    f'the principal point ({x:g}, {y:g}) of the intrinsics is outside '
                    f'the {width}x{height} picture: they are of another resolution'
                )
            return replace(self, size=wanted)
        scale = np.array(wanted) / self.size
        if abs(scale[1] / scale[0] - 1) > _SAME_SHAPE:
            raise ValueError(
                f'the intrinsics are for pictures of {self.size[0]}x{self.size[1]}, '
                f'which are no scaled version of {width}x{height}'
            )
        return replace(
            self,
            focal=tuple((self.focal * scale).tolist()),
            center=tuple((self.center * scale).tolist()),
            size=wanted,
        )

    def straighten(self, points: np.ndarray) -> np.ndarray:
        """Where points would be in the picture of an ideal lens.

        That one has the focal length ``focal[0]``, square pixels, its principal point
        in the middle of the picture and no distortion.

        Args:
            points (np.ndarray): Pixels, NaN where unknown, (..., 2).

        Returns:
            np.ndarray: Pixels, (..., 2), float32. Far outside the picture, where a
            distortion cannot be undone, it is left in.
        """
        if self.size is None:
            raise ValueError('fit the lens to a picture size first')
        focal, center = np.array(self.focal), np.array(self.center)
        given = (np.asarray(points, np.float64) - center) / focal
        known = np.isfinite(given).all(-1)
        straight = np.where(known[..., None], given, np.nan)
        if self.distortion and known.any():
            straight[known] = self._undistort(given[known])
        pixels = straight * self.focal[0] + np.array(self.size) / 2
        return pixels.astype(np.float32)

    def _undistort(self, rays: np.ndarray) -> np.ndarray:
        """Rays (N, 2) without the distortion, where that can be undone."""
        import cv2

        steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
        identity, distortion = np.eye(3), np.array(self.distortion)
        # OpenCV 5 has one function where OpenCV 4 has two
        undistort = getattr(cv2, 'undistortPointsIter', cv2.undistortPoints)
        found = undistort(
            rays[:, None], identity, distortion, R=None, P=None, criteria=steps
        )[:, 0]
        ends = np.concatenate([found, np.ones((len(found), 1))], -1)
        again, _ = cv2.projectPoints(
            ends, np.zeros(3), np.zeros(3), identity, distortion
        )
        misses = np.linalg.norm((again[:, 0] - rays) * self.focal, axis=-1)
        # written so that NaN is left in
        return np.where((misses < _CONVERGED)[:, None], found, rays)


def settle_lens(
    width: int, height: int, fov: float | None = None, intrinsics: Lens | None = None
) -> Lens | None:
    """The lens that a user told of, for pictures of a size.

    Args:
        width (int): Of the pictures, pixels.
        height (int): Of the pictures, pixels.
        fov (float, optional): Degrees from the left to the right of the picture.
        intrinsics (Lens, optional): A calibrated lens.

    Returns:
        Lens | None: None if nothing is known.

    Raises:
        ValueError: If the lens does not fit the pictures, or both are given.
    """
    if fov is not None and intrinsics is not None:
        raise ValueError('the angle of view and intrinsics cannot both be given')
    if intrinsics is not None:
        return intrinsics.fitted(width, height)
    return None if fov is None else Lens.of_view(fov, width, height)


def ideal_camera(width: int, height: int, lens: Lens | None = None) -> dict:
    """What codecs are told of the lens that :meth:`Lens.straighten` makes pixels for.

    Args:
        width (int): Of the pictures, pixels.
        height (int): Of the pictures, pixels.
        lens (Lens, optional): Not given where nobody knows it.

    Returns:
        dict: ``w``, ``h`` and, where known, ``f``, see :func:`camera_intrinsics`.
    """
    camera = dict(w=width, h=height)
    if lens is not None:
        camera['f'] = (lens.focal[0], lens.focal[0])
    return camera


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
    center = camera_param.get('c')
    focal = np.full(2, focal_ratio * size.max()) if focal is None else focal
    center = size / 2 if center is None else center
    return (
        np.asarray(focal, np.float32).reshape(2),
        np.asarray(center, np.float32).reshape(2),
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
