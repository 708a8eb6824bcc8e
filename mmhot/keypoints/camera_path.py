"""Camera path: rotation and zoom in each frame, from points of the background."""

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

    A camera that only rotates and zooms explains a frame if the median error of its
    background points stays below a limit. The limit grows with the rotation since the
    keyframe, as a wrong focal length causes errors, too.
    """

    # Scale of the robust (Cauchy) error of a point, share of the longer image side.
    # Higher values give outliers more weight.
    error_scale: float = 0.001
    rounds: int = 6  # Gauss-Newton steps of the fit in each frame
    # Largest median error of a frame that is explained, share of the longer image side.
    # Higher values call fewer cameras moving.
    max_error: float = 0.0005
    max_pixels: float = 0.24  # lower bound of this error in pixels, for small images
    doubling: float = 2.0  # rotation since the keyframe that doubles it, degrees
    # Least share of points in one homography in a frame that is explained. Higher
    # values call more cameras moving.
    min_inliers: float = 0.6
    # A camera moves if more than this share of frames is not explained. Higher values
    # call fewer cameras moving.
    max_failed: float = 0.3
    # Degrees; a camera that rotates less is static. Higher values call more static.
    max_static_turn: float = 0.2
    # Logarithm of the zoom; a camera that zooms less is static.
    max_static_zoom: float = 0.006
    min_frames: int = 3  # fewest frames of a shot that show a static camera
    interval: int = 15  # frames between those of the first, sparse pass
    # Edges are still if they differ in place by less than this share of the difference
    # a pixel aside. Higher values call more cameras static.
    max_moved: float = 0.6
    # Least share of frames that have edges, and of frames in which they are still.
    # Higher values call fewer cameras static.
    min_still: float = 0.9
    # Without edges, standing feet decide. Heights of the person; an ankle that moves
    # less within half a second stands. Higher values call more cameras static.
    max_ankle_path: float = 0.02
    # Least share of half seconds in which ankles stand before a static camera. Higher
    # values call fewer cameras static.
    min_standing: float = 0.5
    # Degrees; largest rotation from the first frame whose image has room for both
    # directions. A camera that turns farther has no path.
    max_turn: float = 75.0


@dataclass(frozen=True)
class FocalSearch:
    """Search for the focal length of a camera that turns."""

    # Shortest and longest focal length that is tried, in longer image sides
    focal_lengths: tuple[float, float] = (0.5, 5.0)
    focal_precision: float = 0.005  # precision of the focal length, logarithm
    num_frames: int = 60  # number of evenly spaced frames that are compared, about
    # Factor from the best focal length to a longer and to a shorter one. The best one
    # counts as known if both explain the background worse.
    compared_factor: float = 1.4
    # Least ratio of their errors to the error of the best focal length. Higher values
    # find fewer focal lengths.
    min_error_ratio: float = 1.1


_LIMITS = CameraLimits()
_SEARCH = FocalSearch()


@dataclass(frozen=True)
class CameraPath:
    """Rotation and zoom of the camera in each frame, relative to the shot's first."""

    # Rotation vectors in radians, (F, 3): a direction ``d`` in the frame's camera axes
    # is ``rotation_matrices(v) @ d`` in the camera axes of the first frame.
    rotations: np.ndarray
    zooms: np.ndarray  # focal length over the first frame's, (F,)
    # Median error of background points over the largest one that rotation and zoom may
    # leave, (F,): up to 1 they explain the frame. NaN where the camera is unknown.
    errors: np.ndarray
    inliers: np.ndarray  # share of the points in one homography, (F,)

    @property
    def explains(self) -> np.ndarray:
        """Frames (F,) that rotation and zoom of a fixed camera explain, bool."""
        return (self.errors <= 1) & (self.inliers >= _LIMITS.min_inliers)

    @property
    def moves(self) -> bool:
        """Whether the camera changes its place: too many frames are not explained."""
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

    Args:
        points (np.ndarray): Background points in the keyframe and in the frame, pixels,
            (F, N, 4), see :mod:`mmhot.tracking.background`.
        keyframe (np.ndarray): Row of each frame's keyframe, -1 if unknown, (F,).
        inliers (np.ndarray): Share of the points in one homography, (F,).
        size (tuple[int, int]): Width and height of the images.
        lens (Lens, optional): Lens in the first frame of each shot.
        moved (np.ndarray, optional): Unused; accepted so that all arrays of the
            background can be passed.

    Returns:
        CameraPath: Path of the camera. Frames without enough points repeat the frame
        before.
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

    Args:
        points (np.ndarray): Background points, pixels, (F, N, 4), as in
            :func:`solve_camera_path`.
        keyframe (np.ndarray): Row of each frame's keyframe, -1 if unknown, (F,).
        size (tuple[int, int]): Width and height of the images.

    Returns:
        Lens | None: A pinhole lens; None if other focal lengths explain the background
        nearly as well, as they do if the camera turns little.
    """
    step = -(-len(points) // _SEARCH.num_frames)
    chosen = np.union1d(keyframe[keyframe >= 0], np.arange(0, len(points), step))
    keys = keyframe[chosen]
    keys = np.where(keys < 0, -1, np.searchsorted(chosen, keys))

    def error_of(logarithm: float) -> float:
        focal = max(size) * float(np.exp(logarithm))
        return float(np.nanmean(_solve(points[chosen], keys, focal, size)[2]))

    best = scipy.optimize.minimize_scalar(
        error_of,
        bounds=np.log(_SEARCH.focal_lengths),
        options={'xatol': _SEARCH.focal_precision},
    )
    factor = np.log(_SEARCH.compared_factor)
    error = min(error_of(best.x - factor), error_of(best.x + factor))
    if not error > _SEARCH.min_error_ratio * best.fun:
        return None
    return Lens.pinhole(max(size) * float(np.exp(best.x)), *size)


def _solve(
    points: np.ndarray, keyframe: np.ndarray, focal: float, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit rotation and zoom of each frame relative to its keyframe.

    Points (F, N, 4) and the focal length are in pixels. Returns rotations (F, 3, 3),
    zooms (F,), median errors as a share of the longer image side (F,), NaN where
    unknown, and rotations from the keyframe in degrees (F,).
    """
    count = len(points)
    scale = float(max(size))
    rays = (points.reshape(count, -1, 2, 2) - np.array(size) / 2) / focal
    rotations = np.tile(np.eye(3), (count, 1, 1))
    zooms = np.ones(count)
    errors = np.zeros(count)
    turns = np.zeros(count)
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
        # Make it a rotation again: rounding errors would grow from frame to frame.
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

    Points (N, 2) are at unit focal length, and so is ``scale``, the scale of their
    robust error. Rotation (3, 3) and zoom are first guesses; returned are the fitted
    ones and the median error.
    """
    rays = np.column_stack([first, np.ones(len(first))])
    for _ in range(_LIMITS.rounds):
        x, y, z = (rays @ rotation.T).T
        z = np.maximum(z, 1e-3)
        u, v = zoom * x / z, zoom * y / z
        error = second - np.stack([u, v], -1)
        # Derivatives by rotations about x, y, z and by the logarithm of the zoom
        along_x = [-u * y / z, zoom + u * x / z, -zoom * y / z, u]
        along_y = [-zoom - v * y / z, v * x / z, zoom * x / z, v]
        slopes = np.stack([np.stack(along_x, -1), np.stack(along_y, -1)], 1)
        squared = (error**2).sum(-1)
        # Far from the solution all errors are large: scale the weights by their median.
        weights = 1 / (1 + squared / max(scale**2, float(np.median(squared))))
        normal = np.einsum('nai,n,naj->ij', slopes, weights, slopes)
        right = np.einsum('nai,n,na->i', slopes, weights, error)
        step = np.linalg.solve(normal + 1e-9 * np.eye(4), right)
        rotation = rotation_matrices(step[:3]) @ rotation
        zoom *= float(np.exp(step[3].clip(-0.3, 0.3)))
    return rotation, zoom, float(np.median(np.linalg.norm(error, axis=-1)))


def choose_path(path: CameraPath, name: str, stated: bool = False) -> np.ndarray | None:
    """Decide whether a camera is static, rotating or moving.

    Args:
        path (CameraPath): Fitted path of the camera.
        name (str): Name of the video, for warnings.
        stated (bool): Whether the user says that the camera keeps its place.

    Returns:
        np.ndarray | None: Rotation vectors in radians and zooms, (F, 4). A camera that
        hardly turns and zooms counts as static. None, with a warning, if the camera
        turns too far, or if it changes its place and ``stated`` is False.
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
        _LOGGER.warning(
            ArgumentError(
                '%s: the camera changes its place, or the background has too little '
                'texture: people have no common axes, and feet are not locked; '
                'positions in the world need a camera on a tripod, which {camera=%r} '
                'states',
                name,
                'static',
            )
        )
        return None
    if path.is_static:
        return static_path(len(path.zooms))
    if angle > _LIMITS.max_turn:
        _LOGGER.warning(
            '%s: the camera turns by %.0f degrees, more than %.0f: people have no '
            'common axes; split the video',
            name,
            angle,
            _LIMITS.max_turn,
        )
        return None
    return np.column_stack([path.rotations, path.zooms]).astype(np.float32)


