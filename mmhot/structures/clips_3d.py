"""3D poses of a clip, independent of file formats."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from mmhot.errors import ArgumentError, escape, require_choice
from mmhot.geometry.keypoint_arrays import (
    MIN_STEP,
    check_image_size,
    checked_rate,
    read_only_view,
    relative_scores,
    to_numbers,
)
from mmhot.structures.clips_2d import FIELDS, Clip2D, check_fields
from mmhot.structures.conventions import (
    ask_about_order,
    describe_frames,
    describe_people,
    log_reading,
)
from mmhot.structures.lens import Camera, Lens, assumed_focal, stated_lens
from mmhot.structures.pose_arrays import GIVEN_AXES, arrange_poses
from mmhot.structures.rows import (
    LARGEST_FRAME,
    Rows,
    Steps,
    whole_numbers,
)

LONGEST_STEP = 3.0
"""Longest time between two frames of one motion, seconds; a longer one is a gap."""
_FORMULA = re.compile('^[-=+@]')
_NO_IMAGE = (1000, 1000)  # pixels; size that stands for an unknown one
_UNKNOWN_ROOT = np.empty((0, 3), np.float32)
ARRAYS = {
    'frame': ('N', np.int64),
    'track': ('N', np.int64),
    'keypoints_3d': ('NK3', np.float32),
    'keypoint_scores_3d': ('NK', np.float32),
    'keypoints_2d': ('NK2', np.float32),
    'scores': ('NK', np.float32),
    'root_3d': ('N3', np.float32),
    'variable_time': ('N', np.float64),
    'expected_error': ('NK', np.float32),
    'detected_2d': ('NJ2', np.float32),
    'detected_scores': ('NJ', np.float32),
}
"""Shape, a letter or digit per axis, and type of each array of a clip with N rows."""
# Meters or pixels. Coordinates of maps have up to 1e7, and float32 does not have the
# squares of 2e19; limits from 1e8 to 1e18 refuse the same clips.
_FARTHEST = 1e9
_MAY_BE_UNKNOWN = ('root_3d', 'keypoints_2d', 'expected_error', 'detected_2d')


def _above(text: str) -> Callable[..., Any]:
    """Import a function of a room that builds on clips, by ``'module:name'``."""
    module, name = text.split(':')
    return getattr(import_module(module), name)


class BodyHeight(NamedTuple):
    """Body height of a person, and how it is known.

    Attributes:
        meters (float): Height from the floor to the top of the head, meters.
        error (float): Standard deviation of the height, meters; 0 if it is stated.
        source (str): ``'stated'`` by the user, ``'floor'`` if it follows from the floor
            on which several people stand, or ``'assumed'``.
    """

    meters: float
    error: float
    source: str


_FIELDS = {
    **FIELDS,
    'model': (str, object, 'text'),
    'joint_names': (tuple, str, 'a tuple of names'),
    'parents': (tuple, Integral, 'a tuple of indices'),
    'detected_joints': (tuple, str, 'a tuple of names'),
    'lens': (Lens | None, object, 'a Lens or None'),
    'camera': (Camera | None, object, 'a Camera or None'),
    'read_as': (str, object, 'text'),
    'heights': (dict, BodyHeight, 'BodyHeight by track ID'),
}


@dataclass(frozen=True)
class Person3D:
    """Poses of one person of a :class:`Clip3D`, in ``T`` frames; read-only.

    Attributes:
        track (int): Track ID.
        frames (np.ndarray): Frame numbers, (T,) int64, sorted.
        times (np.ndarray): Timestamps in seconds, (T,) float64.
        keypoints_3d (np.ndarray): Positions relative to the root joint, in the axes and
            the unit of the clip, (T, K, 3) float32.

    Example::

        skater = mmhot.lift('demo/skating_2d_coco17.npz').person(0)
        speeds = np.gradient(skater.keypoints_3d, skater.times, axis=0)  # m/s
    """

    track: int
    frames: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    keypoints_3d: np.ndarray = field(repr=False)


@dataclass
class Clip3D:
    """3D poses of all people in a clip.

    One row is one person in one frame. The ``N`` rows are sorted by ``(frame, track)``.
    A joint's position is ``root_3d + keypoints_3d``, see :meth:`places`.

    Attributes:
        name (str): Name of the clip.
        frame (np.ndarray): Frame number of each row, (N,) int64.
        track (np.ndarray): Track ID of each row, (N,) int64.
        keypoints_3d (np.ndarray): Joint positions relative to the root joint, in
            ``unit``, (N, K, 3) float32; never NaN.
        keypoint_scores_3d (np.ndarray): Confidence of the 3D joints, (N, K) float32; 0
            where the 2D keypoint was missing and was interpolated.
        keypoints_2d (np.ndarray): 2D keypoints that were lifted, in pixels, (N, K, 2)
            float32; NaN where unknown.
        scores (np.ndarray): Confidence of the 2D keypoints, (N, K) float32.
        width (int): Image width in pixels; 1000 if unknown, for poses of other tools.
        height (int): Image height in pixels; 1000 if unknown.
        fps (float): Frames per second.
        joint_names (tuple[str]): Names of the ``K`` joints.
        parents (tuple[int]): Index of each joint's parent; -1 for the root.
        axes (str): ``'camera'`` (x right, y down, z away from the camera), ``'z-up'``
            (x right, y away, z up) or ``'world'`` (z up from the floor, see
            :func:`mmhot.chain.lifting.world.to_world`).
        unit (str): Unit of all positions; ``'m'``, meters.
        model (str): Name of the lifter; empty for poses of other tools.
        root_3d (np.ndarray): Position of the root joint, (N, 3) float32, relative to
            the camera or, in ``'world'``, to a point on the floor; NaN where unknown.
        variable_time (np.ndarray | None): Timestamps in seconds, (N,) float64, if the
            frame rate varies, else None. :attr:`time` exists for all clips.
        lens (Lens | None): Lens of the images; None if unknown, see
            :attr:`focal_length`.
        camera (Camera | None): Rotation and zoom of a camera that keeps its place, if
            all frames share the axes of the first one; None if each frame has camera
            axes of its own.
        cuts (tuple[int]): Frame numbers at which another shot begins, sorted.
        steps (dict): Options of the processing steps that have run, by step name, in
            the order of the steps. None of them runs again.
        expected_error (np.ndarray | None): Expected distance between ``keypoints_3d``
            and the truth in ``unit``, (N, K) float32; NaN where unknown.
        detected_joints (tuple[str]): Names of all ``J`` keypoints of the 2D model if
            it has more than are lifted, such as 133; else empty.
        detected_2d (np.ndarray | None): These keypoints in pixels, (N, J, 2) float32;
            NaN where missing.
        detected_scores (np.ndarray | None): Their confidence, (N, J) float32.
        heights (dict[int, BodyHeight]): Body height by track ID, in the order in which
            people were chosen; empty for poses of other tools.
        read_as (str): What the poses, or the keypoints that were lifted, were read as:
            frames, order of joints, unit, axes, rate and people.

    Example::

        clip = mmhot.lift('demo/skating_2d_coco17.npz')
        heads = clip.keypoints_3d[:, clip.joint_names.index('head')]  # (N, 3)
    """

    name: str
    frame: np.ndarray
    track: np.ndarray
    keypoints_3d: np.ndarray
    keypoint_scores_3d: np.ndarray
    keypoints_2d: np.ndarray
    scores: np.ndarray
    width: int
    height: int
    fps: float
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]
    axes: str = 'camera'
    unit: str = 'm'
    model: str = ''
    root_3d: np.ndarray = field(default_factory=lambda: _UNKNOWN_ROOT)
    variable_time: np.ndarray | None = None
    lens: Lens | None = None
    camera: Camera | None = None
    cuts: tuple[int, ...] = ()
    steps: Steps = field(default_factory=dict)
    expected_error: np.ndarray | None = None
    detected_joints: tuple[str, ...] = ()
    detected_2d: np.ndarray | None = None
    detected_scores: np.ndarray | None = None
    heights: dict[int, BodyHeight] = field(default_factory=dict)
    read_as: str = ''

    def __post_init__(self) -> None:
        """Mark root positions as unknown unless they are given."""
        if self.root_3d is _UNKNOWN_ROOT:
            self.root_3d = np.full((len(self.frame), 3), np.nan, np.float32)

    @classmethod
    def from_arrays(
        cls,
        keypoints_3d: np.ndarray,
        fps: float,
        *,
        skeleton: str | None = None,
        root_3d: np.ndarray | None = None,
        keypoints_2d: np.ndarray | None = None,
        scores: np.ndarray | None = None,
        frames: np.ndarray | None = None,
        tracks: np.ndarray | None = None,
        image_size: tuple[int, int] | None = None,
        axes: str | None = None,
        name: str = 'clip',
    ) -> 'Clip3D':
        """Make a clip of the 3D poses of another tool, for :func:`mmhot.refine`.

        A joint is missing if it is NaN, or its score is not above zero. Positions of
        people are unknown if their pelvis stays at the origin and ``root_3d`` is not
        given. Millimeters and centimeters become meters.

        Args:
            keypoints_3d (np.ndarray): Joints of one person, (T, K, 3), of several
                people with the track IDs 0 to P - 1, (T, P, K, 3), or, with ``tracks``,
                one row for each person and frame, (N, K, 3).
            fps (float): Frames per second.
            skeleton (str, optional): Joint order, such as 'h36m-17'. Defaults to the
                usual one with K joints; for 17 joints, Human3.6M's.
            root_3d (np.ndarray, optional): Translation of each pose, which is added to
                its joints, (T, 3), (T, P, 3) or (N, 3).
            keypoints_2d (np.ndarray, optional): The same joints in pixels, (..., K, 2).
            scores (np.ndarray, optional): Confidence, (..., K).
            frames (np.ndarray, optional): Frame numbers, (T,) or (N,). Defaults to
                0, 1, ...
            tracks (np.ndarray, optional): Track IDs, (N,); -1 where unknown.
            image_size (tuple[int, int], optional): Width and height in pixels, needed
                with ``keypoints_2d``.
            axes (str, optional): 'camera' (x right, y down, z away), 'z-up' (x right, y
                away, z up), 'world' (z up from a floor) or 'y-up', which becomes
                'world' (x, -z, y); 'z-up-left' and 'y-up-left' are left-handed.
                Defaults to the axes in which people stand, see
                :mod:`mmhot.structures.conventions`.
            name (str): Name of the clip. Defaults to 'clip'.

        Returns:
            Clip3D: Poses in meters, in 'camera', 'z-up' or 'world' axes.

        Raises:
            ValueError: If an argument is invalid, or axes are not stated and people do
                not show them.

        Example::

            clip = mmhot.Clip3D.from_arrays(np.load('X3D.npy'), fps=30)
            mmhot.refine(clip).save('walk.bvh')
        """
        rows = Rows(
            keypoints_3d,
            scores,
            frames,
            tracks,
            root_3d=root_3d,
            keypoints_2d=keypoints_2d,
        )
        return clip_3d(rows, name, fps, skeleton, image_size, axes)

    def __len__(self) -> int:
        """Return the number of rows ``N``."""
        return len(self.frame)

    def __repr__(self) -> str:
        """Describe the clip in five lines."""
        frames = np.unique(self.frame)
        span = f' from {frames[0]} to {frames[-1]}' if len(frames) else ''
        return (
            f'Clip3D {self.name!r}\n'
            f'  people: {len(self.track_ids)}, poses: {len(self)}\n'
            f'  frames: {len(frames)}{span}, {self.fps:g} per second\n'
            f'  joints: {len(self.joint_names)}, in {self.unit}, {self.axes} axes\n'
            f'  image: {self.width} x {self.height}, lifter: {self.model or "unknown"}'
        )

    def _repr_html_(self) -> str | None:
        """Show the viewer in notebooks."""
        return _above('mmhot.chain.visualization.html:embed_clip')(self)

    @property
    def confidence(self) -> np.ndarray:
        """Scores of the 2D keypoints from 0 to 1, (N, K); 1 is usual in this clip."""
        return read_only_view(relative_scores(self.scores))

    @property
    def focal_length(self) -> float:
        """Focal length in pixels, which is assumed if the lens is unknown."""
        lens = self.lens
        return float(lens.focal[0] if lens else assumed_focal(self.width, self.height))

    @property
    def track_ids(self) -> list[int]:
        """Track IDs of all people, sorted."""
        return np.unique(self.track).tolist()

    @property
    def people(self) -> list[Person3D]:
        """All people, sorted by track ID."""
        return [self.person(track) for track in self.track_ids]

    def person(self, track: int) -> Person3D:
        """Return the poses of one person, in the order of the frames.

        Raises:
            ValueError: If there is no such track ID.

        Example::

            skater = clip.person(0)
            speeds = np.gradient(skater.keypoints_3d, skater.times, axis=0)
        """
        rows = np.flatnonzero(self.track == track)
        if not len(rows):
            ids = ', '.join(map(str, self.track_ids))
            raise ValueError(f'{self.name}: no track {track!r}; there are {ids}')
        frames = self.frame[rows]
        arrays = frames, self.seconds(frames), self.keypoints_3d[rows]
        return Person3D(track, *map(read_only_view, arrays))

    @property
    def marker_names(self) -> tuple[str, ...]:
        """Names of the joints in tables and of markers.

        Human3.6M's ``left_foot`` is called ``left_ankle``, as it is the ankle.
        Characters that end a cell, or begin a formula of a spreadsheet, become _.
        """
        names = tuple(_FORMULA.sub('_', escape(x, '_')) for x in self.joint_names)
        if 'left_ankle' in names:
            return names
        feet = {f'{side}_foot': f'{side}_ankle' for side in ('left', 'right')}
        return tuple(feet.get(name, name) for name in names)

    def table(self) -> dict[str, np.ndarray]:
        """Return the columns of ``.csv``: one row per pose and joint.

        Returns:
            dict[str, np.ndarray]: Columns by name, (N * K,) each, as
            ``pandas.DataFrame`` accepts them: frame, time, track, joint, x, y, z,
            score_3d, root_x, root_y, root_z, u, v (pixels), score and error_3d.

        Example::

            columns = clip.table()
            heights = columns['z'][columns['joint'] == 'head']
        """
        joints = len(self.joint_names)
        error = self.expected_error
        x, y, z = self.keypoints_3d.reshape(-1, 3).T
        root_x, root_y, root_z = np.repeat(self.root_3d, joints, axis=0).T
        u, v = self.keypoints_2d.reshape(-1, 2).T
        return {
            'frame': np.repeat(self.frame, joints),
            'time': np.repeat(self.time, joints),
            'track': np.repeat(self.track, joints),
            'joint': np.tile(self.marker_names, len(self)),
            'x': x,
            'y': y,
            'z': z,
            'score_3d': self.keypoint_scores_3d.ravel(),
            'root_x': root_x,
            'root_y': root_y,
            'root_z': root_z,
            'u': u,
            'v': v,
            'score': self.scores.ravel(),
            'error_3d': np.full_like(x, np.nan) if error is None else error.ravel(),
        }

    def angles(self) -> dict[str, np.ndarray]:
        """Return the joint angles of ``.angles.csv``.

        Returns:
            dict[str, np.ndarray]: Degrees by the name of the angle, (N,) each, see
            docs/biomechanics.md.

        Raises:
            ValueError: If the joints are not Human3.6M's 17, or 24.

        Example::

            deepest_squat = clip.angles()['knee_angle_r'].max()
        """
        return _above('mmhot.chain.write:angles_of')(self)

    def bones(
        self, profile: str = 'default', track: int | None = None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return positions and rotations of a person's bones, as in ``.bvh``.

        Args:
            profile (str): Names, rest pose and axes: 'default', 'mixamo', or 'lafan1'
                for robots (GMR).
            track (int, optional): Track ID, needed if there are several people.

        Returns:
            dict[str, tuple[np.ndarray, np.ndarray]]: Positions in meters, z up, (T, 3),
            and quaternions w, x, y, z (T, 4) by the name of the bone.

        Raises:
            ValueError: If the joints are not Human3.6M's 17, or 24, or there are
                several people and none is chosen.

        Example::

            places, quaternions = clip.bones('lafan1')['LeftHand']
        """
        return _above('mmhot.chain.write:bones_of')(self, profile, track)

    def checked(self) -> 'Clip3D':
        """Check a clip, which may be made by hand.

        Returns:
            Clip3D: The clip with arrays of the documented types.

        Raises:
            ValueError: If a field has another type, or an array another shape; if a
                number is not finite where it must be; if rows are not sorted by frame
                and track; if joints are no tree; if the lens does not fit the images;
                or if timestamps do not start at 0 or later, and increase with frames.

        Example::

            clip = dataclasses.replace(clip, keypoints_3d=2 * clip.keypoints_3d)
            clip.checked().save('giants.bvh')
        """
        checked_rate(self.fps)
        width, height = check_image_size((self.width, self.height))
        check_fields(self, _FIELDS)
        require_choice('axes', self.axes, ('camera', 'z-up', 'world'))
        require_choice('unit', self.unit, ('m',))
        arrays: dict[str, Any] = {
            name: self._checked_array(name, to_numbers(name, values))
            for name, values in self._arrays().items()
        }
        steps = np.diff(arrays['frame'])
        is_sorted = (steps > 0) | ((steps == 0) & (np.diff(arrays['track']) > 0))
        self._require(
            is_sorted.all(),
            'rows must be sorted by frame and track, without duplicates',
        )
        joints = set(range(len(self.joint_names)))
        self._require(
            len(self.parents) == len(joints),
            'parents must have an index for each joint, -1 for the root',
        )
        while leaves := joints - {self.parents[joint] for joint in joints}:
            joints -= leaves
        self._require(not joints, 'parents must lead from each joint to the root, -1')
        if self.variable_time is not None and len(self):
            passed = np.diff(self.variable_time)
            is_right = np.where(steps > 0, passed >= MIN_STEP, passed == 0).all()
            self._require(
                is_right and self.variable_time[0] >= 0,
                'variable_time must begin at 0 or later, and increase with the frames '
                'by a microsecond or more',
            )
        camera = self.camera
        if camera is not None:
            path = to_numbers('camera.path', camera.path)
            last = arrays['frame'].max(initial=-1)
            self._require(
                path.shape[1:] == (4,) and len(path) > last and np.isfinite(path).all(),
                f'the path of the camera must have 4 numbers for each frame to {last}',
            )
            camera = Camera(path, camera.lens and camera.lens.fitted(width, height))
        lens = self.lens and self.lens.fitted(width, height)
        return replace(
            self, width=width, height=height, lens=lens, camera=camera, **arrays
        )

    def _arrays(self) -> dict[str, Any]:
        """Return the arrays in :data:`ARRAYS` that are not None."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return {name: x for name, x in arrays.items() if x is not None}

    def _checked_array(self, name: str, values: np.ndarray) -> np.ndarray:
        """Check shape and values of an array, and convert it to its type."""
        axes, dtype = ARRAYS[name]
        sizes = dict(
            N=len(self.frame), K=len(self.joint_names), J=len(self.detected_joints)
        )
        shape = tuple(sizes[axis] if axis in sizes else int(axis) for axis in axes)
        self._require(
            values.shape == shape,
            f'{name} must have the shape {shape}, got {values.shape}',
        )
        is_known = name not in _MAY_BE_UNKNOWN
        self._require(
            not (is_known and np.isnan(values).any()), f'{name} is not finite'
        )
        if dtype is np.int64:
            self._require(values.min(initial=0) >= 0, f'{name} has negative numbers')
            is_right = name != 'frame' or values.max(initial=0) <= LARGEST_FRAME
            self._require(is_right, f'frame has numbers above {LARGEST_FRAME}')
            return whole_numbers(name, values)
        is_far = dtype is np.float32 and (abs(values) > _FARTHEST).any()
        self._require(not is_far, f'{name} has numbers above {_FARTHEST:g}')
        return values.astype(dtype, copy=False)

    def _require(self, is_right: bool | np.bool_, fault: str) -> None:
        """Raise a ValueError with the clip's name unless a check is right."""
        if not is_right:
            raise ValueError(f'{self.name}: {fault}')

    def described(self, form: str) -> 'Clip3D':
        """State how the clip was read; ``form`` is such as 'h36m-17, meters, y up'."""
        frames = len(np.unique(self.frame))
        people = describe_people(len(self.track_ids))
        text = f'{describe_frames(frames)} of {form}, {self.fps:g} frames/s, {people}'
        return replace(self, read_as=text)

    def take(self, rows: np.ndarray) -> 'Clip3D':
        """Select rows by their indices, or by a mask (N,).

        Example::

            clip.take(clip.frame < 50).save('start.bvh')
        """
        taken = {name: array[rows] for name, array in self._arrays().items()}
        return replace(self, **taken)

    def first_joints(self, count: int) -> 'Clip3D':
        """Return the clip with its first joints only.

        Args:
            count (int): Number of joints that are kept.

        Example::

            body = mmhot.lift('demo/skating_2d_coco17.npz', joints=24).first_joints(17)
        """
        arrays = self._arrays().items()
        kept = {name: x[:, :count] for name, x in arrays if 'K' in ARRAYS[name][0]}
        return replace(
            self,
            joint_names=self.joint_names[:count],
            parents=self.parents[:count],
            **kept,
        )

    @property
    def time(self) -> np.ndarray:
        """Timestamp of each row in seconds, (N,)."""
        return read_only_view(self.seconds(self.frame))

    def seconds(self, frames: np.ndarray | int) -> np.ndarray:
        """Return the timestamps of any frames, with or without people.

        Args:
            frames (np.ndarray | int): Frame numbers, (T,), or one of them.

        Returns:
            np.ndarray: Seconds, (T,). If the frame rate varies, they are interpolated
            between the frames of the clip, and extrapolated at ``fps``.

        Example::

            duration = clip.seconds(clip.frame[-1]) - clip.seconds(clip.frame[0])
        """
        even = np.asarray(frames) / self.fps
        if self.variable_time is None:
            return even
        # Frames with people and frame 0, and their delays relative to a constant rate.
        known, first = np.unique(np.r_[self.frame, 0], return_index=True)
        delays = np.r_[self.variable_time, 0][first] - known / self.fps
        return even + np.interp(frames, known, delays)

    def places(self) -> np.ndarray:
        """Return joint positions in ``axes`` and ``unit``, (N, K, 3), read-only.

        Where the root's position is unknown, they are relative to the root.

        Example::

            steps = np.linalg.norm(np.diff(clip.places()[:, 0], axis=0), axis=-1)
        """
        places = self.keypoints_3d + np.nan_to_num(self.root_3d)[:, None]
        return read_only_view(places)

    def save(
        self,
        path: str | Path,
        video: str | Path | Iterable[np.ndarray] | None = None,
        **options: object,
    ) -> list[Path]:
        """Write the clip in the format that the suffix of the file names.

        Args:
            path (str | Path): File to create or replace, such as ``'walk.bvh'``.
                Formats with one person per file write ``NAME_person0.bvh`` and so on if
                there are several people.
            video (str | Path | Iterable, optional): Video, or its images, behind the
                keypoints in ``.html``, ``.mp4`` and ``.rrd``.
            **options (object): Axes, body heights and so on, see
                :class:`mmhot.chain.options.ExportOptions`.

        Returns:
            list[Path]: The files written.

        Raises:
            ValueError: If the suffix is not a format, or an option is wrong.

        Example::

            clip.save('walk.bvh', height=1.75, bvh_profile='mixamo')
        """
        return _above('mmhot.chain.write:save_clip')(self, path, video, **options)

    def stretches(self) -> list[np.ndarray]:
        """Split the clip into runs of consecutive frames of one person.

        Frames that are more than 3 seconds apart (:data:`LONGEST_STEP`) are in
        different runs.

        Returns:
            list[np.ndarray]: Row indices of each run, (T,), sorted by frame.

        Example::

            longest = max(clip.stretches(), key=len)
            clip.take(np.sort(longest)).save('longest.trc')
        """
        rows = np.lexsort((self.frame, self.track))
        is_next = np.diff(self.frame[rows]) == 1
        is_next &= np.diff(self.seconds(self.frame[rows])) <= LONGEST_STEP
        is_next &= np.diff(self.track[rows]) == 0
        return np.split(rows, np.flatnonzero(~is_next) + 1) if len(rows) else []


