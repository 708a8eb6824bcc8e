"""Virtual camera of 3D views, and placement of lifted people on a floor.

World axes are x right, y away from the video's camera, z up; the floor is z = 0.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.chain.lifting.world import turn
from mmhot.skeletons.joints import ANKLE_HEIGHT
from mmhot.structures.clips_3d import Clip3D

_AZIMUTH = 20.0  # degrees; angle of the virtual camera to the right of the video's
_ELEVATION = 14.0  # degrees; angle of the virtual camera above the horizon
_SMOOTHING_SECONDS = 0.7  # smoothing window of people's positions on the floor
_MIN_DISTANCE = 2.5  # meters; smallest distance from the camera to its target
_MAX_FILLED = 0.84  # share of the image that people may fill
# Percentage of points outside each edge of a view. They may be outliers.
_OUTSIDE = 0.5
_FLOOR_MARGIN = 0.5  # meters of floor around people
_MIN_HALF_FLOOR = 1.25  # meters; smallest half side of the floor
_CELL = 0.5  # meters; smallest cell of the floor's grid
_MAX_HALF_CELLS = 16  # cells on a half side of the floor; above, cells are larger


def view_axes(azimuth: float, elevation: float) -> np.ndarray:
    """Return the axes of a view of the world.

    Args:
        azimuth (float): Degrees by which the viewer stands to the right of the video's
            camera.
        elevation (float): Degrees by which the viewer stands above the horizon.

    Returns:
        np.ndarray: Unit vectors right, up and forward as rows, (3, 3).
    """
    around, above = np.radians([azimuth, elevation])
    right = np.array([np.cos(around), np.sin(around), 0.0])
    level = np.array([-np.sin(around), np.cos(around), 0.0])
    forward = np.cos(above) * level - (0, 0, np.sin(above))
    return np.stack([right, np.cross(right, forward), forward])


_AXES = view_axes(_AZIMUTH, _ELEVATION)


@dataclass
class VirtualCamera:
    """Pinhole camera with a square image, in the direction of the views of this module.

    Attributes:
        target (np.ndarray): World position in the image center, meters, (3,).
        distance (float): Distance from the camera to the target in meters.
        focal_length (float): Focal length in sides of the image; 1.55 is an angle of
            view of 36 degrees.
    """

    target: np.ndarray
    distance: float

    focal_length = 1.55

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points to the image.

        Args:
            points (np.ndarray): World positions, meters, (..., 3).

        Returns:
            tuple[np.ndarray, np.ndarray]: Positions in the image, from 0 at the left
            and the top to 1, (..., 2), and distances along the view, meters, (...).
        """
        in_camera = (points - self.target) @ _AXES.T
        depth = np.maximum(in_camera[..., 2] + self.distance, 0.1)
        flat = in_camera[..., :2] * (self.focal_length / depth[..., None])
        return 0.5 + flat * (1, -1), depth


def place_on_floor(clip: Clip3D) -> tuple[np.ndarray, np.ndarray]:
    """Place people on the floor of the world; a single person stays at its center.

    Several people keep their positions relative to each other. The floor of a clip in
    other axes is found as if its camera moved.

    Args:
        clip (Clip3D): Poses in any axes.

    Returns:
        tuple[np.ndarray, np.ndarray]: World positions in meters, (N, K, 3), and pixels
        per meter of each person in the video, (N,).
    """
    clip = turn(clip, 'world')
    root = clip.root_3d.astype(np.float64)
    # People without a distance, or with one that cannot be, have a size of 0.
    depth = np.where(root[:, 1] > 0.1, root[:, 1], np.inf)
    if np.isfinite(root[:, 1]).any():
        root[:, 1] -= np.nanmedian(root[:, 1])
    tracks = np.unique(clip.track)
    if len(tracks) == 1:
        root[:, :2] = 0
    for track in tracks:
        rows = clip.track == track
        root[rows, :2] = smooth(root[rows, :2], _SMOOTHING_SECONDS * clip.fps)
    # Drawn bodies have no soles, so their ankles touch the floor.
    root[:, 2] -= ANKLE_HEIGHT
    return clip.keypoints_3d + np.nan_to_num(root)[:, None], clip.focal_length / depth


def fit_camera(points: np.ndarray) -> VirtualCamera:
    """Return the nearest camera that shows points in its image.

    Args:
        points (np.ndarray): World positions, meters, (..., 3); NaN if unknown.

    Returns:
        VirtualCamera: The camera.
    """
    points = points[np.isfinite(points).all(-1)]
    points = points[:: max(1, len(points) // 20_000)]  # enough for percentiles
    # A point is in the image if |x - center| <= slope * (depth + distance): it limits
    # distance + center / slope at one edge, distance - center / slope at the other.
    slope = 0.5 * _MAX_FILLED / VirtualCamera.focal_length
    in_camera = points @ _AXES.T
    sides = in_camera[:, :2] / slope
    depth = in_camera[:, 2:]
    high = np.percentile(sides - depth, 100 - _OUTSIDE, axis=0)
    low = np.percentile(-sides - depth, 100 - _OUTSIDE, axis=0)
    middle = np.median(depth)
    target = np.append(slope * (high - low) / 2, middle)
    distance = max((high + low).max() / 2 + middle, _MIN_DISTANCE)
    return VirtualCamera(target @ _AXES, distance)


def floor_extent(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the part of the floor to draw around points.

    Args:
        points (np.ndarray): World positions, meters, (..., 3); NaN if unknown.

    Returns:
        tuple[np.ndarray, float]: Corners (x, y), low and high, in meters, (2, 2), and
        the side of a grid cell. Corners are at lines of the grid.
    """
    points = points[np.isfinite(points).all(-1)][:, :2]
    low, high = np.percentile(points, (_OUTSIDE, 100 - _OUTSIDE), axis=0)
    middle = (low + high) / 2
    half = np.maximum((high - low) / 2 + _FLOOR_MARGIN, _MIN_HALF_FLOOR)
    cell = _CELL
    while half.max() / cell > _MAX_HALF_CELLS:
        cell *= 2
    corners = [np.floor((middle - half) / cell), np.ceil((middle + half) / cell)]
    return np.stack(corners) * cell, cell


def smooth(values: np.ndarray, frames: float) -> np.ndarray:
    """Return the moving average of values.

    Args:
        values (np.ndarray): Values by frame, (T, ...).
        frames (float): Length of the window.

    Returns:
        np.ndarray: Averages, (T, ...); NaN where a value in the window is NaN.

    >>> smooth(np.array([3.0, 0, 3, 3, np.nan, 3, 3, 0, 3]), frames=2).round(1).tolist()
    [2.0, 2.0, 2.0, nan, nan, nan, 2.0, 2.0, 2.0]
    """
    reach = min(int(frames / 2), len(values) - 1)
    # The running sums of SciPy's uniform_filter1d would stay NaN from the first NaN on.
    weights = np.full(2 * reach + 1, 1 / (2 * reach + 1))
    return scipy.ndimage.correlate1d(values, weights, axis=0, mode='nearest')
