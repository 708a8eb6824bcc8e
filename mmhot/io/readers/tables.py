"""Reader of named joints in tables: ``.csv``, ``.trc`` and ``.c3d``, in 3D.

``.csv`` has a row for each frame, with columns ``NAME_x, NAME_y, NAME_z``, or one for
each joint, with columns for its frame, name or number, x, y and z.
"""

import csv
import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mmhot.compat.installation import import_extra
from mmhot.errors import ArgumentError
from mmhot.io.arrays import MAX_JSON, as_numbers, read_limited
from mmhot.structures.rows import Rows

_LOGGER = logging.getLogger(__name__)
TRC, C3D = b'PathFileType', b'\x02P'
"""First bytes of the files."""
_METERS = {'m': 1.0, 'cm': 0.01, 'mm': 0.001}
# Columns, in lower case without underscores.
_POINT = re.compile(r'(.+?)[_. ]?(?:3D)?([XYZxyz])')
_SCORE = re.compile(r'(.+)_(?:visibility|confidence|score|likelihood)')
_JOINT = re.compile(r'(joint|keypoint|landmark|marker|bodypart)(name|id|idx|index)?|id')
_HEADS = {
    'frame': re.compile(r'frames?#?(id|idx|index|number|num|no)?|fnum'),
    'track': re.compile(r'tracks?(id)?|(person|subject)(id)?'),
    'time': re.compile(r'time(stamp)?s?|seconds'),
}
# Frames per second that steps of seconds may show.
_RATES = 1.0, 1000.0
# Fingers of SAM 3D Body: the names of others, numbers of points from the knuckle.
_FINGER = re.compile(
    r'(\w+)_(thumb|index|middle|ring|pinky)_(tip|first|second|third)(?:_joint)?'
)
_FINGERS = dict(index='forefinger', thumb='thumb')
_POINTS = dict(tip=4, first=3, second=2, third=1)


def is_table(start: bytes) -> bool:
    """Return whether a file that begins so is ``.csv`` of positions in 3D."""
    names = (start.splitlines() or [b''])[0].decode('utf-8-sig', 'replace').split(',')
    return bool({'x', 'y', 'z'} <= {*map(_spell, names)} or _columns_of(names))


def read_table(path: Path) -> Rows:
    """Read ``.csv``; the rate is that of the times in seconds, if there are some."""
    header, *lines = cells_of(path)
    lines = [line for line in lines if any(line)]
    if not lines:
        raise ValueError('has no rows')
    spelled = [*map(_spell, header)]
    heads = {
        key: next((n for n, x in enumerate(spelled) if pattern.fullmatch(x)), None)
        for key, pattern in _HEADS.items()
    }
    frame, track, time = (_column(lines, heads[x]) for x in ('frame', 'track', 'time'))
    if {'x', 'y', 'z'} <= {*spelled}:
        rows = _read_joints(header, spelled, lines, frame, track)
    else:
        columns = _columns_of(header)
        values = numbers_of(lines, [n for x in columns.values() for n in x])
        points = values.reshape(len(lines), len(columns), -1)
        rows = Rows(points[..., :3], frame=frame, track=track)
        rows.joint_names = tuple(map(_joint_name, columns))
        if points.shape[-1] > 3:
            rows.scores = points[..., 3]
    if time is not None:
        steps = np.diff(np.unique(time[np.isfinite(time)]))
        numbers = np.arange(2) if frame is None else np.unique(frame)
        stride = np.median(np.diff(numbers)) if len(numbers) > 1 else 1
        rate = float(stride / np.median(steps)) if len(steps) else 0.0
        rows.fps = round(rate, 3) if _RATES[0] <= rate <= _RATES[1] else None
    return rows


def _read_joints(
    header: Sequence[str],
    spelled: Sequence[str],
    lines: list[list[str]],
    frame: np.ndarray | None,
    track: np.ndarray | None,
) -> Rows:
    """Read a row for each joint, such as of our own files and of MediaPipe."""
    named = [n for n, x in enumerate(spelled) if _JOINT.fullmatch(x)]
    if not named or frame is None:
        raise ValueError('has columns x, y, z, but none for the frame and the joint')
    # names say more than numbers
    names = [
        line[max(named, key=lambda n: not lines[0][n].isdigit())] for line in lines
    ]
    track = np.zeros(len(lines)) if track is None else track
    poses, row = np.unique(np.stack([frame, track], 1), axis=0, return_inverse=True)
    joints = [*dict.fromkeys(names)]
    is_numbered = all(name.isdigit() for name in joints)
    joints = sorted(joints, key=int) if is_numbered else joints
    place = {name: n for n, name in enumerate(joints)}
    at = row.ravel()[::-1], [place[name] for name in names[::-1]]

    def table(*columns: str) -> np.ndarray:
        wanted = [spelled.index(x) for x in columns]
        values = np.full((len(poses), len(joints), len(wanted)), np.nan)
        # of joints that are there twice, the first one
        values[at] = numbers_of(lines, wanted)[::-1]
        return values

    root = 'rootx', 'rooty', 'rootz'
    scores = [x for x in ('score3d', 'visibility', 'confidence') if x in spelled]
    return Rows(
        table(*'xyz'),
        table(scores[0])[..., 0] if scores else None,
        poses[:, 0],
        poses[:, 1],
        root_3d=table(*root)[:, 0] if {*root} <= {*spelled} else None,
        joint_names=None if is_numbered else tuple(map(_joint_name, joints)),
    )


