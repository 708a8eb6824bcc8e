"""Camera intrinsics: focal length, principal point and lens distortion."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

HUMAN36M_FOCAL_RATIO = 1.145
"""Human3.6M's focal length over its image width (1145 / 1000 pixels)."""
# Diagonal to which 35 mm equivalent focal lengths refer (CIPA DC-008), mm.
_DIAGONAL_35MM = math.hypot(36, 24)
DISTORTIONS = (0, 4, 5, 8, 12, 14)
"""Possible numbers of distortion coefficients in OpenCV's model."""
# Pixels; largest reprojection error of a point without its distortion. Where the error
# is larger, the distortion is not invertible and stays.
_MAX_ERROR = 0.5
_FOCAL_RANGE = (0.01, 1000.0)  # longer image sides; shortest and longest focal length
# Longer image sides; largest distance of the principal point from the image's center.
_MAX_SHIFT = 10.0
_MAX_DISTORTION = 1e6  # largest distortion coefficient
_MAX_SIDE = 100_000  # pixels; largest image side
# Half image sides; largest distance of the principal point from the center if the
# calibration does not state the size of its images.
_MAX_OFF_CENTER = 0.2
# Largest relative difference between the aspect ratios of images and calibration.
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class UsualFocals:
    """Focal lengths that are assumed for unknown lenses, in longer image sides."""

    square: float = HUMAN36M_FOCAL_RATIO  # Human3.6M's cameras
    landscape: float = 0.87  # MPI-INF-3DHP's outdoor cameras have 0.88
    portrait: float = 0.8  # phones have 0.72 to 0.78, pose2sim's four cameras 0.87
    max_aspect: float = 1.1  # longer over shorter side of images that count as square


@dataclass(frozen=True)
class Lens:
    """A calibrated lens in OpenCV's camera model.

    Args:
        focal (tuple[float, float]): Focal lengths fx and fy in pixels.
        center (tuple[float, float]): Principal point cx and cy in pixels.
        distortion (tuple[float, ...]): k1, k2, p1, p2, k3, ...; none by default.
        size (tuple[int, int], optional): Width and height of the calibrated images.

    Raises:
        ValueError: If a number is invalid.
    """

    focal: tuple[float, float]
    center: tuple[float, float]
    distortion: tuple[float, ...] = ()
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if len(self.distortion) not in DISTORTIONS:
            raise ValueError(
                f'distortion must be {", ".join(map(str, DISTORTIONS[1:]))} numbers '
                f'(k1, k2, p1, p2, k3, ...), got {len(self.distortion)}'
            )
        low = _FOCAL_RANGE[0] * max(self.size or (1,))
        side = max(self.size or (_MAX_SIDE,))
        shift = np.subtract(self.center, np.divide(self.size or (0, 0), 2))
        # These comparisons are written so that NaN fails.
        if not (
            all(1 <= length <= _MAX_SIDE for length in self.size or ())
            and all(low <= focal <= _FOCAL_RANGE[1] * side for focal in self.focal)
            and all(np.abs(shift) <= _MAX_SHIFT * side)
            and all(abs(number) <= _MAX_DISTORTION for number in self.distortion)
        ):
            raise ValueError(f'no lens has these intrinsics, in pixels: {self}')

    @classmethod
    def of_view(cls, degrees: float, width: int, height: int) -> 'Lens':
        """Build a pinhole camera with a horizontal angle of view.

        Args:
            degrees (float): Angle of view, 1 to 170 degrees.
            width (int): Image width in pixels.
            height (int): Image height in pixels.

        Raises:
            ValueError: If the angle is out of range.

        >>> Lens.of_view(90, 1280, 720).focal
        (640.0000000000001, 640.0000000000001)
        """
        if not 1 <= degrees <= 170:
            raise ValueError(
                f'the angle of view must be from 1 to 170 degrees, got {degrees:g}'
            )
        return cls.pinhole(
            width / 2 / math.tan(math.radians(degrees) / 2), width, height
        )

    @classmethod
    def pinhole(cls, focal: float, width: int, height: int) -> 'Lens':
        """Build a pinhole camera for images of this size; all numbers are pixels."""
        return cls((focal, focal), (width / 2, height / 2), size=(width, height))

    @classmethod
    def of_35mm(cls, millimeters: float, width: int, height: int) -> 'Lens':
        """Build a pinhole camera with a 35 mm equivalent focal length in millimeters.

        Width and height of the images are in pixels.
        """
        return cls.pinhole(
            millimeters / _DIAGONAL_35MM * math.hypot(width, height), width, height
        )

    @property
    def parameters(self) -> tuple[float, ...]:
        """Intrinsics in OpenCV's order: fx, fy, cx, cy in pixels, k1, k2, p1, ..."""
        return (*self.focal, *self.center, *self.distortion)

    def fitted(self, width: int, height: int) -> 'Lens':
        """Scale the intrinsics to images of another resolution.

        Args:
            width (int): Image width in pixels.
            height (int): Image height in pixels.

        Raises:
            ValueError: If these images have another aspect ratio than the calibrated
                ones or, if the size of these is unknown, the principal point is far
                from the middle of the image.
        """
        if self.size is None:
            shift = 2 * np.divide(self.center, (width, height)) - 1
            if np.abs(shift).max() > _MAX_OFF_CENTER:
                x, y = self.center
                raise ValueError(
                    f'the principal point ({x:g}, {y:g}) of the intrinsics is far from '
                    f'the middle of the {width}x{height} image: if the camera was '
                    'calibrated with images of another size, or these are cropped, add '
                    'image_width and image_height'
                )
            return replace(self, size=(width, height))
        wider = width / self.size[0]
        higher = height / self.size[1]
        if abs(higher / wider - 1) > _ASPECT_TOLERANCE:
            raise ValueError(
                f'the intrinsics are for images of {self.size[0]}x{self.size[1]}, '
                f'which are not a scaled version of {width}x{height}'
            )
        return replace(
            self,
            focal=(self.focal[0] * wider, self.focal[1] * higher),
            center=(self.center[0] * wider, self.center[1] * higher),
            size=(width, height),
        )

    def undistort(self, points: np.ndarray) -> np.ndarray:
        """Map pixels to those of an ideal pinhole camera.

        The ideal camera has the focal length ``focal[0]`` for both axes, its principal
        point in the center of the image, and no distortion. Where the distortion is not
        invertible, far outside the image, it stays.

        Args:
            points (np.ndarray): Pixels, NaN where missing, (..., 2).

        Returns:
            np.ndarray: Pixels, (..., 2) float32.
        """
        import cv2

        points = np.asarray(points, np.float64)
        rays = (points - self.center) / self.focal
        is_known = np.isfinite(rays).all(-1)
        rays[~is_known] = np.nan
        ideal = rays * self.focal[0] + np.array(self.size) / 2
        if self.distortion and is_known.any():
            criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
            # OpenCV 5 has one function where OpenCV 4 has two.
            undistort = getattr(cv2, 'undistortPointsIter', cv2.undistortPoints)
            straight = undistort(
                rays[is_known][:, None],
                np.eye(3),
                np.array(self.distortion),
                R=None,
                P=None,
                criteria=criteria,
            )[:, 0]
            straight = straight * self.focal[0] + np.array(self.size) / 2
            errors = np.linalg.norm(self.distort(straight) - points[is_known], axis=-1)
            # A comparison with NaN is False, which keeps the distorted pixel.
            is_exact = (errors < _MAX_ERROR)[:, None]
            ideal[is_known] = np.where(is_exact, straight, ideal[is_known])
        return ideal.astype(np.float32)

    def distort(self, points: np.ndarray) -> np.ndarray:
        """Map pixels (..., 2) of the ideal pinhole camera to the lens's, float32."""
        import cv2

        rays = np.asarray(points, np.float64) - np.array(self.size) / 2
        rays = rays.reshape(-1, 2) / self.focal[0]
        (fx, fy), (cx, cy) = self.focal, self.center
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        rays = np.column_stack([rays, np.ones(len(rays))])
        still = np.zeros(3)  # no rotation, no translation
        pixels, _ = cv2.projectPoints(
            rays, still, still, matrix, np.array(self.distortion)
        )
        return pixels.reshape(np.shape(points)).astype(np.float32)


