"""Checks of keypoints, image sizes and times; mirror images."""

import logging
import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mmhot.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor

_LOGGER = logging.getLogger(__name__)

Poses = TypeVar('Poses', np.ndarray, 'Tensor')

_MAX_SIDE = 100_000  # pixels; longest side of an image
_MIN_FPS = 1e-6
_MAX_FPS = 100_000
_WHOLE_RATE = 1e-4  # frames/s; rates this close to a whole number become that number
MIN_STEP = 1e-6
"""Shortest time between two frames, seconds."""
# Smallest and largest ratio of the stated frame rate to the rate of the timestamps.
# Timestamps beyond these limits are not in seconds.
_SAME_RATE = 0.3, 3.0


# Meters, or shares of the image; if all coordinates are smaller, they are not pixels.
_MAX_METERS = 10


def check_extent(keypoints: np.ndarray, width: int, height: int) -> None:
    """Refuse keypoints that cannot be pixels of an image.

    Args:
        keypoints (np.ndarray): Pixels, NaN where missing, (..., 2).
        width (int): Image width in pixels.
        height (int): Image height in pixels.

    Raises:
        ValueError: If they are too small.
    """
    points = keypoints[np.isfinite(keypoints).all(-1)].astype(np.float64)
    if not len(points):
        return
    farthest = np.abs(points).max()
    if farthest <= _MAX_METERS and min(width, height) > 4 * max(farthest, 2):
        raise ValueError(
            f'the largest coordinate is {farthest:.3g}, so keypoints seem to be '
            f'normalized, or in meters: pixels of a {width}x{height} image are '
            'expected; 3D poses are for mmhot refine'
        )


def check_image_size(values: tuple[float, float]) -> tuple[int, int]:
    """Return width and height as integers.

    Raises:
        ArgumentError: If these are not two numbers.
        ValueError: If a number is not whole, or out of range.
    """
    if len(values) != 2:
        raise ArgumentError('{image_size} must be width and height, got %s', values)
    for name, value in zip(('width', 'height'), values, strict=True):
        if not (is_number(value) and 1 <= value <= _MAX_SIDE and value == int(value)):
            raise ValueError(
                f'{name} must be 1 to {_MAX_SIDE} whole pixels, got {value!r}'
            )
    return int(values[0]), int(values[1])


def checked_rate(fps: float) -> float:
    """Check a frame rate.

    Returns:
        float: The same rate, or the whole number that it nearly is.

    Raises:
        ArgumentError: If it is not a number, or out of range.

    >>> checked_rate(24.99999), checked_rate(29.97)
    (25.0, 29.97)
    """
    if not (is_number(fps) and _MIN_FPS <= fps <= _MAX_FPS):
        raise ArgumentError(
            '{fps} must be from %g to %d, got %r', _MIN_FPS, _MAX_FPS, fps
        )
    whole = round(fps)
    is_whole = whole > 0 and abs(fps - whole) < _WHOLE_RATE
    return float(whole if is_whole else fps)


def is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, Real) and math.isfinite(value)


def to_numbers(name: str, values: object) -> np.ndarray:
    """Convert values to an array of numbers, which may be NaN but not infinite.

    Args:
        name (str): Name of the argument, for errors.
        values (object): Array, tensor, masked array, or nested lists of these; masked
            values become NaN.

    Returns:
        np.ndarray: Numbers, (...).

    Raises:
        ValueError: If values are not numbers, or lists have different lengths.
    """
    kind = type(values).__name__
    try:
        array = np.asarray(_without_tensors(values))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f'{name} must be an array of numbers, got a {kind} of different shapes'
        ) from error
    if array.dtype.kind not in 'iuf':
        kind = str(array.dtype) if isinstance(values, np.ndarray) else kind
        raise ValueError(f'{name} must be an array of numbers, got {kind}')
    sizes = np.abs(array)
    if (sizes > np.finfo(np.float32).max).any():
        raise ValueError(f'{name} must be finite or NaN, got {np.nanmax(sizes):g}')
    return array


def _without_tensors(values: Any) -> Any:
    """Convert tensors of any device, and masked values to NaN, also in lists."""
    if isinstance(values, list | tuple):
        kinds = {*map(type, values)}
        is_plain = all(issubclass(x, int | float | np.number) for x in kinds)
        return values if is_plain else [_without_tensors(x) for x in values]
    if isinstance(values, np.ma.MaskedArray):
        filled = np.ma.getdata(values).astype(np.result_type(values, np.float32))
        filled[np.ma.getmaskarray(values)] = np.nan
        return filled
    if hasattr(values, 'requires_grad'):
        return values.detach().cpu().double().numpy()  # NumPy has no bfloat16
    return values