def shows_static(path: CameraPath, keyframe: np.ndarray) -> bool:
    """Return whether the sparsely tracked frames show a static camera.

    Each shot needs enough of them; ``keyframe`` (F,) is the row of each keyframe.
    """
    count = len(keyframe)
    starts = np.flatnonzero(keyframe == np.arange(count))
    fewest = np.diff(np.append(starts, count)).min()
    shown = fewest >= _LIMITS.min_frames
    return bool(shown and path.is_static and not path.moves)


def seems_static(path: CameraPath, moved: np.ndarray, ankles: np.ndarray) -> bool:
    """Return whether a camera seems static though the background has little texture.

    The edges of the background stay in place, or, if there are none, the ankles of
    standing people do. Frames in which enough points were tracked must not show another
    motion.

    Args:
        path (CameraPath): Fitted path of the camera.
        moved (np.ndarray): Differences of edges (F,), see
            :mod:`mmhot.tracking.background`.
        ankles (np.ndarray): Distances that ankles move within half a second, in heights
            of the person, in any order, (N,).
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
    """Return whether a path (F, 4) has neither rotation nor zoom."""
    return bool((path == static_path(1)).all())


def static_path(num_frames: int) -> np.ndarray:
    """Return the path (F, 4) of a static camera."""
    return np.tile(np.array([0, 0, 0, 1], np.float32), (num_frames, 1))
