"""3D poses of a clip, independent of file formats."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from mmhot.errors import ArgumentError, escape, require_choice
from mmhot.geometry.keypoint_arrays import (
    check_image_size,
    relative_scores,
    warn_of_steps,
)
from mmhot.structures.clips_2d import MIN_STEP, Clip2D, checked_rate
from mmhot.structures.pose_arrays import GIVEN_AXES, arrange_poses
from mmhot.structures.rows import Rows, Steps

LONGEST_STEP = 3.0
"""Seconds between frames of one motion, at most; longer steps are gaps."""
_FORMULA = re.compile('^[-=+@]')


def _above(text: str) -> Callable[..., Any]:
    """Import a function of a room above the clips by ``'module:name'``."""
    module, name = text.split(':')
    return getattr(import_module(module), name)


# Pixels of an image that is not known.
_NO_IMAGE = (1000, 1000)
_UNKNOWN_ROOT = np.empty((0, 3), np.float32)
# Letters of the shape and dtype of each array of a Clip3D.
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
_MAY_BE_UNKNOWN = ('root_3d', 'keypoints_2d', 'expected_error', 'detected_2d')


class BodyHeight(NamedTuple):
    """Body height of a person, and how it is known.

    Attributes:
        meters (float): From the floor to the top of the head.
        error (float): Its standard deviation, meters; 0 if it is stated.
        source (str): ``'stated'``, ``'floor'`` if the floor on which several people
            stand shows it, or ``'assumed'``.
    """

    meters: float
    error: float
    source: str


@dataclass
class Person3D:
    """Poses of one person of a :class:`Clip3D`.

    Attributes:
        track (int): Track ID.
        frames (np.ndarray): Frame numbers, sorted, (T,) int64.
        times (np.ndarray): Seconds, (T,) float64.
        keypoints_3d (np.ndarray): Root-relative positions, (T, K, 3) float32.
    """

    track: int
    frames: np.ndarray = field(repr=False)
    times: np.ndarray = field(repr=False)
    keypoints_3d: np.ndarray = field(repr=False)


@dataclass
class Clip3D:
    """Root-relative 3D poses of all people in a clip.

    One row is one person in one frame; the ``N`` rows are sorted by ``(frame, track)``.

    Attributes:
        name (str): Name of the clip.
        frame (np.ndarray): Frame numbers, (N,) int64.
        track (np.ndarray): Track IDs, (N,) int64.
        keypoints_3d (np.ndarray): Positions in ``unit``, (N, K, 3) float32.
        keypoint_scores_3d (np.ndarray): Confidence, 0 where the 2D keypoint was
            interpolated, (N, K) float32.
        keypoints_2d (np.ndarray): Lifted 2D keypoints in pixels, (N, K, 2) float32.
        scores (np.ndarray): Confidence of the 2D keypoints, (N, K) float32.
        width (int): Image width in pixels.
        height (int): Image height in pixels.
        fps (float): Frames per second.
        joint_names (tuple[str]): Names of the ``K`` joints.
        parents (tuple[int]): Parent of each joint, -1 for the root.
        axes (str): ``'camera'`` (x right, y down, z away), ``'z-up'`` (the same with z
            up), or ``'world'`` (z up from the floor, see
            :func:`mmhot.lifting.world.to_world`).
        unit (str): Unit of ``keypoints_3d``.
        model (str): Name of the lifter.
        root_3d (np.ndarray): Position of the root, (N, 3) float32, relative to the
            camera or, in ``'world'``, to the floor below it; NaN where unknown.
        variable_time (np.ndarray | None): Seconds, (N,) float64, if the frame rate
            varies. All clips have ``time``.
        focal_length (float): Focal length in pixels for which ``root_3d`` was
            computed; 0 if unknown.
        focal_assumed (bool): Whether the focal length is the default one.
        intrinsics (tuple[float]): Intrinsics given by the user, in OpenCV's order: fx,
            fy, cx, cy, distortion; empty if none were.
        camera_path (np.ndarray | None): If all frames share the axes of the first, the
            camera's rotation vector and zoom in each frame, (F, 4) float32.
        cuts (tuple[int]): Frames with which another shot begins, sorted.
        steps (dict): Names of the processing steps that have run, in order, and their
            options; none of them runs again.
        expected_error (np.ndarray | None): Expected distance of ``keypoints_3d`` from
            the ground truth in ``unit``, NaN where unknown, (N, K) float32.
        detected_joints (tuple[str]): Names of all ``J`` keypoints of the 2D model, if
            they are more than the joints that are lifted, such as 133.
        detected_2d (np.ndarray | None): These as they were detected, in pixels, NaN
            where missing, (N, J, 2) float32.
        detected_scores (np.ndarray | None): Their confidence, (N, J) float32.
        heights (dict[int, BodyHeight]): Body height by track ID, in the order in which
            people were chosen; empty for poses of other tools.

    Example::

        clip = mmhot.lift('demo/skating_2d_coco17.npz')
        heads = clip.keypoints_3d[:, clip.joint_names.index('head')]
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
    focal_length: float = 0.0
    focal_assumed: bool = True
    intrinsics: tuple[float, ...] = ()
    camera_path: np.ndarray | None = None
    cuts: tuple[int, ...] = ()
    steps: Steps = field(default_factory=dict)
    expected_error: np.ndarray | None = None
    detected_joints: tuple[str, ...] = ()
    detected_2d: np.ndarray | None = None
    detected_scores: np.ndarray | None = None
    heights: dict[int, BodyHeight] = field(default_factory=dict)

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

        A joint is missing if it is NaN, or its score is not above zero. If the pelvis
        stays at the origin, positions are unknown, unless ``root_3d`` is given.
        Millimeters and centimeters become meters.

        Args:
            keypoints_3d (np.ndarray): Joints of one person, (T, K, 3), of several
                people with the track IDs 0 to P - 1, (T, P, K, 3), or, with ``tracks``,
                one row for each person and frame, (N, K, 3).
            fps (float): Frames per second.
            skeleton (str, optional): Joint order. By default the one with K joints; of
                17 Human3.6M's.
            root_3d (np.ndarray, optional): Translation of each pose, which is added to
                its joints, (T, 3), (T, P, 3) or (N, 3).
            keypoints_2d (np.ndarray, optional): The same joints in pixels, (..., K, 2).
            scores (np.ndarray, optional): Confidence, (..., K).
            frames (np.ndarray, optional): Frame numbers, (T,) or (N,). By default from
                0.
            tracks (np.ndarray, optional): Track IDs, (N,); -1 if they are unknown.
            image_size (tuple[int, int], optional): Width and height in pixels, needed
                with ``keypoints_2d``.
            axes (str, optional): 'camera' (x right, y down, z away), 'z-up' (x right, y
                away), 'world' (z up from a floor) or 'y-up', which becomes 'world' (x,
                -z, y); 'z-up-left' and 'y-up-left' are left-handed. By default
                'camera', or 'z-up' if people stand along z or y.
            name (str): Name of the clip. Defaults to 'clip'.

        Raises:
            ValueError: If an argument is invalid.

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
        return _above('mmhot.visualization.html:embed_clip')(self)

    @property
    def confidence(self) -> np.ndarray:
        """Scores relative to the clip's usual ones, from 0 to 1, (N, K)."""
        return relative_scores(self.scores)

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
        return Person3D(track, frames, self.seconds(frames), self.keypoints_3d[rows])

    @property
    def marker_names(self) -> tuple[str, ...]:
        """Names of the joints in tables and of markers: Human3.6M's feet are ankles.

        Characters that end a cell, or begin a formula of a spreadsheet, are replaced.
        """
        names = tuple(_FORMULA.sub('_', escape(x, '_')) for x in self.joint_names)
        if 'left_ankle' in names:
            return names
        feet = {f'{side}_foot': f'{side}_ankle' for side in ('left', 'right')}
        return tuple(feet.get(name, name) for name in names)

    def table(self) -> dict[str, np.ndarray]:
        """Return the columns of ``.csv`` by name, a row per pose and joint.

        Returns:
            dict[str, np.ndarray]: Columns, (N * K,) each; ``pandas.DataFrame`` accepts
            them.

        Example::

            columns = clip.table()
            heights = columns['z'][columns['joint'] == 'head']
        """
        joints = len(self.joint_names)
        unknown = np.full_like(self.scores, np.nan)
        heads = dict(frame=self.frame, time=self.time, track=self.track)
        points = {
            'x y z': self.keypoints_3d,
            'score_3d': self.keypoint_scores_3d,
            'root_x root_y root_z': np.repeat(self.root_3d, joints, axis=0),
            'u v': self.keypoints_2d,
            'score': self.scores,
            'error_3d': unknown if self.expected_error is None else self.expected_error,
        }
        columns = {name: np.repeat(head, joints) for name, head in heads.items()}
        columns['joint'] = np.tile(self.marker_names, len(self))
        for text, array in points.items():
            names = text.split()
            columns |= zip(names, array.reshape(-1, len(names)).T, strict=True)
        return columns

    def angles(self) -> dict[str, np.ndarray]:
        """Return the joint angles of ``.angles.csv`` in degrees, (N,) by name.

        Raises:
            ValueError: If the joints are not Human3.6M's 17, or 24.

        Example::

            deepest_squat = clip.angles()['knee_angle_r'].max()
        """
        return _above('mmhot.chain.write:angles_of')(self)

    def bones(
        self, profile: str = 'default', track: int | None = None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return where the bones of a person are, as in ``.bvh``, meters, z up.

        Args:
            profile (str): Names, rest pose and axes: 'default', 'mixamo', or 'lafan1'
                for robots (GMR).
            track (int, optional): Track ID, needed if there are several people.

        Returns:
            dict[str, tuple[np.ndarray, np.ndarray]]: Positions (T, 3) and quaternions
            w, x, y, z (T, 4) by bone, a row for each pose.

        Raises:
            ValueError: If the joints are not Human3.6M's 17, or 24.

        Example::

            places, quaternions = clip.bones('lafan1')['LeftHand']
        """
        return _above('mmhot.chain.write:bones_of')(self, profile, track)

    def checked(self) -> 'Clip3D':
        """Return the clip with arrays of the documented types.

        Raises:
            ValueError: If an array has a wrong shape or value. Rows are sorted by frame
                and track. Root positions, 2D keypoints and expected errors may be NaN,
                but not infinite. Times start at 0 or later and increase with frames.

        Example::

            clip = dataclasses.replace(clip, keypoints_3d=2 * clip.keypoints_3d)
            clip.checked().save('giants.bvh')
        """

        def require(is_right: bool, fault: str) -> None:
            if not is_right:
                raise ValueError(f'{self.name}: {fault}')

        checked_rate(self.fps)
        sizes = {'N': len(self.frame), 'K': len(self.joint_names), '2': 2, '3': 3}
        sizes['J'] = len(self.detected_joints)
        arrays: dict[str, Any] = {}
        for name, (axes, dtype) in ARRAYS.items():
            shape = tuple(sizes[axis] for axis in axes)
            values = getattr(self, name)
            if values is None:
                continue
            arrays[name] = np.asarray(values).astype(dtype, copy=False)
            require(
                np.shape(values) == shape,
                f'{name} must have the shape {shape}, got {np.shape(values)}',
            )
            is_right = np.isfinite(values)
            if name in _MAY_BE_UNKNOWN:
                is_right |= np.isnan(values)
            require(is_right.all(), f'{name} is not finite')
        steps, others = np.diff(arrays['frame']), np.diff(arrays['track'])
        is_sorted = ((steps > 0) | ((steps == 0) & (others > 0))).all()
        require(is_sorted, 'rows must be sorted by frame and track, each once')
        joints = set(range(sizes['K']))
        require(len(self.parents) == len(joints), 'each joint must have a parent or -1')
        while leaves := joints - {self.parents[joint] for joint in joints}:
            joints -= leaves
        require(not joints, 'parents of joints must end at -1')
        if self.variable_time is not None and len(self):
            passed = np.diff(self.variable_time)
            is_right = np.where(steps > 0, passed >= MIN_STEP, passed == 0).all()
            require(
                bool(is_right and self.variable_time[0] >= 0),
                'time must increase with frames, from 0 and by a microsecond',
            )
        return replace(self, **arrays)

    def take(self, rows: np.ndarray) -> 'Clip3D':
        """Select rows by index or mask (N,).

        Example::

            clip.take(clip.frame < 50).save('start.bvh')
        """
        arrays = {k: v for k in ARRAYS if (v := getattr(self, k)) is not None}
        return replace(self, **{name: array[rows] for name, array in arrays.items()})

    def first_joints(self, count: int) -> 'Clip3D':
        """Return the clip without the joints from ``count`` on.

        Example::

            body = mmhot.lift('demo/skating_2d_coco17.npz', joints=24).first_joints(17)
        """
        arrays = {x: getattr(self, x) for x, (axes, _) in ARRAYS.items() if 'K' in axes}
        arrays = {x: None if y is None else y[:, :count] for x, y in arrays.items()}
        return replace(
            self,
            joint_names=self.joint_names[:count],
            parents=self.parents[:count],
            **arrays,
        )

    @property
    def time(self) -> np.ndarray:
        """Seconds of the rows, (N,)."""
        return self.seconds(self.frame)

    def seconds(self, frames: np.ndarray | int) -> np.ndarray:
        """Return timestamps of any frames, also of frames without people.

        Args:
            frames (np.ndarray): Frame numbers, (T,).

        Returns:
            np.ndarray: Seconds, (T,); interpolated between the frames of ``frame``, and
            extrapolated at ``fps``.

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
        """Return absolute joint positions, (N, K, 3); root-relative where unknown.

        Example::

            steps = np.linalg.norm(np.diff(clip.places()[:, 0], axis=0), axis=-1)
        """
        return self.keypoints_3d + np.nan_to_num(self.root_3d)[:, None]

    def save(
        self,
        path: str | Path,
        video: str | Path | Iterable[np.ndarray] | None = None,
        **options: object,
    ) -> list[Path]:
        """Write the clip in the format of the file's suffix, as ``mmhot lift`` does.

        Args:
            path (str | Path): File to create or replace, such as ``'walk.bvh'``.
                Formats with one person per file write ``NAME_person0.bvh`` and so on if
                there are several people.
            video (str | Path | Iterable, optional): Video, or its images, behind the
                keypoints in ``.html``, ``.mp4``, ``.png`` and ``.rrd``.
            **options (object): Axes, scale and so on, see
                :class:`mmhot.chain.options.ExportOptions`; and ``static_camera`` with
                ``without``, as for :func:`mmhot.lift`, of clips that were lifted
                without.

        Returns:
            list[Path]: The files written.

        Raises:
            ValueError: If the suffix is not a format, or an option is wrong.

        Example::

            clip.save('walk.bvh', height=1.75, bvh_profile='mixamo')
            clip.save('angles.mp4', video='walk.mp4', draw='angles')
        """
        return _above('mmhot.chain.write:save_clip')(self, path, video, **options)

    def stretches(self) -> list[np.ndarray]:
        """Return the row indices (T,) of each run of consecutive frames of a person.

        Frames more than ``LONGEST_STEP`` seconds apart are of two runs.

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
    image_size: tuple[int, int] | None = None,
    axes: str | None = None,
) -> Clip3D:
    """Make a clip of rows in 3D, with arguments as in :meth:`Clip3D.from_arrays`."""
    require_choice('axes', axes or 'camera', GIVEN_AXES)
    fps = checked_rate(fps)
    if rows.keypoints_2d is not None and image_size is None:
        raise ArgumentError('{image_size} must be given with 2D keypoints')
    width, height = check_image_size(image_size or _NO_IMAGE)
    poses, joints = rows.checked(3, name).with_joints(name, skeleton, {17: 'h36m-17'})
    warn_of_steps(name, poses.frame)
    if image_size is not None:
        poses.width, poses.height = width, height
    arrays, axes = arrange_poses(name, poses, joints, axes)
    columns: dict[str, Any] = {x: y.astype(ARRAYS[x][1]) for x, y in arrays.items()}
    return Clip3D(
        name=name,
        **columns,
        width=width,
        height=height,
        fps=fps,
        joint_names=joints.joints,
        parents=joints.parents,
        axes=axes,
        variable_time=poses.seconds(columns['frame'], fps),
        focal_length=rows.focal_length or 0.0,
        focal_assumed=rows.focal_length is None,
    )


def join_rows(motions: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """Join arrays (N, ...) of several motions, and sort rows by frame and track."""
    arrays = {key: np.concatenate([x[key] for x in motions]) for key in motions[0]}
    order = np.lexsort((arrays['track'], arrays['frame']))
    return {name: array[order] for name, array in arrays.items()}


Clip = TypeVar('Clip', Clip2D, Clip3D)


def read_only(clip: Clip) -> Clip:
    """Return a clip with the same arrays, which cannot be changed through it."""

    def frozen(item: Any) -> Any:
        values = {x.name: getattr(item, x.name) for x in fields(item)}
        arrays = {k: x.view() for k, x in values.items() if isinstance(x, np.ndarray)}
        for array in arrays.values():
            array.flags.writeable = False
        return replace(item, **arrays)

    clip = replace(frozen(clip), steps=dict(clip.steps))
    if isinstance(clip, Clip3D):
        return clip
    return replace(clip, tracks=[*map(frozen, clip.tracks)])


def to_axes(clip: Clip3D, axes: str) -> Clip3D:
    """Convert a clip between ``'camera'`` axes and ``'z-up'``, their x, z and -y."""
    require_choice('axes', axes, ('camera', 'z-up'))
    if clip.axes == 'world':
        raise ValueError(f"a clip in 'world' axes cannot be converted to {axes!r}")
    if axes == clip.axes:
        return clip
    # Exchange y and z, and change the sign of one of them.
    signs = np.array([1, 1, -1] if axes == 'z-up' else [1, -1, 1], np.float32)
    poses, root = (x[..., [0, 2, 1]] * signs for x in (clip.keypoints_3d, clip.root_3d))
    return replace(clip, axes=axes, keypoints_3d=poses, root_3d=root)