def clip_3d(
    rows: Rows,
    name: str,
    fps: float,
    skeleton: str | None = None,
    image_size: tuple[float, float] | None = None,
    axes: str | None = None,
) -> Clip3D:
    """Make a clip of rows in 3D.

    Args:
        rows (Rows): One row per person and frame.
        name (str): Name of the clip.
        fps (float): Frames per second.
        skeleton (str, optional): Joint order; see :meth:`Clip3D.from_arrays` for the
            default, here and below.
        image_size (tuple[float, float], optional): Width and height in pixels.
        axes (str, optional): Axes of the positions.

    Raises:
        ValueError: If an argument or array is invalid.
        ArgumentError: If the skeleton, the axes or the image size must be stated.
    """
    require_choice('axes', axes or 'camera', GIVEN_AXES)
    fps = checked_rate(fps)
    if rows.keypoints_2d is not None and image_size is None:
        raise ArgumentError('{image_size} must be given with 2D keypoints')
    width, height = check_image_size(image_size or _NO_IMAGE)
    poses, joints = rows.checked(3, name).with_joints(name, skeleton, {17: 'h36m-17'})
    poses.warn_of_ids(name)
    if image_size is not None:
        poses.width, poses.height = width, height
    arrays, axes, form, guesses = arrange_poses(
        name, poses.sorted_poses(), joints, axes
    )
    columns: dict[str, Any] = {x: y.astype(ARRAYS[x][1]) for x, y in arrays.items()}
    clip = Clip3D(
        name=name,
        **columns,
        width=width,
        height=height,
        fps=fps,
        joint_names=joints.joints,
        parents=joints.parents,
        axes=axes,
        variable_time=poses.seconds(columns['frame'], fps),
        lens=stated_lens(width, height, rows.focal_length),
    )
    clip = clip.described(f'{joints.name}, {form}')
    ask_about_order(poses.points, joints, name)
    log_reading(name, clip.read_as, [*poses.guesses, *guesses])
    return clip


