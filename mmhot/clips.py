"""2D keypoints and 3D poses of a clip, independent of file formats."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mmhot.errors import escape


def clip_name(path: Path) -> str:
    """Name a clip and its results after a file; control characters become ``_``."""
    return escape(path.stem if path.is_file() else path.resolve().name, '_')


@dataclass
class Track2D:
    """2D keypoints of one person.

    Attributes:
        track (int): Track ID.
        frames (np.ndarray): Frame numbers, sorted and unique, (T,) int64.
        keypoints (np.ndarray): Pixels, NaN where missing, (T, K, 2) float32.
        scores (np.ndarray): Confidence, 0 where missing, (T, K) float32.
        bboxes (np.ndarray | None): Boxes as x1, y1, x2, y2, (T, 4) float32.
    """

    track: int
    frames: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    bboxes: np.ndarray | None = None


@dataclass
class Clip2D:
    """2D keypoints of all people in a clip.

    Attributes:
        name (str): Name of the clip, from its file.
        skeleton (str): Joint order, a name of :mod:`mmhot.skeletons.joints`.
        tracks (list[Track2D]): People, sorted by track ID.
        width (int): Image width in pixels.
        height (int): Image height in pixels.
        fps (float): Frames per second.
        source (Path): File or folder of the keypoints.
        times (np.ndarray | None): Timestamps in seconds by frame number, for clips
            with a variable frame rate.
    """

    name: str
    skeleton: str
    tracks: list[Track2D]
    width: int
    height: int
    fps: float
    source: Path
    times: np.ndarray | None = None

    def times_of(self, frames: np.ndarray) -> np.ndarray:
        """Return the timestamps of frames (T,) in seconds, (T,)."""
        return frames / self.fps if self.times is None else self.times[frames]


# Letters of the shape and dtype of each array of a Clip3D.
ARRAYS = {
    'frame': ('N', np.int64),
    'track': ('N', np.int64),
    'keypoints_3d': ('NK3', np.float32),
    'keypoint_scores_3d': ('NK', np.float32),
    'keypoints_2d': ('NK2', np.float32),
    'scores': ('NK', np.float32),
    'root_3d': ('N3', np.float32),
    'time': ('N', np.float64),
}


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
            camera or, in ``'world'``, to the point of the floor below it; NaN where
            unknown.
        time (np.ndarray | None): Timestamps in seconds, (N,) float64, for clips with a
            variable frame rate.
        focal_length (float): Focal length in pixels for which ``root_3d`` was
            computed; 0 if unknown.
        focal_assumed (bool): Whether the focal length is the default one.
        intrinsics (tuple[float]): Intrinsics given by the user, in OpenCV's order: fx,
            fy, cx, cy, distortion; empty if none were.
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
    root_3d: np.ndarray | None = None
    time: np.ndarray | None = None
    focal_length: float = 0.0
    focal_assumed: bool = True
    intrinsics: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Mark root positions as unknown unless they are given."""
        if self.root_3d is None:
            self.root_3d = np.full((len(self.frame), 3), np.nan, np.float32)

    def __len__(self) -> int:
        """Return the number of rows ``N``."""
        return len(self.frame)

    def checked(self) -> 'Clip3D':
        """Return the clip; raise ValueError if its poses are not finite.

        Root positions and 2D keypoints may be unknown (NaN), but not infinite.
        """
        lens = np.array([self.fps, self.focal_length, *self.intrinsics])
        if not np.isfinite(lens).all():
            raise ValueError(f'{self.name}: frame rate or lens is not finite: {lens}')
        for name in ARRAYS:
            array = getattr(self, name)
            if array is None:
                continue
            is_wrong = np.isinf if name in ('root_3d', 'keypoints_2d') else np.isnan
            wrong = is_wrong(array) | np.isinf(array)
            if wrong.any():
                row = np.argwhere(wrong)[0, 0]
                raise ValueError(
                    f'{self.name}: {name} holds values that are not finite, first in '
                    f'frame {self.frame[row]}, track {self.track[row]}'
                )
        return self

    def take(self, rows: np.ndarray) -> 'Clip3D':
        """Select rows by index or mask."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        arrays = {k: None if v is None else v[rows] for k, v in arrays.items()}
        return replace(self, **arrays)

    def seconds(self, frames: np.ndarray) -> np.ndarray:
        """Return timestamps of any frames, also of frames without people.

        Args:
            frames (np.ndarray): Frame numbers, (T,).

        Returns:
            np.ndarray: Seconds, (T,); interpolated between the frames of ``frame``, and
            extrapolated at ``fps``.
        """
        even = frames / self.fps
        return even if self.time is None else even + np.interp(frames, *self._delays)

    @cached_property
    def _delays(self) -> tuple[np.ndarray, np.ndarray]:
        """Frames with people, and their delays relative to a constant frame rate."""
        known, first = np.unique(self.frame, return_index=True)
        return known, self.time[first] - known / self.fps

    def places(self) -> np.ndarray:
        """Return absolute joint positions, (N, K, 3); root-relative where unknown."""
        return self.keypoints_3d + np.nan_to_num(self.root_3d)[:, None]

    def save(
        self, path: str | Path, video: str | Path | None = None, **options: object
    ) -> list[Path]:
        """Write the clip in the format of the file's suffix.

        Args:
            path (str | Path): File to create or replace, such as ``'walk.bvh'``.
            video (str | Path, optional): Video behind the keypoints in ``.mp4``,
                ``.png`` and ``.rrd``.
            **options (object): Axes, scale and floor, see
                :class:`mmhot.apis.options.ExportOptions`.

        Returns:
            list[Path]: The files written; ``.bvh`` and ``.trc`` have one per person.

        Raises:
            ValueError: If the suffix is no format, or an option is wrong.
        """
        from mmhot.apis.export import save_clip

        return save_clip(self, path, video, **options)

    def stretches(self) -> list[np.ndarray]:
        """Return the row indices (T,) of each run of consecutive frames of a person."""
        rows = np.lexsort((self.frame, self.track))
        is_next = np.diff(self.frame[rows]) == 1
        is_next &= np.diff(self.track[rows]) == 0
        return np.split(rows, np.flatnonzero(~is_next) + 1) if len(rows) else []


def to_axes(clip: Clip3D, axes: str) -> Clip3D:
    """Convert a clip between ``'camera'`` and ``'z-up'`` axes.

    Args:
        clip (Clip3D): In either axes.
        axes (str): ``'camera'`` (x right, y down, z away) or ``'z-up'`` (x right, y
            away, z up: x, z and -y of the camera).

    Returns:
        Clip3D: A new clip that shares all arrays but the positions.

    Raises:
        ValueError: If ``axes`` is unknown or the clip is in ``'world'`` axes.
    """
    if axes not in ('camera', 'z-up'):
        raise ValueError(f'axes must be camera or z-up, got {axes!r}')
    if clip.axes == 'world':
        raise ValueError(f"a clip in 'world' axes cannot be converted to {axes!r}")
    converted = {}
    for name in ('keypoints_3d', 'root_3d'):
        points = getattr(clip, name)
        x, y, z = np.moveaxis(points, -1, 0)
        if axes == clip.axes:
            converted[name] = points.copy()
        else:
            converted[name] = np.stack([x, z, -y] if axes == 'z-up' else [x, -z, y], -1)
    return replace(clip, axes=axes, **converted)
