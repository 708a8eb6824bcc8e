"""Camera path: rotation and zoom in each frame, from points of the background.

A camera that keeps its place maps the background of a keyframe to that of another frame
by a rotation and a zoom. Both are fitted to matched points, frame by frame, by robust
Gauss-Newton steps. If they leave larger errors than a rotating camera can, the camera
moves.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import ArgumentError
from mmhot.geometry.rotations import quaternions_of, rotation_matrices, rotation_vectors
from mmhot.structures.lens import Lens, ideal_pixels

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class CameraLimits:
    """Limits of static, rotating and moving cameras, and of the fit of their paths.

    Rotation and zoom explain a frame if the median error of its background points stays
    below a limit. The limit grows with the rotation since the keyframe, as a wrong
    focal length causes errors, too. Ranges are those of six real videos and of drawn
    points with .25 px of noise: pans, zooms, a camera that is carried, a static one.
    """

    # Share of the longer image side; scale of the robust (Cauchy) error of a point.
    # 0.5 to 2 of it change angles by .04 degrees.
    error_scale: float = 0.001
    # Gauss-Newton steps of the fit in each frame; 3 to 60 change angles by .04 degrees.
    rounds: int = 6
    # Share of the longer image side; largest median error of a frame that is explained.
    # With half of it the drawn static camera moves, with double two carried ones do
    # not.
    max_error: float = 0.0005
    # Pixels; the same limit for small images, if it is larger. With half of it a zoom
    # moves, with double three carried cameras do not.
    max_pixels: float = 0.24
    # Degrees; rotation since the keyframe that doubles the limit. Results stay from 1
    # to 10 of it, with half of it a carried camera does not move.
    doubling: float = 2.0
    # Share of points that fit one homography in a frame that is explained. With half of
    # it a drawn carried camera only turns.
    min_inliers: float = 0.6
    # Share of frames that are not explained; with more the camera is moving. Results
    # stay from 0.5 to 1 of it, with double two carried cameras do not move.
    max_failed: float = 0.3
    # Share of frames that are explained with the assumed lens; with less the camera
    # moves whatever its lens is. Drawn pans with focal lengths of 0.5 to 2 of the
    # longer image side have .2 to .9, with others no lens is found.
    min_explained: float = 0.1
    # Degrees; a camera that rotates less is static. A static one reaches .1, one that
    # is held still .21.
    max_static_turn: float = 0.2
    # Logarithm of the zoom; a camera that zooms less is static. Results stay from 0.75
    # to 6 of it.
    max_static_zoom: float = 0.01
    # Fewest frames of a video or shot that show a camera: two show no path, and with
    # double a static camera of three is unknown.
    min_frames: int = 3
    interval: int = 15  # frames between two frames of the first, sparse pass
    # Frames between two frames of the second pass. 1 to 3 give the same verdicts for
    # eight real videos. With 2, frames between them turn by .05 degrees more or less.
    second_interval: int = 2
    # Edges are still if they differ less in place than this share of the difference a
    # pixel aside: up to .46 in nine of ten frames of static cameras, from 1 in these of
    # cameras that turn or move. Results stay from 0.5 to 2 of it.
    max_moved: float = 0.6
    # Share of frames with edges that are still, of a static camera. Results stay from
    # 0.5 to 1 of it.
    min_still: float = 0.9
    # Degrees; largest rotation from the first frame, as keypoints of all frames are
    # mapped to its image plane: at 75 they are 4 focal lengths from its center.
    max_turn: float = 75.0
    # Borders of split screens. Share of a line's pixels with a step of the brightness,
    # mean of the frames: edges of walls and floors reach .9 in 24 videos, but people
    # stand across them; 10 of 17 videos that were joined from two have more.
    border_steps: float = 0.8
    # People's boxes across a border, over the ones on the side with fewer; below this.
    # Results of the tests stay from 0.5 to 10 of it.
    border_people: float = 0.2
    # Share of the image's side by which boxes exceed their view; 0 to 2 of it are as
    # good in the tests.
    border_margin: float = 0.02


@dataclass(frozen=True)
class FocalSearch:
    """Search for the focal length of a camera that turns."""

    # Longer image sides; shortest and longest focal length that is tried
    focal_lengths: tuple[float, float] = (0.5, 5.0)
    # Logarithm; precision of the focal length. 0.1 to 2 of it change angles by .02
    # degrees.
    focal_precision: float = 0.02
    num_frames: int = 30  # about this many evenly spaced frames are compared
    # Factor from the best focal length to a longer and to a shorter one. The best one
    # counts as known if both explain the background worse. With double, one more of the
    # real videos gets a focal length.
    compared_factor: float = 1.4
    # Ratio of their smaller error to the error of the best focal length. Results stay
    # up to 2 of it; with 1.15 the same video gets one.
    min_error_ratio: float = 1.2


_LIMITS = CameraLimits()
_SEARCH = FocalSearch()
_FEWEST_POINTS = 4  # background points, to which rotation and zoom can be fitted


@dataclass(frozen=True)
class CameraPath:
    """Rotation and zoom of the camera in each frame, relative to the shot's first.

    Attributes:
        rotations (np.ndarray): Rotation vectors in radians, (F, 3). With the vector
            ``v`` of a frame, a direction ``d`` in its camera axes is
            ``rotation_matrices(v) @ d`` in the camera axes of the first frame.
        zooms (np.ndarray): Focal length relative to the first frame's, (F,).
        errors (np.ndarray): Median error of background points, relative to the largest
            one that a rotating camera may leave, (F,); NaN where the camera is unknown.
        inliers (np.ndarray): Share of the points that fit one homography, (F,).
    """

    rotations: np.ndarray
    zooms: np.ndarray
    errors: np.ndarray
    inliers: np.ndarray

    @property
    def explains(self) -> np.ndarray:
        """Frames that rotation and zoom explain, (F,) bool."""
        return (self.errors <= 1) & (self.inliers >= _LIMITS.min_inliers)

    @property
    def moves(self) -> bool:
        """Whether the camera changes its place: too many frames are not explained."""
        return bool((~self.explains).mean() > _LIMITS.max_failed)

    @property
    def turn(self) -> float:
        """Largest rotation from the first frame, degrees."""
        return float(np.degrees(np.linalg.norm(self.rotations, axis=-1)).max())

    @property
    def is_static(self) -> bool:
        """Whether the camera hardly turns and zooms."""
        zoom = abs(np.log(self.zooms)).max()
        is_still = self.turn < _LIMITS.max_static_turn
        return bool(is_still and zoom < _LIMITS.max_static_zoom)


def solve_camera_path(
    points: np.ndarray,
    keyframe: np.ndarray,
    inliers: np.ndarray,
    size: tuple[int, int],
    lens: Lens | None = None,
) -> CameraPath:
    """Fit rotation and zoom to background points, frame by frame.

    Args:
        points (np.ndarray): Background points in the keyframe and in the frame, x, y,
            x, y in pixels, (F, N, 4), see :mod:`mmhot.chain.tracking.background`.
        keyframe (np.ndarray): Row of each frame's keyframe, -1 if unknown, (F,).
        inliers (np.ndarray): Share of the points that fit one homography, (F,).
        size (tuple[int, int]): Width and height of the images.
        lens (Lens, optional): Lens in the first frame of each shot.

    Returns:
        CameraPath: Path of the camera. Frames without enough points repeat the frame
        before.

    Example:
        A camera with a focal length of 1000 pixels pans to the right by 2 degrees.

        >>> angles = np.radians(np.linspace(-20, 20, 9))
        >>> first, second = 1000 * np.tan([angles, angles - np.radians(2)]) + 640
        >>> height = np.full(9, 360)
        >>> same = np.stack([first, height, first, height], 1)
        >>> pan = np.stack([first, height, second, height], 1)
        >>> lens = Lens.pinhole(1000, 1280, 720)
        >>> path = solve_camera_path(
        ...     np.stack([same, pan]), np.zeros(2, int), np.ones(2), lens.size, lens)
        >>> np.degrees(path.rotations).round(3) + 0
        array([[0., 0., 0.],
               [0., 2., 0.]])
    """
    points, focal = ideal_pixels(points.reshape(len(points), -1, 2), size, lens)
    fits = _solve(points, keyframe, focal, size)
    limit = max(_LIMITS.max_error, _LIMITS.max_pixels / max(size))
    errors = fits.errors / (limit * (1 + fits.turns / _LIMITS.doubling))
    vectors = rotation_vectors(quaternions_of(fits.rotations))
    return CameraPath(vectors, fits.zooms, errors, inliers)


def find_lens(
    points: np.ndarray, keyframe: np.ndarray, size: tuple[int, int]
) -> Lens | None:
    """Find the focal length with which rotations explain the background best.

    Args:
        points (np.ndarray): Background points, pixels, (F, N, 4), as in
            :func:`solve_camera_path`.
        keyframe (np.ndarray): Row of each frame's keyframe, -1 if unknown, (F,).
        size (tuple[int, int]): Width and height of the images.

    Returns:
        Lens | None: A pinhole lens; None if other focal lengths explain the background
        nearly as well, for example because the camera hardly turns.
    """
    step = -(-len(points) // _SEARCH.num_frames)
    chosen = np.union1d(keyframe[keyframe >= 0], np.arange(0, len(points), step))
    keys = keyframe[chosen]
    keys = np.where(keys < 0, -1, np.searchsorted(chosen, keys))

    def error_of(logarithm: float) -> float:
        focal = max(size) * float(np.exp(logarithm))
        return float(np.nanmean(_solve(points[chosen], keys, focal, size).errors))

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


class _Fits(NamedTuple):
    """Rotations and zooms that are fitted to the background of each frame."""

    rotations: np.ndarray  # relative to the shot's first frame, (F, 3, 3)
    zooms: np.ndarray  # relative to the shot's first frame, (F,)
    errors: np.ndarray  # median, share of the longer image side, (F,); NaN if unknown
    turns: np.ndarray  # rotations since the keyframe, degrees, (F,)


def _solve(
    points: np.ndarray, keyframe: np.ndarray, focal: float, size: tuple[int, int]
) -> _Fits:
    """Fit rotation and zoom of each frame relative to its keyframe.

    ``points`` (F, N, 4) and ``focal`` are in pixels, and ``keyframe`` (F,) is the row
    of each frame's keyframe. Keyframes come before their frames.
    """
    count = len(points)
    scale = float(max(size))
    rays = (points.reshape(count, -1, 2, 2) - np.array(size) / 2) / focal
    numbers = np.arange(count)
    is_fitted = np.isfinite(rays).all((2, 3)).sum(1) >= _FEWEST_POINTS
    is_fitted &= (keyframe >= 0) & (keyframe != numbers)
    is_known = is_fitted | (keyframe == numbers)
    # Unknown frames repeat the last known one, also where they are keyframes.
    last = np.maximum.accumulate(np.where(is_known, numbers, 0))
    fits = _Fits(
        rotations=np.tile(np.eye(3), (count, 1, 1)),
        zooms=np.ones(count),
        errors=np.where(is_known, 0, np.nan),
        turns=np.zeros(count),
    )
    for key in np.unique(keyframe[is_fitted]):
        rows = np.flatnonzero(is_fitted & (keyframe == key))
        start, end = np.moveaxis(rays[rows], 2, 0)
        before = last[key]
        relative, fits.zooms[rows], errors = _fit(
            start / fits.zooms[before],
            end,
            zoom=fits.zooms[before],
            scale=_LIMITS.error_scale * scale / focal,
        )
        # Make them rotations again: rounding errors would grow from frame to frame.
        u, _, vt = np.linalg.svd(fits.rotations[before] @ relative.swapaxes(1, 2))
        fits.rotations[rows] = u @ vt
        turns = np.linalg.norm(rotation_vectors(quaternions_of(relative)), axis=-1)
        fits.turns[rows] = np.degrees(turns)
        fits.errors[rows] = errors * focal / scale
    return fits._replace(rotations=fits.rotations[last], zooms=fits.zooms[last])


def _fit(
    start: np.ndarray, end: np.ndarray, zoom: float, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit ``end = zoom * project(rotation @ start)`` by robust Gauss-Newton steps.

    Points (F, N, 2), NaN where missing, are at unit focal length, and so is ``scale``,
    the scale of their robust error. The first guess is the zoom without a rotation.
    Returns the rotations (F, 3, 3), zooms (F,) and median errors (F,).
    """
    rotations = np.tile(np.eye(3), (len(start), 1, 1))
    zooms = np.full(len(start), zoom)
    is_seen = np.isfinite(start + end).all(-1)
    middle = is_seen.sum(1, keepdims=True) // 2
    rays = np.nan_to_num(np.concatenate([start, np.ones_like(start[..., :1])], -1))
    for _ in range(_LIMITS.rounds):
        x, y, z = np.moveaxis(rays @ rotations.swapaxes(1, 2), 2, 0)
        z = np.maximum(z, 1e-3)
        u = zooms[:, None] * x / z
        v = zooms[:, None] * y / z
        error = np.nan_to_num(end) - np.stack([u, v], -1)
        # Derivatives by rotations about x, y, z and by the logarithm of the zoom
        along_x = [-u * y / z, zooms[:, None] + u * x / z, -zooms[:, None] * y / z, u]
        along_y = [-zooms[:, None] - v * y / z, v * x / z, zooms[:, None] * x / z, v]
        slopes = np.stack([*along_x, *along_y], -1).reshape(len(start), -1, 4)
        squared = np.where(is_seen, (error**2).sum(-1), np.inf)
        # Far from the solution all errors are large: scale the weights by their median.
        median = np.take_along_axis(np.sort(squared, 1), middle, 1)
        weights = np.repeat(1 / (1 + squared / np.maximum(scale**2, median)), 2, 1)
        weighted = (slopes * weights[..., None]).swapaxes(1, 2)
        normal = weighted @ slopes + 1e-9 * np.eye(4)
        right = weighted @ error.reshape(len(start), -1, 1)
        step = np.linalg.solve(normal, right)[..., 0]
        rotations = rotation_matrices(step[:, :3]) @ rotations
        zooms = zooms * np.exp(step[:, 3].clip(-0.3, 0.3))
    errors = np.where(is_seen, np.linalg.norm(error, axis=-1), np.nan)
    return rotations, zooms, np.nanmedian(errors, 1)


