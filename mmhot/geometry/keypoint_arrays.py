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

# Longest side of an image, in pixels.
_MAX_SIDE = 100_000


@dataclass(frozen=True)
class KeypointLimits:
    """Limits of plausible keypoints in pixels with frames as the first axis."""

    # Largest coordinate, in longer sides of the image. Models predict joints outside
    # the image, but not farther. Higher values accept more.
    image_sizes: float = 100
    # Largest coordinate of keypoints that may be meters or shares of the image. Higher
    # values suspect more clips.
    meters: float = 10
    # Share of keypoints that are farther outside the image than a quarter of its size.
    # Close-ups without scores have up to 0.7. Higher values accept more.
    outside: float = 0.75
    # Median movement along the second axis, in person sizes, below which this axis may
    # be time. Higher values suspect more arrays.
    still: float = 0.15


_LIMITS = KeypointLimits()


def check_extent(keypoints: np.ndarray, width: int, height: int) -> None:
    """Raise ValueError for keypoints (..., 2) that cannot be pixels of the image."""
    points = keypoints[np.isfinite(keypoints).all(-1)].astype(np.float64)
    if not len(points):
        return
    size = np.array([width, height])
    image = f'a {width}x{height} image'
    farthest = np.abs(points).max()
    if farthest > _LIMITS.image_sizes * size.max():
        raise ValueError(
            f'keypoints lie up to {farthest:,.0f} pixels away from {image}'
        )
    if farthest <= _LIMITS.meters and size.min() > 4 * max(farthest, 2):
        raise ValueError(
            f'the largest coordinate is {farthest:.3g}, so keypoints seem to be '
            f'normalized, or in meters: pixels of {image} are expected; 3D poses are '
            'for mmhot refine'
        )
    outside = ((points < -0.25 * size) | (points > 1.25 * size)).any(-1)
    if outside.mean() > _LIMITS.outside:
        x, y = np.median(points, axis=0)
        raise ValueError(
            f'most keypoints lie outside {image} (their median is {x:.0f}, {y:.0f}): '
            'is the size width x height?'
        )


def check_time_first(keypoints: np.ndarray) -> None:
    """Raise ValueError for (P, T, K, C) instead of (T, P, K, C).

    A person hardly moves from one frame to the next, while people are apart.
    """
    num_frames, num_people = keypoints.shape[:2]
    if num_people <= max(num_frames, 2):
        return
    with ignored_warnings():  # NumPy warns of people without keypoints
        size = np.nanmedian(np.nanmax(keypoints, 2) - np.nanmin(keypoints, 2))
        moved = (np.linalg.norm(np.diff(keypoints, axis=x), axis=-1) for x in (0, 1))
        steps = [np.nanmedian(x) for x in moved]
    if steps[1] < _LIMITS.still * size and not steps[0] < 2 * steps[1]:
        raise ValueError(
            f'keypoints {keypoints.shape} seem to be people before frames: the order '
            'is frames, people, joints; use keypoints.swapaxes(0, 1)'
        )


def choose(label: object, name: str, stated: T | None, given: T | None) -> T | None:
    """Return the given value, or else the one a source states; log a difference."""
    if given is not None and stated not in (None, given):
        _LOGGER.warning(
            '%s states %s %s; the given %s is used instead', label, name, stated, given
        )
    return stated if given is None else given


def warn_of_steps(name: object, frames: Any) -> None:
    """Log that frame numbers (N,) of a clip leave out frames between all of them."""
    steps = np.diff(np.unique(frames))
    if len(steps) and steps.min() > 1:  # milliseconds have steps such as 33, 34, 33
        _LOGGER.warning(
            '%s: frames are numbered in steps of %d or more: are they milliseconds?',
            name,
            steps.min(),
        )


def check_image_size(values: tuple[float, float]) -> tuple[int, int]:
    """Return width and height; raise ValueError if they are not whole numbers."""
    if len(values) != 2:
        raise ArgumentError('{image_size} must be width and height, got %s', values)
    for name, value in zip(('width', 'height'), values, strict=True):
        if not (is_number(value) and 1 <= value <= _MAX_SIDE and value == int(value)):
            raise ValueError(
                f'{name} must be 1 to {_MAX_SIDE} whole pixels, got {value!r}'
            )
    return int(values[0]), int(values[1])


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, Real) and math.isfinite(value)


def to_numbers(name: str, values: Any) -> np.ndarray:
    """Convert to an array (...) of numbers, which may be NaN but not infinite."""
    kind = type(values).__name__
    try:
        values = _without_tensors(values)
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):
        array = np.array(None)
        kind = f'a {kind} of different shapes'
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
    """Convert values (...) to int64; raise ValueError if they are not whole numbers."""
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
    """Return points (..., K, 2 or 3) and scores (..., K), NaN and 0 where missing.

    A point is missing if it is NaN, or its score is not above zero. Pixels at (0, 0)
    and (-1, -1) are missing, as COCO and several models mark them, and so are 3D poses
    with all joints at one point. 3D joints at these numbers are missing, too, unless a
    joint is there mostly, as roots are, or only once, as at the start of a path.
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
    """Scale scores (...) so that joints that are clearly seen have a score of 1.

    2D models differ in the scores of such joints. The 95th percentile of the positive
    scores in ``among`` (default: the same scores) becomes 1; higher ones are clipped.
    """
    among = scores if among is None else among
    seen = among[among > 0]
    usual = float(np.percentile(seen, 95)) if seen.size else 1.0
    return np.clip(scores / usual, 0, 1)


def bone_lengths(points: np.ndarray, bones: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the lengths (..., B) of bones, pairs of points (..., K, C)."""
    starts, ends = np.asarray(bones, int).reshape(-1, 2).T
    return np.linalg.norm(points[..., ends, :] - points[..., starts, :], axis=-1)


def largest_rows(frames: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the row of the largest person of each frame, by frame numbers (N,)."""
    order = np.lexsort((-sizes, frames))
    return order[np.r_[True, np.diff(frames[order]) > 0]]


def mirror_poses(poses: Poses, flip_indices: Sequence[int]) -> Poses:
    """Return 2D or 3D poses (..., K, C), x first, mirrored left to right about x = 0.

    ``flip_indices`` has each keypoint's partner on the other side, or itself.
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
    """Interpolate keypoints (T, K, C) linearly in time, constant at the ends.

    Those that are never known are zero.
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
