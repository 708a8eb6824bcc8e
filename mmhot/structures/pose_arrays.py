"""Arrays of 3D poses of other tools: their axes, units and positions."""

import logging

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import ArgumentError, ignored_warnings
from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.skeletons.joints import Skeleton, convert_keypoints, get_skeleton
from mmhot.structures.conventions import bend_of_knees, up_axes
from mmhot.structures.rows import CheckedRows

_LOGGER = logging.getLogger(__name__)
LEFT_HANDED = '-left'
"""Suffix of left-handed axes, such as Unity's and those of MMPose's 3D demo."""
GIVEN_AXES = ('camera', 'z-up', 'y-up', 'world', 'z-up-left', 'y-up-left')
"""Axes of poses of other tools, see :meth:`mmhot.Clip3D.from_arrays`."""
_BODY = get_skeleton('h36m-17')
_PELVIS, *_FEET = _BODY.indices(['root', 'left_foot', 'right_foot'])
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
# Meters; smaller and taller people are said, as their scale may be wrong. CMU's motions
# have 1.50 to 1.77, MotionBERT's X3D 1.89.
_USUAL = 1.4, 1.85
# Meters; median distance of a pelvis from the origin, up to which it stays there.
_CENTERED = 0.02
_NEAREST = 0.5  # meters; least depth of people in front of a camera
# Meters; least and largest distance of people from the origin, if their positions are
# known. Other distances have another unit than the joints.
_PLACED = (1.0, 100.0)
_STEP_FRAMES = 3  # frames over which steps are compared with the path of the pelvis
# Largest part of a step that another unit of translations may leave to be asked for: of
# the foot's way around the pelvis, and of what the unit that was read leaves. Higher
# values ask more.
_MOST_LEFT = 0.5
_COLUMNS = {'camera': 2, 'y-up': 2}  # column that left-handed axes negate; x for others


def arrange_poses(
    name: str, rows: CheckedRows, skeleton: Skeleton, axes: str | None
) -> tuple[dict[str, np.ndarray], str]:
    """Convert the poses of another tool to the arrays of a clip.

    Tools write poses in meters, centimeters or millimeters, relative to the pelvis, to
    a camera or to a floor, with y down, y up or z up, right-handed or left-handed, and
    few of them state which. So bones give the unit, people who stand the axis that is
    up, knees the handedness, and the pelvis says whether positions are known. Each
    guess is logged, and arguments replace it.

    Args:
        name (str): Name of the clip, for the log.
        rows (CheckedRows): Poses with frame numbers and track IDs.
        skeleton (Skeleton): Skeleton of their joints.
        axes (str | None): One of :data:`GIVEN_AXES`; None to use the axes that the rows
            state, or to recognize them.

    Returns:
        tuple[dict[str, np.ndarray], str]: Arrays (N, ...) of a :class:`Clip3D` by name,
        sorted by frame and track, in meters and relative to the root; and their axes.

    Raises:
        ValueError: If no joint is known.
        ArgumentError: If axes are not known.
    """
    order = np.lexsort((rows.track, rows.frame))
    rows = rows.take(order[(rows.scores[order] > 0).any(-1)])
    if not len(rows.points):
        raise ValueError('keypoints_3d has no joint that is finite')
    body, *_ = convert_keypoints(
        rows.points, None, skeleton.name, _BODY.name, 'trained'
    )
    meter = _meters(name, rows, body)
    poses, body = (x / meter[:, None, None] for x in (rows.points, body))
    pelvis = body[:, _PELVIS]
    pelvis = np.where(np.isnan(pelvis), np.nanmean(poses, axis=1), pelvis)
    given = axes or rows.axes
    feet = body[:, _FEET] - pelvis[:, None]
    roots = _roots(name, rows, pelvis, feet, meter, _depths(rows, poses, given))
    if given is None:
        is_centered = not np.nanmedian(np.linalg.norm(roots, axis=1)) > _CENTERED
        places = None if is_centered else body + (roots - pelvis)[:, None]
        axes = _axes_of(body, places, name, rows.usual_axes)
        given = None if rows.usual_axes is None else axes
    else:
        axes = given.removesuffix(LEFT_HANDED)
    if _is_left_handed(name, body, axes, given):
        signs = np.where(np.arange(3) == _COLUMNS.get(axes, 0), -1, 1)
        poses, pelvis, roots = (x * signs for x in (poses, pelvis, roots))
    _forget_origin(rows, roots, axes)
    if axes == 'y-up':
        poses, pelvis, roots = map(_with_z_up, (poses, pelvis, roots))
        axes = 'world' if given else 'z-up'
    poses = poses - pelvis[:, None]
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


