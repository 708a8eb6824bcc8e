"""Points of biomechanics (``.c3d``), by ezc3d."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmhot.io.atomic import replacing
from mmhot.io.writers.gait import clip_strides
from mmhot.io.writers.rates import at_constant_rate, fill_frames
from mmhot.skeletons.gait import SIDES
from mmhot.structures.clips_3d import Clip3D

_MILLIMETERS = 1000.0  # millimeters per meter
_COMPUTED = 0.0  # residual of computed points, by the rules of the format
_UNKNOWN = -1.0  # residual of points that were not seen
_NUM_LIFTED = 17  # joints after these, such as toes, are computed from them
_MAX_FRAMES = 65_535  # frame numbers have 16 bits in the header
_BLOCK = 512  # bytes; a file consists of blocks of this size


def write_person(clip: Clip3D, path: str | Path, export: object = None) -> None:
    """Write the joints of one person as points: millimeters, z up, a constant rate.

    The file begins with the first pose. The residual of a point is its expected error
    in millimeters, or 0, the format's value for computed points, if that is unknown.
    Points are missing, with a residual of -1, in frames without a pose and where the
    score of a joint is 0.

    Args:
        clip (Clip3D): One track in ``'world'`` axes.
        path (str | Path): The file.
        export (object): Not used.

    Raises:
        ValueError: If the clip has more frames than the format allows.
        OSError: If the file cannot be written.
    """
    import ezc3d

    seen = clip.keypoint_scores_3d > 0
    seen[:, _NUM_LIFTED:] = True
    even = at_constant_rate(replace(clip, keypoint_scores_3d=seen.astype(np.float32)))
    first = int(even.frame[0])
    frames, positions = fill_frames(even, first)
    if max(first, len(frames)) > _MAX_FRAMES:
        raise ValueError(
            f'{path} would have {len(frames):,} frames from frame {first:,} on: '
            f'a .c3d has at most {_MAX_FRAMES:,}; use .trc, or cut the clip'
        )
    points = np.ones((4, len(clip.joint_names), len(frames)))
    points[:3] = np.moveaxis(positions * _MILLIMETERS, 0, -1).swapaxes(0, 1)
    residuals = np.full(points.shape[1:], _UNKNOWN)
    residuals[:, even.frame - first] = _residuals(even).T
    points[:3, residuals == _UNKNOWN] = np.nan
    file = ezc3d.c3d()
    file['header']['points']['first_frame'] = first
    parameters = file['parameters']['POINT']
    parameters['RATE']['value'] = [clip.fps]
    parameters['UNITS']['value'] = ['mm']
    parameters['LABELS']['value'] = list(clip.marker_names)
    file.add_parameter('POINT', 'X_SCREEN', ['+X'])
    file.add_parameter('POINT', 'Y_SCREEN', ['+Z'])
    _add_events(file, clip)
    file['data']['points'] = points
    file['data']['meta_points']['residuals'] = residuals[None]
    with replacing(path) as temporary:
        file.write(str(temporary))
        _check_size(temporary, points.size)


def _add_events(file: Any, clip: Clip3D) -> None:
    """Add the foot contacts and lift-offs of a person who walks."""
    if not all(f'{side}_foot' in clip.joint_names for side in SIDES):
        return
    events = set()  # The next contact of a stride is the contact of another one.
    for _, stride in clip_strides(clip):
        side = stride.foot.capitalize()
        events |= {
            (stride.contact, side, 'Foot Strike'),
            (stride.lift_off, side, 'Foot Off'),
            (stride.next_contact, side, 'Foot Strike'),
        }
    if not events:
        return
    times, sides, labels = zip(*sorted(events), strict=True)
    parameters = {
        'USED': [len(times)],
        'CONTEXTS': list(sides),
        'LABELS': list(labels),
        'TIMES': np.array([np.zeros(len(times)), times]),  # minutes and seconds
    }
    for name, values in parameters.items():
        file.add_parameter('EVENT', name, values)


def _check_size(path: Path, num_values: int) -> None:
    """Raise OSError if a file is not whole: ezc3d does not report failed writes."""
    size = path.stat().st_size
    with path.open('rb') as file:
        first_block = int.from_bytes(file.read(18)[16:], 'little')
    expected = (first_block - 1) * _BLOCK + num_values * np.float32().nbytes
    if not first_block or size < expected or size % _BLOCK:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _residuals(clip: Clip3D) -> np.ndarray:
    """Return the residuals of joints, in whole millimeters, (N, K)."""
    errors = np.nan if clip.expected_error is None else clip.expected_error
    residuals = np.nan_to_num(np.round(errors * _MILLIMETERS), nan=_COMPUTED)
    # Interpolated scores are below 1 between a pose with a joint and one without it.
    return np.where(clip.keypoint_scores_3d > 0.999, residuals, _UNKNOWN)
