"""Arrays of 3D poses of other tools: their units, positions and axes.

Tools write poses in meters, centimeters or millimeters, relative to the pelvis, to a
camera or to a floor, with y down, y up or z up, right-handed or left-handed. Few files
state which. :func:`arrange_poses` finds out in this order:

1. Unit: bones show the height of bodies, in the median of a file. Up to 30 it is in
   meters, up to 500 in centimeters, and above in millimeters.
2. Axes: as stated, or those in which people stand
   (:func:`mmhot.structures.conventions.up_axes`).
3. Handedness: as stated, or such that knees bend forwards.
4. Positions: without translations, they are unknown if the pelvis stays at the origin,
   or if people are seen in pixels but are not in front of the camera.

One line says what was read, and arguments replace what was guessed.
"""

import logging

import numpy as np

from mmhot.errors import ArgumentError, ignored_warnings, list_people
from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.skeletons.joints import Skeleton, convert_keypoints, get_skeleton
from mmhot.structures.conventions import bend_of_knees, up_axes
from mmhot.structures.rows import CheckedRows

_LOGGER = logging.getLogger(__name__)
LEFT_HANDED = '-left'
"""Suffix of left-handed axes, which Unity and MMPose's 3D demo have."""
GIVEN_AXES = ('camera', 'z-up', 'y-up', 'world', 'z-up-left', 'y-up-left')
"""Axes of poses of other tools, see :meth:`mmhot.Clip3D.from_arrays`."""
_BODY = get_skeleton('h36m-17')
_PELVIS = _BODY.index('root')
# Meters; body height of a person with the following bones. 0.5 to 2 of it find the same
# units in 336 arrays of 28 motions of CMU.
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
_UNITS = {1: 'meters', 100: 'centimeters', 1000: 'millimeters'}
"""Units by their number in a meter."""
# Largest body heights in meters, and in centimeters. 0.5 to 2 of both find the same
# units.
_LARGEST = (30, 500)
# Meters; the heights of shorter and taller people are logged, as their scale may be
# wrong. CMU's motions have 1.50 to 1.77, MotionBERT's X3D 1.89.
_USUAL = 1.4, 1.85
# Meters; the pelvis stays at the origin if its median distance is less. 0.5 to 2 of it
# know the positions of the same arrays.
_CENTERED = 0.02
# Meters; people who are seen in pixels are at least this far in front of the camera.
# 0.1 to 8 of it tell poses around the neck from people 4 m away.
_MIN_DEPTH = 0.5
_UP = {'camera': 'y down', 'y-up': 'y up'}  # directions of axes; z up in others
# Column that is negated to make left-handed axes right-handed; x in other axes.
_MIRRORED = {'camera': 2, 'y-up': 2}


def arrange_poses(
    name: str, rows: CheckedRows, skeleton: Skeleton, axes: str | None
) -> tuple[dict[str, np.ndarray], str, str, list[str]]:
    """Convert the poses of another tool to the arrays of a clip.

    Args:
        name (str): Name of the clip, for the log.
        rows (CheckedRows): Poses, sorted by frame and track.
        skeleton (Skeleton): Skeleton of their joints.
        axes (str | None): One of :data:`GIVEN_AXES`; None to use the axes that the rows
            state, or to recognize them.

    Returns:
        tuple: Arrays (N, ...) of a :class:`Clip3D` by name, in meters and relative to
        the root; their axes: 'camera', 'z-up' or 'world';
        unit and axes as they were read; and what was guessed.

    Raises:
        ArgumentError: If axes are not known.
    """
    stated = axes or rows.axes
    poses = _GivenPoses(name, rows, skeleton)
    poses.to_meters()
    poses.find_roots()
    if stated is None:
        axes = poses.recognize_axes()
        # File formats with usual axes are right-handed, and have a floor at zero.
        stated = axes if rows.usual_axes is not None else None
    else:
        axes = stated.removesuffix(LEFT_HANDED)
    is_left = poses.are_left_handed(axes, stated)
    form = f'{poses.unit}, {_UP.get(axes, "z up")}{", left-handed" if is_left else ""}'
    if is_left:
        signs = np.where(np.arange(3) == _MIRRORED.get(axes, 0), -1, 1)
        poses.turn([0, 1, 2], signs)
    poses.forget_origin(axes)
    if axes == 'y-up':
        poses.turn([0, 2, 1], np.array([1, -1, 1]))  # y up to z up: x, -z, y
        axes = 'world' if stated else 'z-up'
    return poses.arrays(), axes, form, poses.guesses


