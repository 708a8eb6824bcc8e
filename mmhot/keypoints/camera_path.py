"""Path of a camera: rotation and zoom in each frame, from points of the background."""

import logging
from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import ArgumentError
from mmhot.geometry.rotations import quaternions_of, rotation_matrices, rotation_vectors
from mmhot.structures.lens import Lens, ideal_pixels

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraLimits:
    """Limits of static, rotating and moving cameras, and of the fit of their paths.

    The median error of points may be larger after a turn since the keyframe, as a wrong
    focal length causes errors, too.
    """

    error_scale: float = 0.001  # of a point (Cauchy), share of the longer image side
    rounds: int = 6  # steps of the fit
    max_error: float = 0.0005  # median error if rotating, share of the longer side
    max_pixels: float = 0.24  # the same in small images, pixels
    doubling: float = 2.0  # turn that doubles the largest error, degrees
    min_inliers: float = 0.6  # least share of points in one homography if rotating
    max_failed: float = 0.3  # largest share of frames in which a camera seems to move
    max_static_turn: float = 0.2  # rotation of a static camera, degrees
    max_static_zoom: float = 0.006  # change of a static camera's zoom, logarithm
    min_frames: int = 3  # frames of a shot that show whether the camera is static
    interval: int = 15  # frames from one that is looked at to the next, at first
    # Difference of edges in place, as a share of that a pixel aside, up to which they
    # are still; higher calls more cameras static. In most frames they must be.
    max_moved: float = 0.6
    min_still: float = 0.9
    # The same of ankles of people who stand, where there are no edges: path within
    # half a second, heights of the person, and the share of half seconds.
    max_ankle_path: float = 0.02
    min_standing: float = 0.5
    max_turn: float = 75.0  # between two directions of one virtual image, degrees


@dataclass(frozen=True)
class FocalSearch:
    """Search of the focal length of a camera that turns."""

    ratios: tuple[float, float] = (0.5, 5.0)  # tried, in longer image sides
    precision: float = 0.005  # of the focal length, logarithm
    frames: int = 60  # that are compared
    other: float = 1.4  # factor of longer and shorter focal lengths
    worse: float = 1.1  # least ratio of their errors to that of the best


_LIMITS, _SEARCH = CameraLimits(), FocalSearch()


@dataclass(frozen=True)
class CameraPath:
    """Rotation and zoom of the camera in each frame, relative to the shot's first."""

    # rotation vectors in radians, (F, 3): a direction ``d`` in the frame's camera axes
    # is ``rotation_matrices(v) @ d`` in those of the first frame
    rotations: np.ndarray
    zooms: np.ndarray  # focal length over that of the first frame, (F,)
    # median error of background points over the largest error of a camera that keeps
    # its place, (F,); NaN where the camera is not known
    errors: np.ndarray
    inliers: np.ndarray  # share of the points in one homography, (F,)

    @property
    def explains(self) -> np.ndarray:
        """Frames (F,) that a camera that keeps its place explains."""
        return (self.errors <= 1) & (self.inliers >= _LIMITS.min_inliers)

    @property
    def moves(self) -> bool:
        """Whether the camera changes its place, by the errors of many frames."""
        return bool((~self.explains).mean() > _LIMITS.max_failed)

    @property
    def is_static(self) -> bool:
        """Whether the camera hardly turns and zooms."""
        angles = np.degrees(np.linalg.norm(self.rotations, axis=-1))
        is_still = angles.max() < _LIMITS.max_static_turn
        zoomed = abs(np.log(self.zooms)).max()
        return bool(is_still and zoomed < _LIMITS.max_static_zoom)


def solve_camera_path(
    points: np.ndarray,
    keyframe: np.ndarray,
    inliers: np.ndarray,
    size: tuple[int, int],
    lens: Lens | None = None,
    moved: np.ndarray | None = None,
) -> CameraPath:
    """Fit rotation and zoom to background points, frame by frame.

    Points (F, N, 4), keyframes and inliers (F,) are those of
    :mod:`mmhot.tracking.background`, as is what else it saw; the lens is that of the
    first frame of each shot. Frames without enough points repeat the frame before.
    """
    points, focal = ideal_pixels(points.reshape(len(points), -1, 2), size, lens)
    rotations, zooms, errors, turns = _solve(points, keyframe, focal, size)
    limit = max(_LIMITS.max_error, _LIMITS.max_pixels / max(size))
    errors = errors / (limit * (1 + turns / _LIMITS.doubling))
    vectors = rotation_vectors(quaternions_of(rotations))
    return CameraPath(vectors, zooms, errors, inliers)


