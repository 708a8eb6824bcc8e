"""Lifted 3D poses of a clip."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmhot.clips import ARRAYS, Clip3D
from mmhot.errors import naming
from mmhot.io.atomic import replacing
from mmhot.io.json_file import as_numbers, exact_list, load_json
from mmhot.io.npz import SIGNATURES, load_arrays, save_arrays
from mmhot.io.readers.rows import whole_numbers

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
        name: np.asarray(getattr(timed, name), t) for name, (_, t) in ARRAYS.items()
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


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _fields_of_npz(path: Path) -> dict[str, object]:
    fields = load_arrays(path, (*ARRAYS, *_HEADER))
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
    absent = [name for name in (*ARRAYS, *_HEADER) if name not in fields]
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
    for name, (letters, dtype) in ARRAYS.items():
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
