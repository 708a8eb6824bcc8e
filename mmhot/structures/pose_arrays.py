"""Arrays of 3D poses of other tools: their axes, units and positions."""

import logging

import numpy as np

from mmhot.errors import ArgumentError, ignored_warnings
from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.skeletons.joints import Skeleton, convert_keypoints, get_skeleton
from mmhot.structures.conventions import up_axes
from mmhot.structures.rows import CheckedRows

_LOGGER = logging.getLogger(__name__)
_BODY = get_skeleton('h36m-17')
_PELVIS, _THORAX = _BODY.indices(['root', 'thorax'])
# Bones of a person of 1.7 m, meters.
_STATURE = 1.7
_LENGTHS = {
    ('root', 'thorax'): 0.52,
    **{
        (f'{side}_{upper}', f'{side}_{lower}'): length
        for side in ('left', 'right')
        for upper, lower, length in (
            ('hip', 'knee', 0.41),
            ('knee', 'foot', 0.43),
            ('shoulder', 'elbow', 0.29),
            ('elbow', 'wrist', 0.29),
        )
    },
}
_BONES = [_BODY.indices(bone) for bone in _LENGTHS]
# Largest statures in each unit, and how many of it are a meter.
_UNITS = (30, 'meters', 1), (500, 'centimeters', 100), (np.inf, 'millimeters', 1000)
_USUAL = 0.8, 2.3  # statures, meters
# Distances from the origin, meters: of a pelvis that stays there, of people in front of
# cameras, of people who are placed.
_CENTERED, _NEAREST, _PLACED = 0.02, 0.5, (1.0, 100.0)
_PINNED = 1e-3


def arrange_poses(
    name: str, rows: CheckedRows, skeleton: Skeleton, axes: str | None
) -> tuple[dict[str, np.ndarray], str]:
    """Return the arrays of a clip by name, sorted by frame and track, and its axes.

    Raises:
        ValueError: If no joint is known.
    """
    order = np.lexsort((rows.track, rows.frame))
    rows = rows.take(order[(rows.scores[order] > 0).any(-1)])
    if not len(rows.points):
        raise ValueError('keypoints_3d has no joint that is known')
    body, *_ = convert_keypoints(
        rows.points, None, skeleton.name, _BODY.name, 'trained'
    )
    trunks = body[:, _THORAX] - body[:, _PELVIS]
    is_given = axes is not None or rows.axes is not None
    axes = axes or rows.axes or up_axes(trunks, name)
    meter = _meter(name, rows, body)
    poses = rows.points / meter
    pelvis = body[:, _PELVIS] / meter
    pelvis = np.where(np.isnan(pelvis), np.nanmean(poses, axis=1), pelvis)
    roots = _places(name, rows, pelvis, meter, axes)
    if axes == 'y-up':
        poses, pelvis, roots = (
            x[..., [0, 2, 1]] * (1, -1, 1) for x in (poses, pelvis, roots)
        )
    poses = poses - pelvis[:, None]
    axes = {'y-up': 'world' if is_given else 'z-up'}.get(axes, axes)
    pixels = rows.keypoints_2d
    arrays = dict(
        frame=rows.frame,
        track=rows.track,
        root_3d=roots,
        keypoints_3d=poses,
        keypoints_2d=poses[..., :2] * np.nan if pixels is None else pixels,
        scores=rows.scores,
        keypoint_scores_3d=rows.scores,
    )
    return arrays, axes


def _meter(name: str, rows: CheckedRows, body: np.ndarray) -> int:
    """Find how many units are a meter, by the bones of bodies (N, 17, 3)."""
    with ignored_warnings():  # of people without bones
        lengths = bone_lengths(body, _BONES) / [*_LENGTHS.values()]
        statures = _STATURE * np.nanmedian(lengths, axis=1)
        extents = (np.nanmax(rows.points, 1) - np.nanmin(rows.points, 1)).max(-1)
    stature = np.median(np.where(np.isnan(statures), extents, statures))
    title, meter = next((x, count) for most, x, count in _UNITS if stature <= most)
    if meter > 1:
        text = '%s: people are %s high: read as %s'
        _LOGGER.warning(text, name, _digits(stature), title)
    if not _USUAL[0] <= stature / meter <= _USUAL[1]:
        text = '%s: people are %s m high; {height} sets the scale'
        _LOGGER.warning(ArgumentError(text, name, _digits(stature / meter)))
    return meter


def _digits(value: float) -> str:
    return np.format_float_positional(value, 3, fractional=False, trim='-')


def _places(
    name: str, rows: CheckedRows, pelvis: np.ndarray, meter: int, axes: str
) -> np.ndarray:
    """Return positions of the pelvis (N, 3) in meters, NaN where unknown.

    Translations may have another unit than the joints.
    """
    roots = np.zeros((len(pelvis), 3)) if rows.root_3d is None else rows.root_3d
    with ignored_warnings():  # of unknown translations
        distance = np.nanmedian(np.linalg.norm(roots, axis=1))
    if not distance and _is_unknown(pelvis, axes, rows.keypoints_2d is not None):
        return np.full(roots.shape, np.nan)
    unit = meter
    if distance and not _CENTERED <= distance / meter <= _PLACED[1]:
        near, far = _PLACED
        units = (x for x in (1, 1000, 100) if near <= distance / x <= far)
        unit = next(units, meter)
        if unit != meter:
            title = next(title for _, title, x in _UNITS if x == unit)
            _LOGGER.warning('%s: translations are read as %s', name, title)
    return pelvis + roots / unit


def _is_unknown(pelvis: np.ndarray, axes: str, has_pixels: bool) -> bool:
    """Return whether a pelvis (T, 3) stays at the origin, or on the line above it."""
    if axes == 'camera' and has_pixels and np.median(pelvis[:, 2]) < _NEAREST:
        return True  # people are in front of cameras
    up = {'z-up': 2, 'world': 2, 'y-up': 1}.get(axes)
    if up is not None and len(pelvis) > 1:
        pelvis = np.delete(pelvis, up, axis=1)
        return bool((np.linalg.norm(pelvis, axis=1) < _PINNED).all())
    return bool(np.median(np.linalg.norm(pelvis, axis=1)) < _CENTERED)