@dataclass(frozen=True)
class Camera:
    """Camera that keeps its place, and turns and zooms.

    Attributes:
        path (np.ndarray): Rotation vector in radians and zoom of each frame, relative
            to the first frame of the shot, (F, 4).
        lens (Lens | None): Lens in that frame; None if unknown.
    """

    path: np.ndarray
    lens: Lens | None


def assumed_focal(width: float, height: float) -> float:
    """Return the focal length in pixels that is assumed for an unknown lens.

    Width and height are in pixels.
    """
    longer = max(width, height)
    if longer <= UsualFocals.max_aspect * min(width, height):
        return UsualFocals.square * longer
    return (UsualFocals.landscape if width > height else UsualFocals.portrait) * longer


def stated_lens(
    width: int,
    height: int,
    focal: float | None,
    intrinsics: Sequence[float] = (),
) -> Lens | None:
    """Return the lens that a file of poses states, or None if no lens has its numbers.

    Args:
        width (int): Image width in pixels.
        height (int): Image height in pixels.
        focal (float | None): Focal length in pixels; None if unknown.
        intrinsics (Sequence[float]): :attr:`Lens.parameters`, if they are known.
    """
    pinhole = focal or 0, focal or 0, width / 2, height / 2
    with suppress(ValueError):
        fx, fy, cx, cy, *distortion = intrinsics or pinhole
        return Lens((fx, fy), (cx, cy), tuple(distortion), (width, height))
    return None


def ideal_pixels(
    points: np.ndarray, size: tuple[int, int], lens: Lens | None
) -> tuple[np.ndarray, float]:
    """Map pixels to those of an ideal pinhole camera.

    Args:
        points (np.ndarray): Pixels, (..., 2).
        size (tuple[int, int]): Width and height of the images.
        lens (Lens | None): Lens for images of this size. Pixels stay as they are if it
            is unknown.

    Returns:
        tuple[np.ndarray, float]: Pixels (..., 2), and the focal length in pixels, which
        is :func:`assumed_focal` for an unknown lens.
    """
    if lens is None:
        return points, assumed_focal(*size)
    return lens.undistort(points), lens.focal[0]


def ideal_camera(width: int, height: int, lens: Lens | None = None) -> dict:
    """Describe the pinhole camera of :meth:`Lens.undistort` as MMPose does.

    Returns:
        dict: ``camera_param`` in pixels: ``w``, ``h`` and, if the lens is known, ``f``
        (two numbers).
    """
    camera = dict(w=width, h=height)
    return camera if lens is None else camera | dict(f=(lens.focal[0],) * 2)


def camera_intrinsics(camera_param: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return focal lengths and principal point in pixels, (2,) float32 each.

    Args:
        camera_param (dict): ``w`` and ``h`` and, if known, ``f`` and ``c`` (two numbers
            each), all in pixels, as in MMPose's camera files.
    """
    size = np.array([camera_param['w'], camera_param['h']], np.float32)
    focal = camera_param.get('f')
    center = camera_param.get('c')
    focal = np.full(2, assumed_focal(*size)) if focal is None else focal
    center = size / 2 if center is None else center
    return np.float32(focal).reshape(2), np.float32(center).reshape(2)