def _axes_of(
    body: np.ndarray, places: np.ndarray | None, name: str, usual: str | None
) -> str:
    """Recognize axes by :func:`up_axes`, or return the usual ones of a format.

    Bodies, and their places if these are known, are (N, 17, 3) in meters.
    """
    try:
        axes = up_axes(body, places, name)
    except ArgumentError:
        if usual is None:
            raise
        _LOGGER.warning(
            ArgumentError(
                '%s: does not state its axes: read as %s; {given_axes} states others',
                name,
                usual,
            )
        )
        return usual
    return 'world' if usual and axes == 'z-up' else axes


def _is_left_handed(name: str, body: np.ndarray, axes: str, given: str | None) -> bool:
    """Return whether axes are left-handed: as given, or by knees (N, 17, 3)."""
    bend = bend_of_knees(body)
    if given:
        is_left = given.endswith(LEFT_HANDED)
        if bend == (1 if is_left else -1):
            _LOGGER.warning(
                ArgumentError(
                    '%s: knees bend backwards in {given_axes=%s}', name, given
                )
            )
        return is_left
    if not bend:
        _LOGGER.warning(
            ArgumentError(
                '%s: knees hardly bend: whether axes are left-handed is not known, and '
                '{given_axes} states it',
                name,
            )
        )
    elif bend < 0:
        _LOGGER.warning(
            '%s: knees bend backwards, as in left-handed axes: %s is negated',
            name,
            'xyz'[_COLUMNS.get(axes, 0)],
        )
    return bend < 0


def _meters(name: str, rows: CheckedRows, body: np.ndarray) -> np.ndarray:
    """Find how many units are a meter in each row, by bones of bodies (N, 17, 3)."""
    with ignored_warnings():  # NumPy warns of people without bones
        lengths = bone_lengths(body, _BONES) / [*_LENGTHS.values()]
        stature = _STATURE * np.nanmedian(lengths, axis=1)
        extent = (np.nanmax(rows.points, 1) - np.nanmin(rows.points, 1)).max(-1)
    stature = np.where(np.isnan(stature), extent, stature)
    unit = np.zeros(len(stature), int)
    for track in np.unique(rows.track):
        of_track = np.flatnonzero(rows.track == track)
        window = min(5, len(of_track)) if track >= 0 else 1
        steady = scipy.ndimage.median_filter(stature[of_track], window, mode='nearest')
        unit[of_track] = np.searchsorted([most for most, _, _ in _UNITS], steady)
    for index, (_, title, _) in enumerate(_UNITS):
        chosen = unit == index
        if index and chosen.any():
            _LOGGER.warning(
                '%s: %s are %s high: read as %s',
                name,
                _who(rows, chosen),
                _digits(np.median(stature[chosen])),
                title,
            )
    meter = np.array([count for _, _, count in _UNITS])[unit]
    for track in np.unique(rows.track):
        of_track = rows.track == track
        high = np.median((stature / meter)[of_track])
        if not _USUAL[0] <= high <= _USUAL[1]:
            text = '%s: %s are %s m high; {height} sets the scale'
            who = _who(rows, of_track)
            _LOGGER.warning(ArgumentError(text, name, who, _digits(high)))
    return meter


def _who(rows: CheckedRows, chosen: np.ndarray) -> str:
    """Name the people of chosen rows (N,), and their frames if these are not all."""
    tracks = np.unique(rows.track[chosen])
    is_theirs = np.isin(rows.track, tracks)
    who = 'people' if is_theirs.all() else f'people {", ".join(map(str, tracks))}'
    frames = rows.frame[chosen]
    is_part = chosen.sum() < is_theirs.sum()
    return f'{who} of frames {frames.min()} to {frames.max()}' if is_part else who


def _digits(value: float) -> str:
    return np.format_float_positional(value, 3, fractional=False, trim='-')


def _depths(rows: CheckedRows, poses: np.ndarray, axes: str | None) -> np.ndarray:
    """Return the depths (N,) at which poses (N, K, 3) are as large as in the image.

    They are NaN without pixels, and in other axes than a camera's.
    """
    focal = rows.focal_length or max(rows.width or 0, rows.height or 0)
    if rows.keypoints_2d is None or not focal or axes not in (None, 'camera'):
        return np.full(len(poses), np.nan)
    with ignored_warnings():  # NumPy warns of people without joints
        size, pixels = (
            np.nanstd(np.where(np.isnan(rows.keypoints_2d), np.nan, x), axis=1)
            for x in (poses[..., :2], rows.keypoints_2d)
        )
        return focal * np.linalg.norm(size, axis=-1) / np.linalg.norm(pixels, axis=-1)