def choose_path(path: CameraPath, name: str, stated: bool = False) -> np.ndarray | None:
    """Decide whether a camera is static, rotating or moving.

    Args:
        path (CameraPath): Fitted path of the camera.
        name (str): Name of the video, for warnings.
        stated (bool): Whether the user says that the camera keeps its place.

    Returns:
        np.ndarray | None: Rotation vectors in radians and zooms, (F, 4) float32, as
        :func:`static_path` if the camera hardly turns and zooms. None, with a warning,
        if it turns too far, or if it changes its place and ``stated`` is False.
    """
    if path.moves and stated:
        _LOGGER.warning(
            ArgumentError(
                '%s: a camera that turns and zooms explains the background in %.0f %% '
                'of the frames; {camera=%r} is kept',
                name,
                100 * float(path.explains.mean()),
                'rotating',
            )
        )
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
    if path.turn > _LIMITS.max_turn:
        _LOGGER.warning(
            '%s: the camera turns by %.0f degrees, more than %.0f: people have no '
            'common axes; split the video',
            name,
            path.turn,
            _LIMITS.max_turn,
        )
        return None
    return np.column_stack([path.rotations, path.zooms]).astype(np.float32)


def shows_static(path: CameraPath, keyframe: np.ndarray) -> bool:
    """Return whether the frames of the sparse pass show a static camera.

    Each shot needs enough of them. ``keyframe`` (F,) is the row of each frame's
    keyframe.
    """
    count = len(keyframe)
    starts = np.flatnonzero(keyframe == np.arange(count))
    fewest = np.diff(np.append(starts, count)).min()
    shown = fewest >= _LIMITS.min_frames
    return bool(shown and path.is_static and not path.moves)