def find_lens(
    points: np.ndarray, keyframe: np.ndarray, size: tuple[int, int]
) -> Lens | None:
    """Find the focal length with which a turning camera explains its background best.

    Arguments are those of :func:`solve_camera_path`. None if the camera turns too
    little, or other focal lengths explain the background nearly as well.
    """
    step = -(-len(points) // _SEARCH.frames)
    chosen = np.union1d(keyframe[keyframe >= 0], np.arange(0, len(points), step))
    keys = keyframe[chosen]
    keys = np.where(keys < 0, -1, np.searchsorted(chosen, keys))

    def error_of(logarithm: float) -> float:
        focal = max(size) * float(np.exp(logarithm))
        return float(np.nanmean(_solve(points[chosen], keys, focal, size)[2]))

    bounds, other = np.log(_SEARCH.ratios), np.log(_SEARCH.other)
    best = scipy.optimize.minimize_scalar(
        error_of, bounds=bounds, options={'xatol': _SEARCH.precision}
    )
    others = [error_of(best.x + shift) for shift in (-other, other)]
    if not min(others) > _SEARCH.worse * best.fun:
        return None
    return Lens.pinhole(max(size) * float(np.exp(best.x)), *size)


def _solve(
    points: np.ndarray, keyframe: np.ndarray, focal: float, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit rotations (F, 3, 3) and zooms (F,).

    Other results are the median errors over the longer side, NaN where unknown, and
    degrees from the keyframe.
    """
    count, scale = len(points), float(max(size))
    rays = (points.reshape(count, -1, 2, 2) - np.array(size) / 2) / focal
    rotations = np.tile(np.eye(3), (count, 1, 1))
    zooms, errors, turns = np.ones(count), np.zeros(count), np.zeros(count)
    for frame in range(count):
        key = keyframe[frame]
        if key == frame:
            continue
        before = frame - 1 if frame else 0
        rotations[frame], zooms[frame] = rotations[before], zooms[before]
        is_seen = np.isfinite(rays[frame]).all((1, 2))
        if key < 0 or is_seen.sum() < 4:
            errors[frame] = np.nan
            continue
        pairs = rays[frame, is_seen]
        first, second = pairs[:, 0] / zooms[key], pairs[:, 1]
        guess = rotations[frame].T @ rotations[key], zooms[frame]
        error_scale = _LIMITS.error_scale * scale / focal
        relative, zooms[frame], error = _fit(first, second, *guess, error_scale)
        # rounding errors would grow from frame to frame
        u, _, vt = np.linalg.svd(rotations[key] @ relative.T)
        rotations[frame] = u @ vt
        turn = np.linalg.norm(rotation_vectors(quaternions_of(relative)))
        turns[frame] = np.degrees(turn)
        errors[frame] = error * focal / scale
    return rotations, zooms, errors, turns


def _fit(
    first: np.ndarray,
    second: np.ndarray,
    rotation: np.ndarray,
    zoom: float,
    scale: float,
) -> tuple[np.ndarray, float, float]:
    """Fit ``second = zoom * project(rotation @ first)`` by robust Gauss-Newton steps.

    Points (N, 2) are at unit focal length; rotation and zoom are first guesses, and
    returned with the median error. ``scale`` is that of the errors.
    """
    rays = np.column_stack([first, np.ones(len(first))])
    for _ in range(_LIMITS.rounds):
        x, y, z = (rays @ rotation.T).T
        z = np.maximum(z, 1e-3)
        u, v = zoom * x / z, zoom * y / z
        error = second - np.stack([u, v], -1)
        # by rotations about x, y, z and by the logarithm of the zoom
        along_x = [-u * y / z, zoom + u * x / z, -zoom * y / z, u]
        along_y = [-zoom - v * y / z, v * x / z, zoom * x / z, v]
        slopes = np.stack([np.stack(along_x, -1), np.stack(along_y, -1)], 1)
        squared = (error**2).sum(-1)
        # far from the solution all errors are large
        weights = 1 / (1 + squared / max(scale**2, float(np.median(squared))))
        normal = np.einsum('nai,n,naj->ij', slopes, weights, slopes)
        right = np.einsum('nai,n,na->i', slopes, weights, error)
        step = np.linalg.solve(normal + 1e-9 * np.eye(4), right)
        rotation = rotation_matrices(step[:3]) @ rotation
        zoom *= float(np.exp(step[3].clip(-0.3, 0.3)))
    return rotation, zoom, float(np.median(np.linalg.norm(error, axis=-1)))


def choose_path(path: CameraPath, name: str, stated: bool = False) -> np.ndarray | None:
    """Return rotation vectors and zooms (F, 4) of a camera that keeps its place.

    They are left out if both are within the error. None, with a warning that names the
    video, if the camera turns too far, or changes its place and is not ``stated`` to
    keep it.
    """
    angle = float(np.degrees(np.linalg.norm(path.rotations, axis=-1)).max())
    if path.moves and stated:
        text = (
            '%s: a camera that turns and zooms explains the background in %.0f %% of '
            'the frames; {camera=%r} is kept'
        )
        right = 100 * float(path.explains.mean())
        _LOGGER.warning(ArgumentError(text, name, right, 'rotating'))
    elif path.moves:
        text = (
            '%s: the camera changes its place, or the background has too little '
            'texture: people have no common axes, and feet are not locked; positions '
            'in the world need a camera on a tripod, which {camera=%r} states'
        )
        _LOGGER.warning(ArgumentError(text, name, 'static'))
        return None
    if path.is_static:
        return static_path(len(path.zooms))
    if angle > _LIMITS.max_turn:
        text = '%s: the camera turns by %.0f degrees, of at most %.0f: people have no '
        text += 'common axes; split the video'
        _LOGGER.warning(text, name, angle, _LIMITS.max_turn)
        return None
    return np.column_stack([path.rotations, path.zooms]).astype(np.float32)


def shows_static(path: CameraPath, keyframe: np.ndarray) -> bool:
    """Return whether some frames, enough of each shot, show a static camera."""
    count = len(keyframe)
    starts = np.flatnonzero(keyframe == np.arange(count))
    fewest = np.diff(np.append(starts, count)).min()
    shown = fewest >= _LIMITS.min_frames
    return bool(shown and path.is_static and not path.moves)


def seems_static(path: CameraPath, moved: np.ndarray, ankles: np.ndarray) -> bool:
    """Return whether a camera is static before a background of too little texture.

    Its edges are where they were, or, where there are none, ankles of people who stand.
    What was found again must not show another motion.

    Args:
        path (CameraPath): Its path.
        moved (np.ndarray): Differences of edges (F,), see
            :mod:`mmhot.tracking.background`.
        ankles (np.ndarray): Paths of ankles within half a second, heights of people, in
            any order, (N,).
    """
    unknown = ~np.isfinite(path.errors) | (path.inliers < _LIMITS.min_inliers)
    known = CameraPath(*(values[~unknown] for values in vars(path).values()))
    if unknown.mean() <= _LIMITS.max_failed or known.moves or not known.is_static:
        return False
    if np.isfinite(moved).mean() >= _LIMITS.min_still:
        return bool((moved <= _LIMITS.max_moved).mean() >= _LIMITS.min_still)
    standing = ankles <= _LIMITS.max_ankle_path
    return bool(standing.sum() > _LIMITS.min_standing * max(len(ankles), 1))


def describe_path(path: np.ndarray) -> str:
    """Describe the path (F, 4) of a camera in a few words."""
    if is_static(path):
        return 'static camera'
    angle = np.degrees(np.linalg.norm(path[:, :3], axis=-1)).max()
    zoom = f'zoom {path[:, 3].min():.2f} to {path[:, 3].max():.2f}'
    return f'rotating camera, by up to {angle:.1f} degrees, {zoom}'


def is_static(path: np.ndarray) -> bool:
    """Return whether a path (F, 4) is that of a static camera."""
    return bool((path == static_path(1)).all())


def static_path(num_frames: int) -> np.ndarray:
    """Return the path (F, 4) of a static camera."""
    return np.tile(np.array([0, 0, 0, 1], np.float32), (num_frames, 1))
