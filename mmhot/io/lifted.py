"""Files of mmhot: 3D poses in ``.npz`` and JSON, and 2D keypoints in ``.npz``.

``docs/output-formats.md`` has their keys. JSON has the structure of MMPose's 3D demo::

    {"meta_info": {"name": "walk", "fps": 25.0, "axes": "world", ...},
    "instance_info": [
    {"frame_id": 0, "time": 0.0, "instances": [{"track_id": 0, "keypoints": [...]}]}
    ]}
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import naming
from mmhot.geometry.keypoint_arrays import to_numbers
from mmhot.io.arrays import (
    MAX_JSON,
    SIGNATURES,
    as_numbers,
    exact_list,
    load_arrays,
    load_object,
    read_limited,
    save_arrays,
    start_of,
    to_json,
)
from mmhot.io.atomic import replacing_text
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_2d import Clip2D, clip_name
from mmhot.structures.clips_3d import ARRAYS, BodyHeight, Clip3D, join_rows
from mmhot.structures.lens import Camera, stated_lens
from mmhot.structures.rows import whole_numbers

LIVE = b'{"type": "header"'
"""First bytes of the files of streams."""

_PATH = 'camera_path'
_ERROR = 'expected_error'
# Types of fields that are the same for all rows; fields of many values have a list.
_HEADER: dict[str, Any] = {
    'name': str,
    'width': int,
    'height': int,
    'fps': float,
    'joint_names': [str],
    'parents': [int],
    'axes': str,
    'unit': str,
    'model': str,
    'focal_length': float,
    'focal_assumed': bool,
    'intrinsics': [float],
    _PATH: lambda x: as_numbers(_PATH, x).astype(np.float32),
    'cuts': [int],
    'detected_joints': [str],
    'steps': [str],
    'step_options': [str],
    'heights': [str],
    'read_as': str,
}
# Fields that only some clips have: clips with the axes of their first frame, with
# several shots, after processing steps, of lifters that predict their error, of 2D
# models with more joints than are lifted, and of sources that say what was read.
_OPTIONAL = {
    *(_PATH, 'cuts', 'steps', 'step_options', 'heights', _ERROR),
    *('detected_joints', 'detected_2d', 'detected_scores', 'read_as'),
}
# Keys of the arrays in files. Files state all times, also at a constant rate.
_KEYS = {name: 'time' if name == 'variable_time' else name for name in ARRAYS}
# Keys of the arrays in the JSON's instances; the first three are MMPose's.
_INSTANCE_KEYS = {
    'track': 'track_id',
    'keypoints_3d': 'keypoints',
    'keypoint_scores_3d': 'keypoint_scores',
    'keypoints_2d': 'keypoints_2d',
    'scores': 'scores',
    'root_3d': 'root',
    _ERROR: _ERROR,
    'detected_2d': 'detected_2d',
    'detected_scores': 'detected_scores',
}


def write_npz(clip: Clip3D, path: str | Path, export: object = None) -> None:
    """Write a clip as ``.npz``, one array per field, without pickles.

    Args:
        clip (Clip3D): The clip, in any axes.
        path (str | Path): The file.
        export (object): Not used.
    """
    timed = replace(clip, variable_time=clip.time)
    arrays = {
        _KEYS[name]: np.asarray(value, dtype)
        for name, (_, dtype) in ARRAYS.items()
        if (value := getattr(timed, name)) is not None
    }
    save_arrays(path, arrays | _header(clip), compressed=True)


def write_json(clip: Clip3D, path: str | Path, export: object = None) -> None:
    """Write a clip as JSON in the structure of MMPose's 3D demo; NaN becomes null.

    Args:
        clip (Clip3D): The clip, in any axes.
        path (str | Path): The file.
        export (object): Not used.
    """
    header = {
        name: exact_list(value) if name == _PATH else value.tolist()
        for name, value in _header(clip).items()
    }
    columns = {
        key: exact_list(getattr(clip, name))
        for name, key in _INSTANCE_KEYS.items()
        if getattr(clip, name) is not None
    }
    instances = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    frames = [
        {
            'frame_id': int(number),
            'time': float(clip.seconds(number)),
            'instances': [instances[row] for row in rows],
        }
        for number, rows in groupby(range(len(clip)), clip.frame.__getitem__)
    ]
    with replacing_text(path) as file:
        start = f'{{"meta_info": {to_json(header)},\n"instance_info": [\n'
        file.writelines([start, ',\n'.join(map(to_json, frames)), '\n]}\n'])


def write_keypoints(clip: Clip2D, path: str | Path) -> None:
    """Write 2D keypoints as ``.npz``, for skeletons that cannot be lifted.

    Arrays have the keys of lifted clips, and rows are sorted by frame and track.
    """
    skeleton = get_skeleton(clip.skeleton)
    motions = [
        dict(
            frame=x.frames,
            track=np.full(len(x.frames), x.track),
            keypoints_2d=x.keypoints,
            scores=x.scores,
        )
        for x in clip.tracks
    ]
    header = dict(joint_names=skeleton.joints, parents=skeleton.parents)
    header |= {name: getattr(clip, name) for name in ('name', 'width', 'height', 'fps')}
    arrays = join_rows(motions)
    arrays['time'] = clip.times_of(arrays['frame'])
    arrays |= {name: np.asarray(value) for name, value in header.items()}
    save_arrays(path, arrays, compressed=True)


def options_text(values: object) -> str:
    """Return the values of options as JSON; sets are sorted, and paths are text."""
    return json.dumps(
        values,
        default=lambda x: sorted(x) if isinstance(x, set | frozenset) else str(x),
    )


def _header(clip: Clip3D) -> dict[str, np.ndarray]:
    """Return the fields of a clip that are the same for all rows, arrays of any shape.

    Optional fields that the clip does not have are left out.
    """
    values = {name: getattr(clip, name, None) for name in _HEADER} | {
        'focal_assumed': clip.lens is None,
        'intrinsics': () if clip.lens is None else clip.lens.parameters,
        _PATH: None if clip.camera is None else clip.camera.path,
        'steps': [*clip.steps],
        'step_options': [*map(options_text, clip.steps.values())],
        'heights': [
            json.dumps({'track': track} | height._asdict())
            for track, height in clip.heights.items()
        ],
    }
    return {
        name: np.asarray(value)
        for name, value in values.items()
        if name not in _OPTIONAL or (value is not None and len(value))
    }


def read_lifted(path: str | Path) -> Clip3D:
    """Read 3D poses that mmhot has written as ``.npz``, JSON or a stream.

    Args:
        path (str | Path): The file. Its content, not its name, shows the format.

    Returns:
        Clip3D: The written clip, equal to the bit. Of a stream, only the frames
        after the last header are read.

    Raises:
        ValueError: If the file is damaged or has another format.
        OSError: If the file does not exist or cannot be read.

    Example::

        mmhot.lift('demo/skating_2d_coco17.npz').save('skating.npz')
        clip = mmhot.read_lifted('skating.npz')
    """
    path = Path(path)
    with naming(path):
        start = start_of(path)
        if start.startswith(SIGNATURES):
            return clip_of_arrays(load_arrays(path, (*_KEYS.values(), *_HEADER)))
        is_live = start.startswith(LIVE)
        return clip_of_json(_document_of_lines(path) if is_live else load_object(path))


def _document_of_lines(path: Path) -> dict[str, Any]:
    """Convert a stream, after its last header, to the JSON document of a clip."""
    header: dict[str, Any] = {}
    frames: list[dict] = []
    for line in read_limited(path, MAX_JSON).splitlines():
        with suppress(ValueError):  # the last line may be cut off
            item = json.loads(line)
            if item['type'] == 'header':
                header = item
                frames = []
            elif item['type'] == 'frame':
                frames.append(item)
    for person in (person for frame in frames for person in frame['instances']):
        person |= {
            'keypoints': person['keypoints_3d'],
            'keypoint_scores': person['scores'],
            'root': person['root_3d'] or [None] * 3,
        }
    meta = header | {'name': clip_name(path)}
    if header.get('smooth_3d', 'none') != 'none':
        options = json.dumps({'smooth_3d': header['smooth_3d']})
        meta |= {'steps': ['smoothing'], 'step_options': [options]}
    return {'meta_info': meta, 'instance_info': frames}


def clip_of_json(document: Mapping[str, Any]) -> Clip3D:
    """Convert decoded JSON to a clip.

    Args:
        document (Mapping[str, Any]): Content of a file of :func:`write_json`.

    Returns:
        Clip3D: The clip, checked.

    Raises:
        ValueError: If a value is missing or wrong.
    """
    fields = dict(document['meta_info'])
    frames = document['instance_info']
    counts = [len(frame['instances']) for frame in frames]
    for name, key in (('frame', 'frame_id'), ('time', 'time')):
        fields[name] = np.repeat(
            as_numbers(key, [frame[key] for frame in frames]), counts, axis=0
        )
    instances = [person for frame in frames for person in frame['instances']]
    for name, key in _INSTANCE_KEYS.items():
        if name in _OPTIONAL and not any(key in person for person in instances):
            continue
        values = [person[key] for person in instances]
        # Not all track IDs are exact in float64.
        is_exact = name == 'track' and all(type(x) is int for x in values)
        fields[name] = np.array(values) if is_exact else as_numbers(key, values)
    return clip_of_arrays(fields)


def clip_of_arrays(fields: dict[str, Any]) -> Clip3D:
    """Build a clip from its fields.

    Args:
        fields (dict[str, Any]): Arrays of any shape, or lists, by their keys in files.

    Returns:
        Clip3D: The clip, checked.

    Raises:
        ValueError: If a field is missing or wrong.
    """
    if lacking := {*_KEYS.values(), *_HEADER} - _OPTIONAL - fields.keys():
        raise ValueError(
            f'is not a result of mmhot: it lacks {", ".join(sorted(lacking))}'
        )
    values: dict[str, Any] = {}
    for name, kind in _HEADER.items():
        if name in fields:
            value = np.asarray(fields[name]).tolist()
            of_list = isinstance(kind, list)
            values[name] = tuple(map(kind[0], value)) if of_list else kind(value)
    sizes = {
        'N': np.size(fields['frame']),
        'K': len(values['joint_names']),
        'J': len(values.get('detected_joints', ())),
        '2': 2,
        '3': 3,
    }
    for name, (letters, dtype) in ARRAYS.items():
        if _KEYS[name] in fields:
            array = to_numbers(_KEYS[name], fields[_KEYS[name]])
            if not array.size:  # JSON has no shapes of empty lists
                array = array.reshape([sizes[letter] for letter in letters])
            array = whole_numbers(name, array) if dtype is np.int64 else array
            values[name] = array.astype(dtype)
    options = map(json.loads, values.pop('step_options', ()))
    values['steps'] = dict(zip(values.get('steps', ()), options, strict=True))
    names = 'focal_length', 'focal_assumed', 'intrinsics'
    focal, is_assumed, intrinsics = map(values.pop, names)
    focal = None if is_assumed else focal
    lens = stated_lens(values['width'], values['height'], focal, intrinsics)
    values['lens'] = lens
    if _PATH in values:
        values['camera'] = Camera(values.pop(_PATH), lens)
    people = map(json.loads, values.get('heights', ()))
    values['heights'] = {x.pop('track'): BodyHeight(**x) for x in people}
    clip = Clip3D(**values)
    with np.errstate(all='ignore'):  # the rate is not checked yet and may be 0
        is_constant_rate = np.array_equal(
            values['variable_time'], clip.frame / clip.fps
        )
    return (replace(clip, variable_time=None) if is_constant_rate else clip).checked()
