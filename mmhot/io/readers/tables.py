"""Named joints in tables: ``.csv``, ``.trc``, ``.tsv`` and ``.c3d``, in 3D.

Commas, semicolons or tabs separate the cells of a ``.csv``, and lines may come before
the header. It has a row for each frame, as FreeMoCap and SAM3DBody-cpp write it, or for
each joint, as mmhot and scripts around MediaPipe do::

    timestamp,body_nose_x,body_nose_y,body_nose_z,...      frame,joint,x,y,z
    0.0,12.1,-803.4,1641.9,...                             0,nose,12.1,-803.4,1641.9

Pose2Sim, Sports2D, OpenCap and OpenSim write ``.trc``::

    PathFileType<TAB>4<TAB>(X/Y/Z)<TAB>walk.trc
    DataRate<TAB>CameraRate<TAB>NumFrames<TAB>NumMarkers<TAB>Units ...
    60.0<TAB>60.0<TAB>120<TAB>22<TAB>m ...
    Frame#<TAB>Time<TAB>RHip<TAB><TAB><TAB>RKnee ...
    <TAB><TAB>X1<TAB>Y1<TAB>Z1<TAB>X2 ...

    1<TAB>0.0167<TAB>0.0121<TAB>0.9034 ...

Qualisys Track Manager writes ``.tsv``, in millimeters and perhaps with more lines::

    NO_OF_FRAMES<TAB>120
    FREQUENCY<TAB>100
    MARKER_NAMES<TAB>Hips<TAB>LeftUpLeg ...
    Frame<TAB>Time<TAB>Hips X<TAB>Hips Y<TAB>Hips Z<TAB>LeftUpLeg X ...
    1<TAB>0.0<TAB>12.1<TAB>-803.4<TAB>903.4 ...

``.c3d`` is the binary format of motion capture.
"""

import csv
import logging
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.errors import import_extra
from mmhot.io.arrays import MAX_JSON, as_numbers, read_limited
from mmhot.io.readers import sam_3d_body
from mmhot.io.readers.frame_numbers import FRAME, TIME, TRACK, read_times
from mmhot.io.readers.keys import spell
from mmhot.io.readers.mediapipe import are_shares
from mmhot.structures.rows import Rows, number_tracks

_LOGGER = logging.getLogger(__name__)
_METERS = {
    **dict.fromkeys(('m', 'meters'), 1.0),
    **dict.fromkeys(('cm', 'centimeters'), 0.01),
    **dict.fromkeys(('mm', 'millimeters'), 0.001),
    **dict.fromkeys(('in', 'inches'), 0.0254),
    **dict.fromkeys(('ft', 'feet'), 0.3048),
}
_SAME_RATE = 0.01  # relative difference of stated rate and times due to rounding
# Names of a joint's columns: NAME_x, NAME_position_x or xNAME; then perhaps the unit
_AXIS = '(?P<axis>[xyz]|v|vis|visibility|conf|confidence|score|likelihood)'
_COLUMNS = (
    re.compile(rf'(?P<name>.+?)[_. ]?(?:3D|position[_. ])?{_AXIS}', re.I),
    re.compile(rf'{_AXIS}[_. ]?(?P<name>.+)', re.I),
)
_UNIT = re.compile(r'\s*[(\[].*[)\]]')
# Prefixes of the names and numbers of joints
_PREFIX = re.compile(
    r'^(.*:|PoseLandmark\.|body_|(landmark|keypoint|joint)_?(?=\d))', re.I
)
# Names of other columns, in lower case
_JOINT = re.compile(
    r'(joint|keypoint|landmark|marker|bodypart)(name|id|idx|index)?|id|point|name'
)
_PERSON = re.compile(rf'{TRACK.pattern}|(person|subject)(id)?')
# Text in place of a number, including Excel's (#N/A) and C's (-nan(ind), -1.#IND)
_NO_NUMBER = re.compile(r'-?|#.*|n/?a|null|none|[+-]?(nan.*|1\.#.*)', re.I)
WIDE = BOM_UTF16_LE, BOM_UTF16_BE
"""First bytes of text in UTF-16."""
_LINES = 10  # lines at the start, one of which is the header


