"""Arrays of keypoints: checks and mirror images."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mmhot.errors import ArgumentError, ignored_warnings

if TYPE_CHECKING:
    from torch import Tensor

_LOGGER = logging.getLogger(__name__)

Poses = TypeVar('Poses', np.ndarray, 'Tensor')
T = TypeVar('T')

_MAX_SIDE = 100_000  # pixels; longest side of an image


@dataclass(frozen=True)
class KeypointLimits:
    """Limits of keypoints that may be pixels, in arrays with frames as first axis."""

    # Meters, or shares of the image; if all coordinates are smaller, they are not
    # pixels. Higher values refuse more clips.
    max_meters: float = 10
    # Share of keypoints that are farther outside the image than a quarter of its size.
    # Close-ups without scores have up to 0.7. Higher values accept more clips.
    max_outside: float = 0.75
    # Share of coordinates that are negative. Of 458 motions, close-ups have up to 0.46,
    # and half of all clips around the middle of the image have 0.5 and more.
    max_negative: float = 0.5
    # Person sizes; if the median movement along the second axis is smaller, this axis
    # may be time. Higher values refuse more arrays.
    min_distance: float = 0.15


_LIMITS = KeypointLimits()


def check_extent(keypoints: np.ndarray, width: int, height: int) -> None:
    """Refuse keypoints that cannot be pixels of an image.

    Args:
        keypoints (np.ndarray): Pixels, NaN where missing, (..., 2).
        width (int): Image width in pixels.
        height (int): Image height in pixels.

    Raises:
        ValueError: If they are too small, negative, or mostly outside the image.
    """
    points = keypoints[np.isfinite(keypoints).all(-1)].astype(np.float64)
    if not len(points):
        return
    size = np.array([width, height])
    image = f'a {width}x{height} image'
    farthest = np.abs(points).max()
    if farthest <= _LIMITS.max_meters and size.min() > 4 * max(farthest, 2):
        raise ValueError(
            f'the largest coordinate is {farthest:.3g}, so keypoints seem to be '
            f'normalized, or in meters: pixels of {image} are expected; 3D poses are '
            'for mmhot refine'
        )
    negative = (points < 0).mean()
    if negative >= _LIMITS.max_negative:
        raise ValueError(
            f'{100 * negative:.0f} % of all coordinates are negative: pixels begin in '
            f'the upper left corner of {image}, not in its middle'
        )
    outside = ((points < -0.25 * size) | (points > 1.25 * size)).any(-1)
    if outside.mean() > _LIMITS.max_outside:
        x, y = np.median(points, axis=0)
        raise ValueError(
            f'most keypoints lie outside {image} (their median is {x:.0f}, {y:.0f}): '
            'is the size width x height?'
        )


@ignored_warnings()  # NumPy warns of people without keypoints
def check_time_first(keypoints: np.ndarray) -> None:
    """Refuse keypoints (P, T, K, C), people before frames, by a ValueError.

    The first axis must be time, (T, P, K, C). A person hardly moves from one frame to
    the next, while people are apart from each other.
    """
    num_frames, num_people = keypoints.shape[:2]
    if num_people <= max(num_frames, 2):
        return
    size = np.nanmedian(np.nanmax(keypoints, 2) - np.nanmin(keypoints, 2))
    moved = (np.linalg.norm(np.diff(keypoints, axis=x), axis=-1) for x in (0, 1))
    steps = [np.nanmedian(x) for x in moved]
    if steps[1] < _LIMITS.min_distance * size and not steps[0] < 2 * steps[1]:
        raise ValueError(
            f'keypoints {keypoints.shape} seem to be people before frames: the order '
            'is frames, people, joints; use keypoints.swapaxes(0, 1)'
        )


def choose(label: object, name: str, stated: T | None, given: T | None) -> T | None:
    """Return the given value or, if it is None, the one that a source states.

    Args:
        label (object): Name of the source, for the warning if both differ.
        name (str): Name of the value.
        stated (T | None): Value that the source states.
        given (T | None): Value that the user gives.
    """
    if given is not None and stated not in (None, given):
        _LOGGER.warning(
            '%s states %s %s; the given %s is used instead', label, name, stated, given
        )
    return stated if given is None else given


def warn_of_steps(name: object, frames: Any) -> None:
    """Warn if frame numbers (N,) have steps, as milliseconds do.

    ``name`` is the name of the clip.
    """
    steps = np.diff(np.unique(frames))
    if len(steps) and steps.min() > 1:  # such as 33, 34, 33
        _LOGGER.warning(
            '%s: frames are numbered in steps of %d or more: are they milliseconds?',
            name,
            steps.min(),
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


def is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, Real) and math.isfinite(value)


def to_numbers(name: str, values: Any) -> np.ndarray:
    """Convert values to an array of numbers, which may be NaN but not infinite.

    Args:
        name (str): Name of the argument, for errors.
        values (Any): Array, tensor, masked array, or nested lists of these; masked
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


def whole_numbers(name: str, values: np.ndarray) -> np.ndarray:
    """Convert values (...) to int64.

    Raises:
        ValueError: If a value is not a whole number.
    """
    values = np.asarray(values)
    with np.errstate(invalid='ignore'):
        whole = values.astype(np.int64)
    if (whole != values).any():
        wrong = values[whole != values][0]
        raise ValueError(f'{name} must hold whole numbers, got {wrong}')
    return whole


def mark_missing(
    points: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mark missing points by NaN and a score of 0.

    A point is missing if it is NaN, or its score is not above zero. COCO and several
    models mark missing points by coordinates that are all 0, or all -1. A 3D joint with
    such coordinates is known if it has them in at least half of the frames, as roots
    do, or only once, as at the start of a path. 3D poses with all joints at one point
    are missing.

    Args:
        points (np.ndarray): Pixels or positions, (..., K, 2 or 3).
        scores (np.ndarray): Confidence, (..., K).

    Returns:
        tuple[np.ndarray, np.ndarray]: Points and scores of the same shapes.
    """
    missing = (points == 0).all(-1) | (points == -1).all(-1)
    if points.shape[-1] == 3:
        of_joint = missing.reshape(-1, missing.shape[-1])
        counts = of_joint.sum(0)
        missing = missing & (counts > 1) & (2 * counts < len(of_joint))
        missing = missing | (points == points[..., :1, :]).all((-2, -1))[..., None]
    missing = missing | ~(scores > 0) | np.isnan(points).any(-1)
    return np.where(missing[..., None], np.nan, points), np.where(missing, 0, scores)


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