def read_trc(path: Path) -> Rows:
    """Read marker paths, whose header states the unit and the rate, but no axes.

    OpenSim, and programs that write files for it, have y up.
    """
    lines = [line.rstrip().split('\t') for line in _text_of(path).splitlines()]
    header = dict(zip(lines[1], lines[2], strict=False))
    names = [x.strip() for x in lines[3][2:] if x.strip()]
    scale = _METERS.get(header.get('Units', '').strip())
    if scale is None:
        raise ValueError(f'has the unit {header.get("Units")!r}, not m, cm or mm')
    width = 2 + 3 * len(names)
    # one or two further lines of the header
    data = [x + [''] * width for x in lines[4:] if x[0].strip().isdigit()]
    if not data or not names:
        raise ValueError('has no markers')
    values = numbers_of(data, range(width))
    points = values[:, 2:].reshape(len(values), len(names), 3) * scale
    frame = values[:, 0] - min(values[0, 0], 1)  # numbered from 1, or from 0
    rate = float(as_numbers([header['DataRate']], 'DataRate', of_text=True)[0])
    text = '%s: .trc does not state its axes: read as y-up; {given_axes} states others'
    _LOGGER.warning(ArgumentError(text, path.name))
    joints = tuple(map(_joint_name, names))
    return Rows(points, frame=frame, fps=rate, joint_names=joints, axes='y-up')


def read_c3d(path: Path) -> Rows:
    """Read points of biomechanics, by ezc3d; files may state which axis is up."""
    ezc3d = import_extra('ezc3d', 'the format c3d', 'c3d')
    file = ezc3d.c3d(str(path))
    parameters = file['parameters']['POINT']
    scale = _METERS.get(parameters['UNITS']['value'][0])
    points = np.moveaxis(file['data']['points'][:3], -1, 0).swapaxes(1, 2)
    if scale is None:
        raise ValueError(f'has the unit {parameters["UNITS"]["value"][0]!r}')
    points[file['data']['meta_points']['residuals'][0].T < 0] = np.nan
    up = parameters.get('Y_SCREEN', {'value': ['']})['value'][0]
    return Rows(
        points * scale,
        frame=np.arange(len(points)) + file['header']['points']['first_frame'],
        fps=float(parameters['RATE']['value'][0]),
        joint_names=tuple(parameters['LABELS']['value'][: points.shape[1]]),
        axes={'+Z': 'world', '+Y': 'y-up'}.get(up),
    )


def cells_of(path: Path) -> list[list[str]]:
    """Return the cells of a ``.csv`` file by row."""
    return [*csv.reader(_text_of(path).splitlines())]


def numbers_of(lines: list[list[str]], columns: Iterable[int]) -> np.ndarray:
    """Convert some columns to numbers, NaN where cells are empty."""
    columns = [*columns]
    cells = [[line[column] or 'nan' for column in columns] for line in lines]
    return as_numbers(cells, 'cells', of_text=True)


def _text_of(path: Path) -> str:
    return read_limited(path, MAX_JSON).decode('utf-8-sig', 'replace')


def _column(lines: list[list[str]], column: int | None) -> np.ndarray | None:
    """Return a column of numbers, if it is one and is filled."""
    if column is None or not any(line[column] for line in lines):
        return None
    return numbers_of(lines, [column])[:, 0]


def _spell(name: str) -> str:
    return name.strip().replace('_', '').lower()


def _columns_of(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of x, y, z, and perhaps of the score, of each joint."""
    columns: dict[str, dict[str, int]] = {}
    for number, name in enumerate(map(str.strip, names)):
        if match := _SCORE.fullmatch(name):
            columns.setdefault(match[1], {})['~'] = number  # after z
        elif match := _POINT.fullmatch(name):
            columns.setdefault(match[1], {})[match[2].lower()] = number
    joints = {name: x for name, x in columns.items() if {*'xyz'} <= x.keys()}
    keys = 'xyz~' if all('~' in x for x in joints.values()) else 'xyz'
    return {name: [x[key] for key in keys] for name, x in joints.items()}


def _joint_name(name: str) -> str:
    """Return the name of a joint as skeletons have it."""
    name = name.removeprefix('body_').replace('_toe_tip', '_toe')
    if match := _FINGER.fullmatch(name):
        side, finger, point = match.groups()
        finger = _FINGERS.get(finger, f'{finger}_finger')
        return f'{side}_{finger}{_POINTS[point]}'
    return name