def find_header(text: str) -> tuple[int, str] | None:
    r"""Find the header of a ``.csv`` of 3D positions.

    Returns:
        tuple[int, str] | None: Line number of the header, and the separator of its
        cells; None for other text.

    >>> find_header('Recorded by us\nframe;nose_x;nose_y;nose_z\n')
    (1, ';')
    """
    for separator in ',;\t':
        lines = csv.reader(text.splitlines()[:_LINES], delimiter=separator)
        for number, names in enumerate(lines):
            if {'x', 'y', 'z'} <= {*map(_spell, names)} or _columns_of(names):
                return number, separator
    return None


def read_table(path: Path) -> Rows:
    """Read a ``.csv`` with named joints.

    Returns:
        Rows: One row per person and frame; with a rate if the table has times.
        MediaPipe's landmarks in shares of the image become 2D keypoints.

    Raises:
        ValueError: If the table has no rows, no frames, or no numbers.
    """
    first, separator = find_header(_text_of(path)) or (0, ',')
    header, *lines = cells_of(path, separator)[first:]
    lines = [line for line in lines if any(line)]
    if not lines:
        raise ValueError('has a header, but no rows below it')
    columns = _columns_of(header)
    is_long = {'x', 'y', 'z'} <= {*map(_spell, header)}
    frames, tracks, times = (_column(header, lines, x) for x in (FRAME, _PERSON, TIME))
    frame = numbers_of([[x] for x in frames[1]], [0])[:, 0] if frames else None
    track = number_tracks(np.array(tracks[1], object))[0] if tracks else None
    are_frames = track is None and not is_long
    counted = times and read_times(path.name, *times, frame, are_frames)
    frame = counted.frame if counted else frame
    if is_long:
        rows = _read_joints(header, lines, frame, track)
    else:
        values = numbers_of(lines, [n for x in columns.values() for n in x])
        points = values.reshape(len(lines), len(columns), -1)
        rows = _rows_of_markers(points, [*columns], frame, track)
    if counted:
        rows.fps = counted.rate or None
        rows.times = counted.passed
    if are_shares(rows):
        rows.points = rows.points[..., :2]
        rows.is_normalized = True
    return rows


def _read_joints(
    header: Sequence[str],
    lines: list[list[str]],
    frame: np.ndarray | None,
    track: np.ndarray | None,
) -> Rows:
    """Read a table with a row for each joint, such as our own and MediaPipe's.

    Its N lines have frame numbers (N,), and perhaps track IDs (N,).
    """
    spelled = [*map(_spell, header)]
    named = [n for n, x in enumerate(spelled) if _JOINT.fullmatch(x)]
    if not named or frame is None:
        raise ValueError(
            'has columns x, y and z, but no columns for the frame and the joint, such '
            "as 'frame' and 'joint'"
        )
    # A column with names of joints is preferred to one with numbers.
    column = max(named, key=lambda n: not lines[0][n].isdigit())
    names = [line[column] for line in lines]
    track = np.zeros(len(lines)) if track is None else track
    poses, row = np.unique(np.stack([frame, track], 1), axis=0, return_inverse=True)
    joints = [*dict.fromkeys(names)]
    if _names_of(joints) is None:
        joints.sort(key=lambda name: int(_PREFIX.sub('', name)))
    place = {name: n for n, name in enumerate(joints)}
    roots = [x for x in ('rootx', 'rooty', 'rootz') if x in spelled]
    scores = [x for x in ('score3d', 'visibility', 'confidence') if x in spelled][:1]
    columns = [spelled.index(x) for x in (*'xyz', *roots, *scores)]
    values = np.full((len(poses), len(joints), len(columns)), np.nan)
    # Rows are in reverse order, so that the first of two equal joints is kept.
    at = row.ravel()[::-1], [place[name] for name in names[::-1]]
    values[at] = numbers_of(lines, columns)[::-1]
    return Rows(
        values[..., :3],
        values[..., -1] if scores else None,
        poses[:, 0],
        poses[:, 1],
        root_3d=values[:, 0, 3:6] if len(roots) == 3 else None,
        joint_names=_names_of(joints),
    )