def seems_static(path: CameraPath, moved: np.ndarray) -> bool:
    """Return whether a camera seems static though the background has little texture.

    The edges of the background stay in place. Frames with enough points must not show
    another motion.

    Args:
        path (CameraPath): Fitted path of the camera.
        moved (np.ndarray): Difference of edges in each frame, (F,), NaN without edges,
            see :mod:`mmhot.chain.tracking.background`.
    """
    unknown = ~np.isfinite(path.errors) | (path.inliers < _LIMITS.min_inliers)
    known = CameraPath(*(values[~unknown] for values in vars(path).values()))
    if unknown.mean() <= _LIMITS.max_failed or known.moves or not known.is_static:
        return False
    return bool((moved <= _LIMITS.max_moved).mean() >= _LIMITS.min_still)


def interpolate_path(
    path: np.ndarray, frames: np.ndarray, shots: Sequence[int]
) -> np.ndarray:
    """Interpolate the path of a camera between frames, in each shot.

    Args:
        path (np.ndarray): Rotation vectors in radians and zooms of some frames, (R, 4).
        frames (np.ndarray): Numbers of these frames, (R,).
        shots (Sequence[int]): First frame of each shot, and the number of frames.

    Returns:
        np.ndarray: Path of all frames, (F, 4) float32, static before the first shot.
    """
    whole = static_path(shots[-1])
    for start, end in pairwise(shots):
        rows = np.flatnonzero((frames >= start) & (frames < end))
        line = scipy.interpolate.make_interp_spline(
            frames[rows], path[rows], k=min(len(rows) - 1, 1)
        )
        whole[start:end] = line(np.arange(start, end))
    return whole


def describe_path(path: np.ndarray) -> str:
    """Describe the path (F, 4) of a camera in a few words.

    >>> describe_path(np.array([[0, 0, 0, 1], [0, 0.1, 0, 1.5]]))
    'rotating camera, by up to 5.7 degrees, zoom 1.00 to 1.50'
    """
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
