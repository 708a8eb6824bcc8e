"""Arrays of 3D poses of other tools: their rows, people, units and positions."""

import logging
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.geometry.keypoint_arrays import (
    check_time_first,
    to_numbers,
    warn_of_steps,
    whole_numbers,
)
from mmhot.skeletons.joints import (
    Skeleton,
    convert_keypoints,
    get_skeleton,
    skeleton_with,
)

_LOGGER = logging.getLogger(__name__)
# Meters: a pelvis at most so far from the origin stays there, cameras are farther away.
_CENTERED, _NEAREST = 0.02, 0.5
# Largest extents of people in each unit, and how many of it are a meter.
_UNITS = (30, 'meters', 1), (300, 'centimeters', 100), (np.inf, 'millimeters', 1000)
_PEOPLE = 0.3, 3.0  # meters


def arrange_poses(
    name: str,
    poses: Any,
    roots: Any,
    pixels: Any,
    scores: Any,
    frames: Any,
    tracks: Any,
    skeleton: str | None,
    axes: str,
) -> tuple[dict[str, Any], Skeleton]:
    """Sort the arrays of :meth:`mmhot.Clip3D.from_arrays` by frame and track.

    Returns:
        tuple[dict[str, Any], Skeleton]: Arrays of a clip by name, and the
        skeleton of the K joints.

    Raises:
        ValueError: If an array or the skeleton is wrong.
    """
    poses = to_numbers('keypoints_3d', poses).astype(np.float64)
    if poses.ndim not in (3, 4) or poses.shape[-1] != 3 or not poses.size:
        raise ValueError(
            'keypoints_3d must have the shape (T, K, 3) or (T, P, K, 3), got '
            f'{poses.shape}'
        )
    if poses.ndim == 4:
        check_time_first(poses)
    lead, count = poses.shape[:-2], poses.shape[-2]
    found = _skeleton_of(skeleton, count)
    places = _rows('root_3d', roots, lead, (3,), 0.0)
    points = _rows('keypoints_2d', pixels, lead, (count, 2), np.nan)
    known = _rows('scores', scores, lead, (count,), 1.0)
    frame, track = _number_rows(lead, frames, tracks)
    warn_of_steps(name, frame)
    poses = poses.reshape(-1, count, 3)
    known = np.where(np.isfinite(poses).all(-1), known, 0)
    known[(poses == poses[:, :1]).all((1, 2))] = 0  # one point is no person
    poses[~(known > 0)] = np.nan
    rows = np.lexsort((track, frame))
    rows = rows[(known[rows] > 0).any(-1)]
    if not len(rows):
        raise ValueError('keypoints_3d has no joint that is known')
    poses, places = poses[rows], places[rows]
    if axes == 'y-up':
        poses, places = (x[..., [0, 2, 1]] * (1, -1, 1) for x in (poses, places))
    extent = np.nanmedian(np.nanmax(poses, 1) - np.nanmin(poses, 1), axis=0).max()
    unit, meter = next((unit, meter) for most, unit, meter in _UNITS if extent <= most)
    poses, places = poses / meter, places / meter
    if meter > 1 or not _PEOPLE[0] <= extent <= _PEOPLE[1]:
        text = '%s: people are %.3g high: read as %s; {height} sets the scale'
        _LOGGER.warning(ArgumentError(text, name, extent, unit))
    body, *_ = convert_keypoints(poses, None, found.name, 'h36m-17', 'trained')
    pelvis = np.where(np.isnan(body[:, 0]), np.nanmean(poses, axis=1), body[:, 0])
    is_unknown = np.median(np.linalg.norm(pelvis, axis=1)) < _CENTERED
    if axes == 'camera' and pixels is not None:  # people are in front of it
        is_unknown |= np.median(pelvis[:, 2]) < _NEAREST
    places = places + pelvis
    if is_unknown and roots is None:
        places[:] = np.nan
    arrays = dict(
        frame=frame[rows],
        track=track[rows],
        root_3d=places,
        keypoints_3d=poses - pelvis[:, None],
        keypoints_2d=points[rows],
        scores=known[rows],
        keypoint_scores_3d=known[rows],
    )
    return arrays, found


def _skeleton_of(name: str | None, count: int) -> Skeleton:
    """Return the skeleton of 3D poses, by its name or the number of joints."""
    usual = 'h36m-17' if count == 17 else None  # COCO's are of images
    found = get_skeleton(name or usual or skeleton_with(count))
    if found.num_keypoints != count:
        text = '{skeleton}: %s has %d joints, but the poses have %d'
        raise ArgumentError(text, found.name, found.num_keypoints, count)
    return found


def _rows(
    name: str, values: Any, lead: tuple[int, ...], own: tuple[int, ...], default: float
) -> np.ndarray:
    """Check an array's shape, and join its leading axes."""
    shape = (*lead, *own)
    array = np.array(default) if values is None else to_numbers(name, values)
    if values is not None and array.shape != shape:
        raise ValueError(f'{name} must be {shape}, got {array.shape}')
    array = np.broadcast_to(array.astype(np.float64), shape)
    return array.reshape(-1, *own)


def _number_rows(
    lead: tuple[int, ...], frames: Any, tracks: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return frame numbers and track IDs of poses, whose leading axes are given."""
    frames = np.arange(lead[0]) if frames is None else to_numbers('frames', frames)
    frames = whole_numbers('frames', frames)
    if frames.shape != lead[:1] or frames.min() < 0:
        raise ValueError(f'frames must be {lead[:1]}, from 0, got {frames.shape}')
    if tracks is None:
        people = lead[1] if len(lead) > 1 else 1
        frame, track = np.repeat(frames, people), np.tile(np.arange(people), lead[0])
    else:
        frame, track = frames, whole_numbers('tracks', to_numbers('tracks', tracks))
        if track.shape != lead:
            raise ValueError(f'tracks must be {lead[:1]}, got {track.shape}')
    known = track >= 0
    pairs = np.stack([frame, track], 1)[known]
    if len(np.unique(pairs, axis=0)) < len(pairs):
        raise ValueError('a person has two poses in one frame: give tracks')
    return frame, track
