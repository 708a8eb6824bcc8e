"""Lifted 3D poses of a clip."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from .atomic import replacing
from .json_file import as_numbers, exact_list, load_json
from .naming import naming
from .npz import SIGNATURES, load_arrays, save_arrays
from .rows import whole_numbers

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
        arrays = {name: getattr(self, name) for name in _ARRAYS}
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

    def stretches(self) -> list[np.ndarray]:
        """Rows of each person, without breaks: indices (T,), in time's order."""
        stretches = []
        for track in np.unique(self.track):
            rows = np.flatnonzero(self.track == track)
            breaks = np.flatnonzero(np.diff(self.frame[rows]) > 1) + 1
            stretches += np.split(rows, breaks)
        return stretches


# Array: letters of its shape, type in memory.
_ARRAYS = {
    'frame': ('N', np.int64),
    'track': ('N', np.int64),
    'keypoints_3d': ('NK3', np.float32),
    'keypoint_scores_3d': ('NK', np.float32),
    'keypoints_2d': ('NK2', np.float32),
    'scores': ('NK', np.float32),
    'root_3d': ('N3', np.float32),
    'time': ('N', np.float64),
}
# Field: its type, or that of its items.
_HEADER = {
    'name': str,
    'width': int,
    'height': int,
    'fps': int | float,
    'joint_names': str,
    'parents': int,
    'axes': str,
    'unit': str,
    'model': str,
    'focal_length': int | float,
    'focal_assumed': bool,
    'intrinsics': int | float,
}
# What the files of other writers may lack.
_OPTIONAL = ('root_3d', 'time', 'focal_length', 'focal_assumed', 'intrinsics')
_LISTS = ('joint_names', 'parents', 'intrinsics')
# Array: its name within an instance of the JSON, where MMPose has the first three.
_INSTANCE_KEYS = {
    'track': 'track_id',
    'keypoints_3d': 'keypoints',
    'keypoint_scores_3d': 'keypoint_scores',
    'keypoints_2d': 'keypoints_2d',
    'scores': 'scores',
    'root_3d': 'root',
}


def write_npz(clip: Clip3D, path: str | Path) -> None:
    """Write a clip as ``.npz``, one array a field, no pickles.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The file to create or replace.
    """
    timed = replace(clip, time=clip.seconds(clip.frame))
    arrays = {
        name: np.asarray(getattr(timed, name), t) for name, (_, t) in _ARRAYS.items()
    }
    header = {name: np.asarray(getattr(clip, name)) for name in _HEADER}
    save_arrays(path, {**arrays, **header}, compressed=True)


def write_json(clip: Clip3D, path: str | Path) -> None:
    """Write a clip as JSON in the form of MMPose's 3D demo; NaN becomes null.

    Args:
        clip (Clip3D): Lifted poses.
        path (str | Path): The file to create or replace.
    """
    header = {name: np.asarray(getattr(clip, name)).tolist() for name in _HEADER}
    columns = {key: exact_list(getattr(clip, n)) for n, key in _INSTANCE_KEYS.items()}
    rows = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    frames = [
        {
            'frame_id': int(frame),
            'time': float(clip.seconds(frame)),
            'instances': rows[start:stop],
        }
        for frame, start, stop in zip(
            *np.unique(clip.frame, return_index=True),
            np.r_[np.flatnonzero(np.diff(clip.frame)) + 1, len(rows)],
            strict=True,
        )
    ]
    with replacing(path) as temporary, temporary.open('w', encoding='utf-8') as file:
        file.write(f'{{"meta_info": {_dumps(header)},\n"instance_info": [\n')
        file.write(',\n'.join(map(_dumps, frames)))
        file.write('\n]}\n')


def read_lifted(path: str | Path) -> Clip3D:
    """Read what `write_npz` or `write_json` wrote, bit for bit.

    Args:
        path (str | Path): The file; its content decides which format it is.

    Returns:
        Clip3D: As it was written.
    """
    path = Path(path)
    with naming(path):
        with path.open('rb') as file:
            is_zip = file.read(4) in SIGNATURES
        return _checked(_fields_of_npz(path) if is_zip else _fields_of_json(path))


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


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _fields_of_npz(path: Path) -> dict[str, object]:
    fields = load_arrays(path, (*_ARRAYS, *_HEADER))
    for name in set(_HEADER) & set(fields):
        fields[name] = fields[name].tolist()
    return fields


def _fields_of_json(path: Path) -> dict[str, object]:
    document = load_json(path)
    try:
        header = document['meta_info']
        fields = {k: header[k] for k in _HEADER if k in header or k not in _OPTIONAL}
        frames = document['instance_info']
        rows = [row for frame in frames for row in frame['instances']]
        counts = [len(frame['instances']) for frame in frames]
        ids = as_numbers([frame['frame_id'] for frame in frames], 'frame_id')
        fields['frame'] = np.repeat(ids, counts, axis=0)
        if any('time' in frame for frame in frames):
            times = as_numbers([frame['time'] for frame in frames], 'time')
            fields['time'] = np.repeat(times, counts, axis=0)
        for name, key in _INSTANCE_KEYS.items():
            if name not in _OPTIONAL or any(key in row for row in rows):
                fields[name] = as_numbers([row[key] for row in rows], key)
    except (KeyError, TypeError) as error:
        raise ValueError(f'is no lifted clip: {error}') from error
    return fields


def _checked(fields: dict[str, object]) -> Clip3D:
    absent = [name for name in (*_ARRAYS, *_HEADER) if name not in fields]
    lacking = [name for name in absent if name not in _OPTIONAL]
    if lacking:
        raise ValueError(f'is no lifted clip: it lacks {", ".join(lacking)}')
    for name, kind in _HEADER.items():
        if name in absent:
            continue
        value = fields[name]
        items = value if name in _LISTS else [value]
        if not isinstance(items, list) or not all(isinstance(i, kind) for i in items):
            raise ValueError(f"'{name}' cannot be {str(value)[:60]}")
    for name in set(_LISTS) & set(fields):
        fields[name] = tuple(fields[name])
    sizes = {
        **{'N': np.size(fields['frame']), 'K': len(fields['joint_names'])},
        **{'2': 2, '3': 3},
    }
    for name, (letters, dtype) in _ARRAYS.items():
        if name in absent:
            continue
        expected = tuple(sizes[letter] for letter in letters)
        array = np.asarray(fields[name])
        if array.dtype.kind not in 'iuf' or array.shape != expected:
            raise ValueError(f"'{name}' is {array.shape}: numbers {expected} expected")
        if dtype is np.int64:
            array = whole_numbers(name, array)
        fields[name] = array.astype(dtype)
    clip = Clip3D(**fields)
    even = clip.frame / clip.fps
    return replace(clip, time=None) if np.array_equal(clip.time, even) else clip