def passed_seconds(times: np.ndarray, frames: np.ndarray, fps: float) -> np.ndarray:
    """Convert timestamps to seconds since the first one.

    Args:
        times (np.ndarray): Timestamps in seconds, (N,), which increase with the frames.
        frames (np.ndarray): Frame numbers, sorted, (N,).
        fps (float): Stated frame rate, with which they must agree roughly.

    Returns:
        np.ndarray: Seconds, (N,): exact multiples of the frame time if the rate is
        constant, else rounded to microseconds, as timestamps since 1970 have no more
        digits.

    Raises:
        ValueError: If times do not increase with frames.
        ArgumentError: If they do not agree with the rate.
    """
    times = to_numbers('times', times).astype(np.float64)
    numbers, first, row = np.unique(frames, return_index=True, return_inverse=True)
    steps = np.diff(times[first]) / np.diff(numbers)
    if not ((steps > 0).all() and np.array_equal(times[first][row], times)):
        raise ValueError('times must increase with frames')
    ratio = fps * np.median(steps) if len(steps) else 1.0
    if not _SAME_RATE[0] < ratio < _SAME_RATE[1]:
        raise ArgumentError(
            'timestamps give %.3g frames/s, but {fps} is %.3g: are they in seconds?',
            fps / ratio,
            fps,
        )
    passed = times - times[0]
    even = (frames - frames[0]) / fps
    is_even = np.abs(passed - even).max(initial=0) <= MIN_STEP
    return even if is_even else passed.round(6)


def relative_scores(scores: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Scale scores so that clearly seen keypoints have a score of 1.

    2D models differ in the scores of such keypoints. The 95th percentile of positive
    scores becomes 1, and higher ones are clipped.

    Args:
        scores (np.ndarray): Confidence, (...).
        among (np.ndarray, optional): Scores from which the percentile is computed, in
            any shape. Defaults to ``scores``.

    Returns:
        np.ndarray: Confidence from 0 to 1, (...).
    """
    among = scores if among is None else among
    seen = among[among > 0]
    usual = float(np.percentile(seen, 95)) if seen.size else 1.0
    return np.clip(scores / usual, 0, 1)


def read_only_view(array: np.ndarray) -> np.ndarray:
    """Return a view of an array (...) through which nothing can change."""
    view = array.view()
    view.flags.writeable = False
    return view


def bone_lengths(points: np.ndarray, bones: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the lengths of bones, (..., B).

    Args:
        points (np.ndarray): Positions, (..., K, C).
        bones (Sequence[Sequence[int]]): Two indices of points for each of B bones.
    """
    starts, ends = np.asarray(bones, int).reshape(-1, 2).T
    return np.linalg.norm(points[..., ends, :] - points[..., starts, :], axis=-1)


def largest_rows(frames: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Find the largest person of each frame.

    Args:
        frames (np.ndarray): Frame number of each row, (N,).
        sizes (np.ndarray): Size of the person, (N,) in any unit.

    Returns:
        np.ndarray: Rows, (F,), sorted by frame.

    >>> largest_rows(np.array([5, 5, 6]), np.array([1.0, 2.0, 0.5])).tolist()
    [1, 2]
    """
    order = np.lexsort((-sizes, frames))
    return order[np.r_[True, np.diff(frames[order]) > 0]]


def mirror_poses(poses: Poses, flip_indices: Sequence[int]) -> Poses:
    """Mirror 2D or 3D poses left to right, about x = 0.

    Args:
        poses (np.ndarray | Tensor): Positions, x first, (..., K, C).
        flip_indices (Sequence[int]): Index of each keypoint's counterpart on the other
            side, or its own.

    Returns:
        np.ndarray | Tensor: Mirrored copy.
    """
    if isinstance(poses, np.ndarray):
        mirrored = poses[..., list(flip_indices), :]
    else:
        import torch

        # A list as index would be copied to the GPU.
        mirrored = torch.stack([poses[..., i, :] for i in flip_indices], dim=-2)
    mirrored[..., 0] *= -1
    return mirrored


def interpolate_missing(
    keypoints: np.ndarray, seconds: np.ndarray | None = None
) -> np.ndarray:
    """Interpolate missing keypoints linearly in time.

    Args:
        keypoints (np.ndarray): Positions, NaN where missing, (T, K, C).
        seconds (np.ndarray, optional): Increasing timestamps, (T,). Defaults to a
            constant frame rate.

    Returns:
        np.ndarray: Positions, (T, K, C); constant before the first and after the last
        known one, and zero where a keypoint is never known.
    """
    filled = keypoints.copy()
    times = np.arange(len(keypoints)) if seconds is None else seconds
    missing = ~np.isfinite(keypoints).all(-1)
    filled[:, missing.all(0)] = 0
    for joint in np.flatnonzero(missing.any(0) & ~missing.all(0)):
        gap = missing[:, joint]
        for axis in range(keypoints.shape[-1]):
            column = filled[:, joint, axis]
            column[gap] = np.interp(times[gap], times[~gap], column[~gap])
    return filled
