"""Where lifted people stand, and a virtual camera that looks at them.

World axes are x right, y away from the video's camera, z up; the floor is z = 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from mmhot.clips import Clip3D, to_axes
from mmhot.lens import DEFAULT_FOCAL_RATIO
from mmhot.lifting.ground import ANKLE_HEIGHT
from mmhot.lifting.world import place_people, to_world

_PLACE_SECONDS = 0.7
# Metres from the camera to what it looks at, at least.
_NEAREST = 2.5
# People who are smaller than this, of the large ones' size, are background.
_PROMINENT = 0.5


@dataclass
class Stage:
    """People of a clip on a common floor.

    Attributes:
        points (np.ndarray): World positions in meters, (N, K, 3).
        pixels_per_meter (np.ndarray): Size of each person in the video, (N,).
    """

    points: np.ndarray
    pixels_per_meter: np.ndarray


@dataclass
class Viewpoint:
    """A pinhole camera that circles a target; image coordinates run from 0 to 1.

    Attributes:
        target (np.ndarray): World position in the picture's center, (3,).
        distance (float): From camera to target in meters.
        azimuth (float): Degrees; 0 looks as the video's camera does, positive
            values look from further right.
        elevation (float): Degrees above the horizon.
    """

    target: np.ndarray
    distance: float
    azimuth: float
    elevation: float

    focal_length = 1.55  # 36 degrees from edge to edge

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project world points (..., 3) to positions (..., 2) and depths (...)."""
        seen = (points - self.target) @ _view_axes(self.azimuth, self.elevation).T
        depth = np.maximum(seen[..., 2] + self.distance, 0.1)
        flat = seen[..., :2] * (self.focal_length / depth[..., None])
        return 0.5 + flat * (1, -1), depth


def set_stage(clip: Clip3D) -> Stage:
    """Put everybody's feet on the floor, and several people beside each other.

    A lone person stays in the middle; several stand where the picture says.
    """
    if clip.axes != 'world':
        clip = to_axes(clip, 'camera')
        if np.isnan(clip.root_3d).all():
            clip = place_people(clip)
        clip = to_world(clip)
    root = clip.root_3d.astype(np.float64)
    depth = np.where(root[:, 1] > 0.1, root[:, 1], np.inf)
    focal = clip.focal_length or DEFAULT_FOCAL_RATIO * max(clip.width, clip.height)
    root[:, 1] -= np.nanmedian(root[:, 1]) if np.isfinite(root[:, 1]).any() else 0
    tracks = np.unique(clip.track)
    if len(tracks) == 1:
        root[:, :2] = 0
    for track in tracks:
        rows = clip.track == track
        root[rows, :2] = _smooth(root[rows, :2], _PLACE_SECONDS * clip.fps)
    # drawn bodies have no soles: their ankles touch the floor
    root[:, 2] -= ANKLE_HEIGHT
    points = clip.keypoints_3d + np.nan_to_num(root)[:, None]
    return Stage(points, focal / depth)


def fit_viewpoint(
    points: np.ndarray, azimuths: np.ndarray, elevation: float, margin: float = 0.84
) -> Viewpoint:
    """Return the nearest viewpoint from which all people fit into a square picture.

    Args:
        points (np.ndarray): World positions, (..., 3).
        azimuths (np.ndarray): Degrees, all that the viewpoint will be turned to; it
            starts at the first.
        elevation (float): Degrees above the horizon.
        margin (float): Share of the picture that the people may fill.
    """
    points = points[np.isfinite(points).all(-1)]
    points = points[:: max(1, len(points) // 20_000)]
    limit = margin * 0.5 / Viewpoint.focal_length
    if len(azimuths) == 1:
        return _fit_still(points, float(azimuths[0]), elevation, limit)
    low, high = np.percentile(points, (1, 99), axis=0)
    target = (low + high) / 2
    target[2] = 0.48 * np.percentile(points[:, 2], 99.5)
    distance = _NEAREST
    for azimuth in azimuths:
        seen = (points - target) @ _view_axes(azimuth, elevation).T
        needed = np.abs(seen[:, :2]).max(axis=1) / limit - seen[:, 2]
        distance = max(distance, np.percentile(needed, 99.5))
    return Viewpoint(target, distance, float(azimuths[0]), elevation)


def _fit_still(
    points: np.ndarray, azimuth: float, elevation: float, limit: float
) -> Viewpoint:
    """The nearest viewpoint that sees points (N, 3) below a tangent of ``limit``."""
    axes = _view_axes(azimuth, elevation)
    seen = points @ axes.T
    depth = seen[:, 2:]
    # how far back each edge of the picture wants the camera, which stands at 0
    back = [
        np.percentile(sign * seen[:, :2] / limit - depth, 99.5, axis=0)
        for sign in (1, -1)
    ]
    middle = np.median(depth)
    target = np.append(limit * (back[0] - back[1]) / 2, middle)
    distance = max((back[0] + back[1]).max() / 2 + middle, _NEAREST)
    return Viewpoint(target @ axes, distance, azimuth, elevation)


def prominent(stage: Stage) -> np.ndarray:
    """Who matters for a viewpoint: not those far behind the others in the video.

    Args:
        stage (Stage): Of a clip.

    Returns:
        np.ndarray: Of each row, bool (N,); some are true.
    """
    size = stage.pixels_per_meter
    return size >= _PROMINENT * np.percentile(size, 90)


def floor_extent(points: np.ndarray, cell: float = 0.5) -> tuple[np.ndarray, float]:
    """Return the floor's corners ((x, y) low, (x, y) high) and the grid's cell size."""
    points = points[np.isfinite(points).all(-1)][:, :2]
    low, high = np.percentile(points, (0.5, 99.5), axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2 + 0.5, 1.25)
    while half.max() / cell > 16:
        cell *= 2
    return np.stack(
        [np.floor((middle - half) / cell), np.ceil((middle + half) / cell)]
    ) * cell, cell


def _view_axes(azimuth: float, elevation: float) -> np.ndarray:
    """Return the camera's axes right, up, forward as rows, (3, 3)."""
    turn, rise = np.radians(azimuth), np.radians(elevation)
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    forward = np.array(
        [-np.sin(turn) * np.cos(rise), np.cos(turn) * np.cos(rise), -np.sin(rise)]
    )
    return np.stack([right, np.cross(right, forward), forward])


def _smooth(values: np.ndarray, frames: float) -> np.ndarray:
    """Return the moving average over about so many frames, along the first axis."""
    reach = min(int(frames / 2), len(values) - 1)
    return uniform_filter1d(values, 2 * reach + 1, axis=0, mode='nearest')
