"""Arrays of 3D poses of other tools: their units and positions."""

import logging
from typing import Any

import numpy as np

from mmhot.errors import ArgumentError
from mmhot.skeletons.joints import Skeleton, convert_keypoints
from mmhot.structures.rows import CheckedRows

_LOGGER = logging.getLogger(__name__)
# Meters: a pelvis at most so far from the origin stays there, cameras are farther away.
_CENTERED, _NEAREST = 0.02, 0.5
# Largest extents of people in each unit, and how many of it are a meter.
_UNITS = (30, 'meters', 1), (300, 'centimeters', 100), (np.inf, 'millimeters', 1000)
_PEOPLE = 0.3, 3.0  # meters


def arrange_poses(
    name: str, rows: CheckedRows, skeleton: Skeleton, axes: str
) -> dict[str, Any]:
    """Return the arrays of a clip by name, sorted by frame and track.

    Raises:
        ValueError: If no joint is known.
    """
    order = np.lexsort((rows.track, rows.frame))
    rows = rows.take(order[(rows.scores[order] > 0).any(-1)])
    if not len(rows.points):
        raise ValueError('keypoints_3d has no joint that is known')
    poses, scores, roots = rows.points, rows.scores, rows.root_3d
    places = np.zeros((len(poses), 3)) if roots is None else roots
    if axes == 'y-up':
        poses, places = (x[..., [0, 2, 1]] * (1, -1, 1) for x in (poses, places))
    extent = np.nanmedian(np.nanmax(poses, 1) - np.nanmin(poses, 1), axis=0).max()
    unit, meter = next((unit, meter) for most, unit, meter in _UNITS if extent <= most)
    poses, places = poses / meter, places / meter
    if meter > 1 or not _PEOPLE[0] <= extent <= _PEOPLE[1]:
        text = '%s: people are %.3g high: read as %s; {height} sets the scale'
        _LOGGER.warning(ArgumentError(text, name, extent, unit))
    body, *_ = convert_keypoints(poses, None, skeleton.name, 'h36m-17', 'trained')
    pelvis = np.where(np.isnan(body[:, 0]), np.nanmean(poses, axis=1), body[:, 0])
    is_unknown = np.median(np.linalg.norm(pelvis, axis=1)) < _CENTERED
    if axes == 'camera' and rows.keypoints_2d is not None:  # people are in front of it
        is_unknown |= np.median(pelvis[:, 2]) < _NEAREST
    places = places + pelvis
    if is_unknown and roots is None:
        places[:] = np.nan
    pixels = rows.keypoints_2d
    return dict(
        frame=rows.frame,
        track=rows.track,
        root_3d=places,
        keypoints_3d=poses - pelvis[:, None],
        keypoints_2d=poses[..., :2] * np.nan if pixels is None else pixels,
        scores=scores,
        keypoint_scores_3d=scores,
    )