def read_trc(path: Path) -> Rows:
    """Read marker paths (``.trc``).

    The header states the unit and the rate, but not the axes. OpenSim, and programs
    that write files for it, have y up. If times contradict the rate, they are used.

    Returns:
        Rows: One row per person and frame, in meters.

    Raises:
        ValueError: If the unit is unknown, or the file is damaged.
    """
    lines = cells_of(path, '\t' if '\t' in _text_of(path) else ',')
    header = dict(zip(lines[1], lines[2], strict=False))
    names = [x for x in lines[3][2:] if x]
    scale = _meters(header.get('Units', ''))
    # The header has one or two further lines.
    data = [x for x in lines[4:] if ''.join(x[:1]).isdigit()]
    (numbers, times), points = _markers_of(data, 2, names)
    frame = numbers - min(numbers[0], 1)  # numbered from 1, or from 0
    stated = float(numbers_of([[header['DataRate']]], [0])[0, 0])
    rows = _rows_of_markers(points * scale, names, frame, fps=stated, usual_axes='y-up')
    counted = read_times(path.name, 'time', times.tolist(), frame, True)
    if counted and counted.rate:
        rows.times = counted.passed
        if not abs(counted.rate - stated) < _SAME_RATE * stated:
            _LOGGER.warning(
                '%s: DataRate is %g, but times have %.4g frames/s: times are used',
                path.name,
                stated,
                counted.rate,
            )
            rows.fps = counted.rate
    return rows


def read_tsv(path: Path) -> Rows:
    """Read 3D positions of Qualisys Track Manager (``.tsv``), in millimeters.

    Returns:
        Rows: One row per person and frame, in meters. Points at (0, 0, 0) were not
        seen.

    Raises:
        ValueError: If the file is damaged, or has 2D positions.
    """
    lines = [x for x in cells_of(path, '\t') if any(x)]
    header = {x[0]: x[1:] for x in lines if x[0][:1].isalpha()}
    names = [x for x in header['MARKER_NAMES'] if x]
    data = [x for x in lines if not x[0][:1].isalpha()]
    if not data:
        raise ValueError('has no frames')
    # Numbers and times of frames may be before the positions.
    columns, points = _markers_of(data, 2 * ('Frame' in header), names)
    points[(points == 0).all(-1)] = np.nan
    return _rows_of_markers(
        points * _METERS['mm'],
        names,
        frame=columns[0] - min(columns[0][0], 1) if len(columns) else None,
        fps=float(header['FREQUENCY'][0]) if header.get('FREQUENCY') else None,
        usual_axes='z-up',
    )


