"""Camera intrinsics: focal length, principal point and lens distortion."""

import math
from dataclasses import dataclass, replace

import numpy as np

HUMAN36M_FOCAL_RATIO = 1.145
"""Human3.6M's focal length over its image width (1145 / 1000 pixels)."""
# Diagonal to which 35 mm equivalent focal lengths refer (CIPA DC-008), mm.
_DIAGONAL_35MM = math.hypot(36, 24)
# Numbers of distortion coefficients in OpenCV's model.
DISTORTIONS = (0, 4, 5, 8, 12, 14)
# Largest reprojection error, in pixels, of a point whose distortion was removed.
_MAX_ERROR = 0.5
_FOCAL_RANGE = (0.01, 1000.0)  # longer image sides; least and largest focal length
# Longer image sides; largest distance of the principal point from the center of the
# image.
_MAX_SHIFT = 10.0
_MAX_DISTORTION = 1e6  # largest distortion coefficient
_MAX_SIDE = 100_000  # pixels; largest image side
# Largest distance of the principal point from the middle of an image, in half sides.
_MIDDLE = 0.2
# Largest relative difference between the aspect ratios of images and calibration.
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class UsualFocals:
    """Focal lengths that are assumed for unknown lenses, in longer image sides.

    The comments name the cameras on which they were chosen.
    """

    square: float = HUMAN36M_FOCAL_RATIO  # Human3.6M
    landscape: float = 0.87  # MPI-INF-3DHP outdoors has 0.88
    portrait: float = 0.8  # phones have 0.72 to 0.78, pose2sim's four cameras 0.87
    aspect: float = 1.1  # largest ratio of longer to shorter side of a square image


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
        """Build a pinhole camera with a horizontal angle of view, 1 to 170 degrees."""
        if not 1 <= degrees <= 170:
            raise ValueError(
                f'the angle of view must be from 1 to 170 degrees, got {degrees:g}'
            )
        return cls.pinhole(
            width / 2 / math.tan(math.radians(degrees) / 2), width, height
        )

    @classmethod
    def pinhole(cls, focal: float, width: int, height: int) -> 'Lens':
        """Build a pinhole camera with a focal length in pixels."""
        return cls((focal, focal), (width / 2, height / 2), size=(width, height))

    @classmethod
    def of_35mm(cls, millimeters: float, width: int, height: int) -> 'Lens':
        """Build a pinhole camera with a 35 mm equivalent focal length."""
        return cls.pinhole(
            millimeters / _DIAGONAL_35MM * math.hypot(width, height), width, height
        )

    @property
    def parameters(self) -> tuple[float, ...]:
        """fx, fy, cx, cy and the distortion."""
        return (*self.focal, *self.center, *self.distortion)

    def fitted(self, width: int, height: int) -> 'Lens':
        """Scale the intrinsics to images of another resolution.

        Raises:
            ValueError: If the aspect ratio differs from that of the calibrated images,
                or the principal point is far from the middle of the image.
        """
        if self.size is None:
            shift = 2 * np.divide(self.center, (width, height)) - 1
            if np.abs(shift).max() > _MIDDLE:
                x, y = self.center
                raise ValueError(
                    f'the principal point ({x:g}, {y:g}) of the intrinsics is far from '
                    f'the middle of the {width}x{height} image: if they are of other '
                    'images, or these are cut out, add image_width and image_height'
                )
            return replace(self, size=(width, height))
        wider, higher = width / self.size[0], height / self.size[1]
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
        """Map pixels (..., 2) to an ideal pinhole camera's, float32; NaN stays.

        The ideal camera has the focal length ``focal[0]`` for both axes, its principal
        point in the center of the image, and no distortion. Far outside the image,
        where the distortion is not invertible, it is left in.
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
        """Map pixels (..., 2) of the ideal pinhole camera to pixels of the lens."""
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
    """Camera that turns and zooms; all frames share the axes of the first one."""

    path: np.ndarray  # rotation vector and zoom of each frame, (F, 4)
    lens: Lens | None  # lens of the images, if it is known


def assumed_focal(width: float, height: float) -> float:
    """Return the focal length in pixels that is assumed for an unknown lens."""
    longer = max(width, height)
    if longer <= UsualFocals.aspect * min(width, height):
        return UsualFocals.square * longer
    return (UsualFocals.landscape if width > height else UsualFocals.portrait) * longer


def ideal_pixels(
    points: np.ndarray, size: tuple[int, int], lens: Lens | None
) -> tuple[np.ndarray, float]:
    """Map pixels (..., 2) to an ideal pinhole camera, and return its focal length.

    The lens has been scaled to images of this size (width and height in pixels). If it
    is None, pixels stay and the focal length is :func:`assumed_focal`.
    """
    if lens is None:
        return points, assumed_focal(*size)
    return lens.undistort(points), lens.focal[0]


def ideal_camera(width: int, height: int, lens: Lens | None = None) -> dict:
    """Return ``camera_param`` of the pinhole camera of :meth:`Lens.undistort`.

    It has ``w`` and ``h`` in pixels and, if the lens is known, ``f``.
    """
    camera = dict(w=width, h=height)
    return camera if lens is None else camera | dict(f=(lens.focal[0],) * 2)


def camera_intrinsics(camera_param: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return focal lengths and principal point in pixels, (2,) each.

    ``camera_param`` has ``w`` and ``h`` and, if known, ``f`` and ``c`` (two numbers
    each, pixels), as in mmpose's camera files.
    """
    size = np.array([camera_param['w'], camera_param['h']], np.float32)
    focal = camera_param.get('f')
    center = camera_param.get('c')
    focal = np.full(2, assumed_focal(*size)) if focal is None else focal
    center = size / 2 if center is None else center
    return np.float32(focal).reshape(2), np.float32(center).reshape(2)
