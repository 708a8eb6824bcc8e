"""2D keypoints and 3D poses of a video, without file formats."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np


@dataclass
class Track2D:
    """One person through a clip.

    Attributes:
        track (int): The person's number.
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
    """The people of one clip.

    Attributes:
        name (str): The clip, from the file's name.
        skeleton (str): Joint order of the keypoints, as in `mmhot.skeletons.joints`.
        tracks (list[Track2D]): One entry a person, by track number.
        width (int): Picture width in pixels.
        height (int): Picture height in pixels.
        fps (float): Frames per second.
        source (Path): The file or folder it was read from.
        times (np.ndarray | None): Seconds at which each frame was taken, by frame
            number, where the rate varies.
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
        """Seconds at which frames (T,) were taken, (T,)."""
        return frames / self.fps if self.times is None else self.times[frames]


_AXES = ('camera', 'z-up')
_FLOOR_AXES = 'world'


@dataclass
class Clip3D:
    """3D poses of every person in every frame of a clip, root-relative.

    Rows are sorted by ``(frame, track)``; ``N`` counts them.

    Attributes:
        name (str): The clip.
        frame (np.ndarray): Frame numbers, (N,) int64.
        track (np.ndarray): Person numbers, (N,) int64.
        keypoints_3d (np.ndarray): Positions in ``unit``, (N, K, 3) float32.
        keypoint_scores_3d (np.ndarray): 0 where the 2D joint was interpolated,
            (N, K) float32.
        keypoints_2d (np.ndarray): The pixels that were lifted, (N, K, 2) float32.
        scores (np.ndarray): Their scores, (N, K) float32.
        width (int): Picture width in pixels.
        height (int): Picture height in pixels.
        fps (float): Frames per second.
        joint_names (tuple[str]): Names of the ``K`` joints.
        parents (tuple[int]): Parent of each joint, -1 for the root.
        axes (str): ``'camera'`` (x right, y down, z away), ``'z-up'``, or ``'world'``
            (z up from a floor, see :func:`mmhot.lifting.world.to_world`).
        unit (str): Unit of ``keypoints_3d``.
        model (str): What lifted them.
        root_3d (np.ndarray): Where the root is, seen from the camera or, in
            ``'world'``, from the point of the floor below it, (N, 3) float32; NaN
            where that is unknown.
        time (np.ndarray | None): Seconds at which each row's frame was taken, (N,)
            float64, where the rate varies.
        focal_length (float): Of the lens that this is true for, in pixels; 0 if
            unknown.
        focal_assumed (bool): Whether that was a guess.
        intrinsics (tuple[float]): What was known of the lens, in OpenCV's order: fx,
            fy, cx, cy, distortion; empty if nothing was.
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
        """Places are unknown until somebody tells them."""
        if self.root_3d is None:
            self.root_3d = np.full((len(self.frame), 3), np.nan, np.float32)

    def __len__(self) -> int:
        """Return the number of rows ``N``."""
        return len(self.frame)

    def take(self, rows: np.ndarray) -> 'Clip3D':
        """Return some of the rows, by index or mask."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        arrays = {k: None if v is None else v[rows] for k, v in arrays.items()}
        return replace(self, **arrays)

    def seconds(self, frames: np.ndarray) -> np.ndarray:
        """When frames were taken, also those that nobody is in.

        Args:
            frames (np.ndarray): Frame numbers, (T,).

        Returns:
            np.ndarray: (T,), linear between frames that somebody is in and, beyond
            them, as ``fps`` says.
        """
        even = frames / self.fps
        return even if self.time is None else even + np.interp(frames, *self._lags)

    @cached_property
    def _lags(self) -> tuple[np.ndarray, np.ndarray]:
        """Frames that somebody is in, and how much later than at an even rate."""
        known, first = np.unique(self.frame, return_index=True)
        return known, self.time[first] - known / self.fps

    def places(self) -> np.ndarray:
        """Joints where they are, (N, K, 3); around the root where that is unknown."""
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
        """Rows of each person, without breaks: indices (T,), in time's order."""
        stretches = []
        for track in np.unique(self.track):
            rows = np.flatnonzero(self.track == track)
            breaks = np.flatnonzero(np.diff(self.frame[rows]) > 1) + 1
            stretches += np.split(rows, breaks)
        return stretches


# Array: letters of its shape, type in memory.
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


def to_axes(clip: Clip3D, axes: str) -> Clip3D:
    """Turn a clip to other axes.

    Args:
        clip (Clip3D): In either axes.
        axes (str): ``'camera'`` (x right, y down, z away) or ``'z-up'`` (x right, y
            away, z up; a level camera's x, z and -y).

    Returns:
        Clip3D: A new clip that shares all arrays but the positions.
    """
    if axes not in _AXES:
        raise ValueError(f'axes must be {" or ".join(_AXES)}, got {axes!r}')
    if clip.axes == _FLOOR_AXES:
        raise ValueError(f"a clip in 'world' axes cannot be turned to {axes!r} again")
    turned = {}
    for name in ('keypoints_3d', 'root_3d'):
        points = getattr(clip, name)
        x, y, z = np.moveaxis(points, -1, 0)
        if axes == clip.axes:
            turned[name] = points.copy()
        else:
            turned[name] = np.stack([x, z, -y] if axes == 'z-up' else [x, -z, y], -1)
    return replace(clip, axes=axes, **turned)