def _markers_of(
    data: list[list[str]], first: int, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of T lines before the markers, (first, T), and (T, M, 3)."""
    width = first + 3 * len(names)
    values = numbers_of([x + [''] * width for x in data], range(width))
    return values[:, :first].T, values[:, first:].reshape(len(data), len(names), 3)


def read_c3d(path: Path) -> Rows:
    """Read points of motion capture (``.c3d``), which may state which axis is up.

    Returns:
        Rows: One row per person and frame, in meters. Markers that were not seen are
        NaN.

    Raises:
        ValueError: If ezc3d is not installed, or the unit is unknown.
    """
    ezc3d = import_extra('ezc3d', 'the format c3d', 'c3d')
    file = ezc3d.c3d(str(path))
    parameters = file['parameters']['POINT']
    scale = _meters(parameters['UNITS']['value'][0])
    points = np.moveaxis(file['data']['points'][:3], -1, 0).swapaxes(1, 2)
    points[file['data']['meta_points']['residuals'][0].T < 0] = np.nan
    up = parameters.get('Y_SCREEN', {'value': ['']})['value'][0]
    return _rows_of_markers(
        points * scale,
        parameters['LABELS']['value'][: points.shape[1]],
        frame=np.arange(len(points)) + file['header']['points']['first_frame'],
        fps=float(parameters['RATE']['value'][0]),
        axes={'+Z': 'world', '+Y': 'y-up'}.get(up),
    )


def _rows_of_markers(
    points: np.ndarray,
    labels: Sequence[str],
    frame: np.ndarray | None,
    track: np.ndarray | None = None,
    **stated: Any,
) -> Rows:
    """Build rows from markers, perhaps with scores, (T, M, 3 or 4).

    Labels such as ``Ann:nose`` name subjects: the one with most markers is read. If
    some markers have labels, the others are left out.
    """
    subjects = [label.rpartition(':')[0] for label in labels if label]
    if subjects:
        chosen = max(subjects, key=subjects.count)
        others = sorted({*subjects} - {chosen, ''})
        if others:
            _LOGGER.warning(
                'markers of %s are read, not of %s: one subject a file is read',
                chosen,
                ', '.join(others),
            )
        kept = [
            n
            for n, label in enumerate(labels)
            if label and label.rpartition(':')[0] == chosen
        ]
        points = points[:, kept]
        labels = [labels[n] for n in kept]
    return Rows(
        points[..., :3],
        points[..., 3] if points.shape[-1] > 3 else None,
        frame,
        track,
        joint_names=_names_of(labels),
        **stated,
    )


def _meters(unit: str) -> float:
    """Return the length of a unit in meters."""
    if unit.strip().lower() not in _METERS:
        raise ValueError(
            f'has the unit {unit!r}: it must be one of {", ".join(_METERS)}'
        )
    return _METERS[unit.strip().lower()]


def cells_of(path: Path, separator: str = ',') -> list[list[str]]:
    """Return the cells of a table by row."""
    return [
        [x.strip() for x in line]
        for line in csv.reader(_text_of(path).splitlines(), delimiter=separator)
    ]


def numbers_of(lines: list[list[str]], columns: Iterable[int]) -> np.ndarray:
    """Convert some columns of lines to numbers (N, C), NaN where one is missing.

    >>> numbers_of([['1.5', '#N/A'], ['-1,5', '7']], [0, 1])
    array([[ 1.5,  nan],
           [-1.5,  7. ]])
    """
    columns = [*columns]
    cells = [[line[column].replace(',', '.') for column in columns] for line in lines]
    known = [['nan' if _NO_NUMBER.fullmatch(x) else x for x in row] for row in cells]
    return as_numbers('cells', known, from_text=True)


def _text_of(path: Path) -> str:
    return decoded(read_limited(path, MAX_JSON))


def decoded(data: bytes) -> str:
    """Decode UTF-8, or UTF-16 if a byte order mark shows it, as Excel writes it."""
    return data.decode('utf-16' if data.startswith(WIDE) else 'utf-8-sig', 'replace')


def _column(
    header: Sequence[str], lines: list[list[str]], pattern: re.Pattern[str]
) -> tuple[str, list[str]] | None:
    """Return the spelling and cells of the first column whose name fits a pattern.

    Empty columns are skipped.
    """
    columns = (
        (name, [line[column] for line in lines])
        for column, name in enumerate(map(spell, header))
        if pattern.fullmatch(name)
    )
    return next((x for x in columns if any(x[1])), None)


def _spell(name: str) -> str:
    return spell(_UNIT.sub('', name))


def _columns_of(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of x, y, z, and perhaps of the score, of each joint."""
    return max((_matched(names, pattern) for pattern in _COLUMNS), key=len)


def _matched(names: Sequence[str], pattern: re.Pattern[str]) -> dict[str, list[int]]:
    columns: dict[str, dict[str, int]] = {}
    for number, name in enumerate(names):
        if match := pattern.fullmatch(_UNIT.sub('', name.strip())):
            axis = match['axis'].lower()
            key = axis if axis in 'xyz' else 'score'
            columns.setdefault(match['name'], {})[key] = number
    joints = {name: x for name, x in columns.items() if {*'xyz'} <= x.keys()}
    has_scores = all('score' in x for x in joints.values())
    keys = (*'xyz', 'score') if has_scores else 'xyz'
    return {name: [x[key] for key in keys] for name, x in joints.items()}


def _names_of(names: Iterable[str]) -> tuple[str, ...] | None:
    """Return the names of joints in our skeletons; None if they are only numbers."""
    joints = tuple(sam_3d_body.joint_name(_PREFIX.sub('', name)) for name in names)
    return None if all(x.isdigit() or not x for x in joints) else joints