def _roots(
    name: str,
    rows: CheckedRows,
    pelvis: np.ndarray,
    feet: np.ndarray,
    meter: np.ndarray,
    depths: np.ndarray,
) -> np.ndarray:
    """Return positions of the pelvis (N, 3) in meters.

    Translations may have another unit than the joints. The unit is chosen so that they
    agree with ``depths`` (N,), which follow from the size of people in the image, or,
    if these are unknown, so that distances are plausible; a line asks for a unit in
    which people do not walk as far as they step. ``pelvis`` (N, 3), and ``feet``
    (N, 2, 3) relative to it, are in meters, and ``meter`` (N,) is the number of the
    joints' units in a meter.
    """
    roots = np.zeros((len(pelvis), 3)) if rows.root_3d is None else rows.root_3d
    places = np.full(roots.shape, np.nan)
    for track, count in {*zip(rows.track.tolist(), meter.tolist(), strict=True)}:
        of_track = (rows.track == track) & (meter == count)
        with ignored_warnings():  # NumPy warns of people whose translations are unknown
            far = np.nanmedian(np.linalg.norm(roots[of_track], axis=1))
            depth = np.nanmedian(depths[of_track])
        unit = count
        units = count, 1, 1000, 100
        if far > 0 and depth > 0:
            unit = min(units, key=lambda x: abs(np.log(far / x / depth)))
        elif far and not _CENTERED <= far / count <= _PLACED[1]:
            others = (x for x in units[1:] if _PLACED[0] <= far / x <= _PLACED[1])
            unit = next(others, count)
        if unit != count:
            title = next(title for _, title, x in _UNITS if x == unit)
            _LOGGER.warning(
                '%s: translations of %s are read as %s',
                name,
                _who(rows, of_track),
                title,
            )
        places[of_track] = pelvis[of_track] + roots[of_track] / unit
        fits = _unit_of_steps(roots[of_track], feet[of_track], unit)
        if fits != unit:
            titles = (next(y for _, y, x in _UNITS if x == z) for z in (fits, unit))
            _LOGGER.warning(
                '%s: steps of %s are as long as if translations are %s, not %s: '
                'convert them to the unit of the joints',
                name,
                _who(rows, of_track),
                *titles,
            )
    return places


def _unit_of_steps(roots: np.ndarray, feet: np.ndarray, unit: int) -> int:
    """Return the unit of translations in which standing feet stay in place.

    A foot that stands moves around the pelvis as far as the pelvis moves, backwards.

    Args:
        roots (np.ndarray): Translations, (T, 3).
        feet (np.ndarray): Feet relative to the pelvis, meters, (T, 2, 3).
        unit (int): The number of their units in a meter that is kept if none fits.

    Returns:
        int: The number of their units in a meter.
    """
    way, steps = (x[_STEP_FRAMES:] - x[:-_STEP_FRAMES] for x in (roots, feet))
    is_known = np.isfinite(way).all(-1) & np.isfinite(steps).all((1, 2))
    if not is_known.any():
        return unit
    way, steps = way[is_known, None], steps[is_known]
    units = unit, 1, 100, 1000
    left = np.stack([np.linalg.norm(steps + way / x, axis=-1) for x in units])
    best = np.median(left.min(2), axis=1).argmin()
    stands = np.arange(len(steps)), left[best].argmin(1)
    lengths = np.linalg.norm(steps, axis=-1)
    kept, moves, least = (np.median(x[stands]) for x in (left[0], lengths, left[best]))
    return units[best] if least < _MOST_LEFT * min(kept, moves) else unit


def _with_z_up(points: np.ndarray) -> np.ndarray:
    """Turn points (..., 3) from y up to z up: x, -z, y."""
    return points[..., [0, 2, 1]] * (1, -1, 1)


def _forget_origin(rows: CheckedRows, roots: np.ndarray, axes: str) -> None:
    """Mark positions (N, 3) as unknown, by NaN, of people who stay at the origin.

    With pixels, people who are not in front of the camera have no positions either.
    """
    is_seen = axes == 'camera' and rows.keypoints_2d is not None
    for track in np.unique(rows.track):
        of_track = rows.track == track
        moved = rows.root_3d is not None and np.nan_to_num(rows.root_3d[of_track]).any()
        stays = np.median(np.linalg.norm(roots[of_track], axis=1)) < _CENTERED
        if is_seen:
            stays |= np.median(roots[of_track, 2]) < _NEAREST
        if stays and not moved:
            roots[of_track] = np.nan