class _GivenPoses:
    """Poses of another tool, which are converted step by step.

    Attributes:
        points (np.ndarray): All joints, (N, K, 3).
        body (np.ndarray): Human3.6M's joints, (N, 17, 3), in the unit of the points,
            and in the axes that they have at first.
        pelvis (np.ndarray): Human3.6M's pelvis or, where it is unknown, the mean of the
            joints, (N, 3).
        roots (np.ndarray): Positions of the pelvis, (N, 3); NaN where unknown.
        units_per_meter (int): Number of the joints' units in a meter.
    """

    def __init__(self, name: str, rows: CheckedRows, skeleton: Skeleton) -> None:
        self._name = name
        self._rows = rows
        self.guesses: list[str] = []
        self.points = rows.points
        self.body, *_ = convert_keypoints(
            rows.points, None, skeleton.name, _BODY.name, 'trained'
        )

    def to_meters(self) -> None:
        """Find the unit of the poses by the lengths of bones, and scale them."""
        statures = self._statures()
        usual = np.searchsorted(_LARGEST, np.median(statures))
        self.units_per_meter = [*_UNITS][usual]
        self.unit = _UNITS[self.units_per_meter]
        unusual = []
        for track in np.unique(self._rows.track).tolist():
            person = self._rows.track == track
            height = np.median(statures[person]) / self.units_per_meter
            if not _USUAL[0] <= height <= _USUAL[1]:
                unusual.append(f'{height:.2f} m for {list_people([track])}')
        if unusual:
            text = '%s: bones show heights of %s; {height} sets the scale'
            self._warn(text, ', '.join(unusual))
        if self.units_per_meter != 1:
            self.guesses.append(f'bones of people show {self.unit}')
        self.points = self.points / self.units_per_meter
        self.body = self.body / self.units_per_meter
        pelvis = self.body[:, _PELVIS]
        middle = np.nanmean(self.points, axis=1)
        self.pelvis = np.where(np.isnan(pelvis), middle, pelvis)

    @ignored_warnings()  # NumPy warns of people without bones
    def _statures(self) -> np.ndarray:
        """Estimate body heights by bones or, without any, by the extent, (N,)."""
        points = self._rows.points
        lengths = bone_lengths(self.body, _BONES) / [*_LENGTHS.values()]
        stature = _STATURE * np.nanmedian(lengths, axis=1)
        extent = (np.nanmax(points, 1) - np.nanmin(points, 1)).max(-1)
        return np.where(np.isnan(stature), extent, stature)

    def find_roots(self) -> None:
        """Add translations, which have the unit of the joints, in meters."""
        given = self._rows.root_3d
        shifts = np.zeros(self.pelvis.shape) if given is None else given
        self.roots = self.pelvis + shifts / self.units_per_meter

    def recognize_axes(self) -> str:
        """Return the axes in which people stand, or the usual ones of a file format."""
        usual = self._rows.usual_axes
        distance = np.nanmedian(np.linalg.norm(self.roots, axis=1))
        shifts = (self.roots - self.pelvis)[:, None]
        places = self.body + shifts if distance > _CENTERED else None
        try:
            axes = up_axes(self.body, places)
        except ArgumentError:
            if usual is None:
                raise
            self.guesses.append('these axes are usual: {given_axes} states others')
            return usual
        hint = 'states others' if places is not None else 'if people lie or hang'
        self.guesses.append(f'people stand in these axes: {{given_axes}} {hint}')
        return 'world' if usual and axes == 'z-up' else axes

    def are_left_handed(self, axes: str, stated: str | None) -> bool:
        """Return whether axes are left-handed, as stated or as knees show."""
        bend = bend_of_knees(self.body)
        if stated:
            is_left = stated.endswith(LEFT_HANDED)
            if bend == (1 if is_left else -1):
                self._warn('%s: knees bend backwards in {given_axes=%s}', stated)
            return is_left
        if not bend:
            self._warn(
                '%s: knees hardly bend: whether axes are left-handed is not known, and '
                '{given_axes} states it'
            )
        return bend < 0

    def forget_origin(self, axes: str) -> None:
        """Mark positions of people who stay at the origin as unknown, NaN.

        With pixels, people who are not in front of the camera have no positions either.
        """
        rows = self._rows
        is_seen = axes == 'camera' and rows.keypoints_2d is not None
        for track in np.unique(rows.track):
            person = rows.track == track
            if rows.root_3d is not None and np.nan_to_num(rows.root_3d[person]).any():
                continue
            roots = self.roots[person]
            stays = np.median(np.linalg.norm(roots, axis=1)) < _CENTERED
            if stays or (is_seen and np.median(roots[:, 2]) < _MIN_DEPTH):
                self.roots[person] = np.nan

    def turn(self, order: list[int], signs: np.ndarray) -> None:
        """Reorder x, y and z, then multiply them by signs, (3,)."""
        self.points, self.pelvis, self.roots = (
            x[..., order] * signs for x in (self.points, self.pelvis, self.roots)
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of a :class:`Clip3D` by name, (N, ...)."""
        rows = self._rows
        poses = self.points - self.pelvis[:, None]
        pixels = rows.keypoints_2d
        return dict(
            frame=rows.frame,
            track=rows.track,
            root_3d=self.roots,
            keypoints_3d=poses,
            keypoints_2d=poses[..., :2] * np.nan if pixels is None else pixels,
            scores=rows.scores,
            keypoint_scores_3d=rows.scores,
        )

    def _warn(self, text: str, *values: object) -> None:
        """Log a line that begins with the clip's name."""
        _LOGGER.warning(ArgumentError(text, self._name, *values))
