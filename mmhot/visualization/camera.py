"""Virtual camera of 3D views, and placement of lifted people on a floor.

World axes are x right, y away from the video's camera, z up; the floor is z = 0.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.lifting.world import turn
from mmhot.skeletons.joints import ANKLE_HEIGHT
from mmhot.structures.clips_3d import Clip3D
from mmhot.structures.lens import assumed_focal

_AZIMUTH = 20.0  # degrees; angle of the virtual camera to the right of the video's
_ELEVATION = 14.0  # degrees; angle of the virtual camera above the horizon
# Smoothing window of positions on the floor, seconds.
_SMOOTHING_SECONDS = 0.7
# Smallest distance from the camera to its target, meters.
_MIN_DISTANCE = 2.5
# Share of the image that people may fill.
_FILLED = 0.84


def view_axes(azimuth: float, elevation: float) -> np.ndarray:
    """Return the axes right, up, forward of a view as rows, (3, 3), from degrees.

    Azimuth 0 is the direction of the video's camera; elevation is above the horizon.
    """
    turn, rise = np.radians([azimuth, elevation])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    forward = np.array(
        [-np.sin(turn) * np.cos(rise), np.cos(turn) * np.cos(rise), -np.sin(rise)]
    )
    return np.stack([right, np.cross(right, forward), forward])


_AXES = view_axes(_AZIMUTH, _ELEVATION)


@dataclass
class VirtualCamera:
    """A pinhole camera that looks at a target; image coordinates are from 0 to 1."""

    target: np.ndarray  # world position in the image center, (3,)
    distance: float  # distance from camera to target in meters

    focal_length = 1.55  # image sides; the angle of view is 36 degrees

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project world points (..., 3) to image positions (..., 2), depths (...)."""
        in_camera = (points - self.target) @ _AXES.T
        depth = np.maximum(in_camera[..., 2] + self.distance, 0.1)
        flat = in_camera[..., :2] * (self.focal_length / depth[..., None])
        return 0.5 + flat * (1, -1), depth


def place_on_floor(clip: Clip3D) -> tuple[np.ndarray, np.ndarray]:
    """Put feet on the floor, and a single person into the center.

    Several people keep their positions relative to each other. The floor of a clip in
    ``'world'`` axes is the clip's; other clips are turned as if the camera moved.

    Returns:
        tuple[np.ndarray, np.ndarray]: World positions in meters, (N, K, 3), and pixels
        per meter of each person in the video, (N,).
    """
    clip = turn(clip, 'world')
    root = clip.root_3d.astype(np.float64)
    depth = np.where(root[:, 1] > 0.1, root[:, 1], np.inf)
    focal = clip.focal_length or assumed_focal(clip.width, clip.height)
    root[:, 1] -= np.nanmedian(root[:, 1]) if np.isfinite(root[:, 1]).any() else 0
    tracks = np.unique(clip.track)
    if len(tracks) == 1:
        root[:, :2] = 0
    for track in tracks:
        rows = clip.track == track
        root[rows, :2] = smooth(root[rows, :2], _SMOOTHING_SECONDS * clip.fps)
    # Drawn bodies have no soles, so their ankles touch the floor.
    root[:, 2] -= ANKLE_HEIGHT
    return clip.keypoints_3d + np.nan_to_num(root)[:, None], focal / depth


def fit_camera(points: np.ndarray) -> VirtualCamera:
    """Return the nearest camera that shows world points (..., 3) in a square image."""
    points = points[np.isfinite(points).all(-1)]
    points = points[:: max(1, len(points) // 20_000)]
    limit = 0.5 * _FILLED / VirtualCamera.focal_length
    in_camera = points @ _AXES.T
    depth = in_camera[:, 2:]
    # Distances from the origin at which points reach an edge of the image, in x and y.
    back = [
        np.percentile(sign * in_camera[:, :2] / limit - depth, 99.5, axis=0)
        for sign in (1, -1)
    ]
    middle = np.median(depth)
    target = np.append(limit * (back[0] - back[1]) / 2, middle)
    distance = max((back[0] + back[1]).max() / 2 + middle, _MIN_DISTANCE)
    return VirtualCamera(target @ _AXES, distance)


def floor_extent(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the floor's corners ((x, y) low, (x, y) high) and its grid spacing."""
    points = points[np.isfinite(points).all(-1)][:, :2]
    low, high = np.percentile(points, (0.5, 99.5), axis=0)
    middle = (low + high) / 2
    half = np.maximum((high - low) / 2 + 0.5, 1.25)
    cell = 0.5
    while half.max() / cell > 16:
        cell *= 2
    corners = [np.floor((middle - half) / cell), np.ceil((middle + half) / cell)]
    return np.stack(corners) * cell, cell


def smooth(values: np.ndarray, frames: float) -> np.ndarray:
    """Return the moving average of (T, ...) over about ``frames`` rows."""
    reach = min(int(frames / 2), len(values) - 1)
    weights = np.full(2 * reach + 1, 1 / (2 * reach + 1))
    return scipy.ndimage.correlate1d(values, weights, axis=0, mode='nearest')