def join_rows(motions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Join arrays of several motions, and sort the rows by frame and track.

    Args:
        motions (Sequence[Mapping[str, np.ndarray]]): Arrays (N, ...) by name, the same
            names in each motion; among them 'frame' and 'track'.

    Returns:
        dict[str, np.ndarray]: Arrays (N', ...) by name.
    """
    arrays = {key: np.concatenate([x[key] for x in motions]) for key in motions[0]}
    order = np.lexsort((arrays['track'], arrays['frame']))
    return {name: array[order] for name, array in arrays.items()}


Clip = TypeVar('Clip', Clip2D, Clip3D)


def read_only(clip: Clip3D) -> Clip3D:
    """Return a clip with views of the same arrays, through which nothing can change."""
    values = {x.name: getattr(clip, x.name) for x in fields(clip)}
    views: dict[str, Any] = {
        name: read_only_view(x)
        for name, x in values.items()
        if isinstance(x, np.ndarray)
    }
    return replace(clip, **views, steps=dict(clip.steps))


def to_axes(clip: Clip3D, axes: str) -> Clip3D:
    """Convert a clip between 'camera' axes (x, y, z) and 'z-up' axes (x, z, -y).

    Raises:
        ArgumentError: If ``axes`` is neither of them.
        ValueError: If the clip is in 'world' axes.
    """
    require_choice('axes', axes, ('camera', 'z-up'))
    if clip.axes == 'world':
        raise ValueError(
            f"{clip.name} is in 'world' axes, which are relative to the floor: it "
            f'cannot be converted to {axes!r}'
        )
    if axes == clip.axes:
        return clip
    # Exchange y and z, and change the sign of the new one that points up or down.
    signs = np.array([1, 1, -1] if axes == 'z-up' else [1, -1, 1], np.float32)
    poses, root = (x[..., [0, 2, 1]] * signs for x in (clip.keypoints_3d, clip.root_3d))
    return replace(clip, axes=axes, keypoints_3d=poses, root_3d=root)
