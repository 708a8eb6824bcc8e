"""Marker paths (``.trc``), for OpenSim and Pose2Sim."""

import logging
from pathlib import Path

import numpy as np

from mmhot.errors import escape
from mmhot.geometry.windows import resample
from mmhot.io.atomic import replacing_text
from mmhot.structures.clips import Clip3D

# Frames from the nearest pose up to which gaps are filled, and the most frames, as
# many, that timestamps with gaps add to a constant rate.
_REACH = 25_000
# Seconds and usual steps between frames from which a recording has paused.
_PAUSE, _PAUSE_STEPS = 1.0, 3
_LOGGER = logging.getLogger(__name__)


def write_person(clip: Clip3D, path: str | Path) -> None:
    """Write the joints of one person as markers, from the first pose on: meters, y up.

    The clip is one track in ``'world'`` axes; gaps repeat the nearest pose.
    """
    frames, positions = fill_frames(clip, first=clip.frame[0])
    num_frames, num_joints = positions.shape[:2]
    rate = f'{clip.fps:g}'
    axes = [f'{axis}{joint}' for joint in range(1, num_joints + 1) for axis in 'XYZ']
    header = {
        'DataRate': rate,
        'CameraRate': rate,
        'NumFrames': num_frames,
        'NumMarkers': num_joints,
        'Units': 'm',
        'OrigDataRate': rate,
        'OrigDataStartFrame': int(frames[0]) + 1,
        'OrigNumFrames': num_frames,
    }
    names = (f'{joint}\t\t' for joint in clip.marker_names)
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{escape(Path(path).name)}',
        '\t'.join(header),
        '\t'.join(map(str, header.values())),
        '\t'.join(['Frame#', 'Time', *names]).rstrip(),
        '\t'.join(['', '', *axes]),
        '',
    ]
    markers = in_y_up(positions).reshape(num_frames, -1)
    rows = np.column_stack([frames + 1, clip.seconds(frames), markers])
    with replacing_text(path) as file:
        file.write('\n'.join(lines) + '\n')
        np.savetxt(file, rows, ['%d', *['%.6f'] * (rows.shape[1] - 1)], delimiter='\t')


def in_y_up(positions: np.ndarray) -> np.ndarray:
    """Turn positions (..., 3) from z up to y up."""
    return positions[..., [0, 2, 1]] * (1, 1, -1)


def fill_frames(person: Clip3D, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeat the nearest pose in frames of a person without one, from the first on.

    The middle ones of gaps of more than 50,000 frames are left out.

    Returns:
        tuple[np.ndarray, np.ndarray]: Frame numbers (T,), and joint positions
        (T, K, 3) float64 in the axes of the clip.
    """
    frames = np.arange(first, person.frame[-1] + 1)
    middles = (person.frame[1:] + person.frame[:-1]) / 2
    nearest = np.searchsorted(middles, frames)
    is_near = np.abs(person.frame[nearest] - frames) <= _REACH
    if not is_near.all():
        message = '%s: %d frames of person %d without a pose are left out'
        _LOGGER.warning(message, person.name, (~is_near).sum(), person.track[0])
    positions = person.places()[nearest[is_near]]
    return frames[is_near], positions.astype(np.float64)


def sample_evenly(person: Clip3D, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate poses at the constant rate ``fps``; gaps repeat the nearest pose.

    A pause of the recording is a gap.

    Returns:
        tuple[np.ndarray, np.ndarray]: Joint positions (T, K, 3) float64 in the axes of
        the clip, and whether frames are of a pose, not of a gap, (T,).
    """
    frames, positions = fill_frames(person, first)
    is_known = np.isin(frames, person.frame)
    if person.time is None:
        return positions, is_known
    steps, fps = np.diff(person.seconds(frames)), person.fps
    steps[np.diff(frames) > 1] = 1 / fps  # frames that were left out
    if steps.sum() * fps > len(frames) + 2 * _REACH:
        steps = steps.clip(max=(1 + 2 * _REACH / len(frames)) / fps)
    seconds = np.r_[0, np.cumsum(steps)]
    count = round(seconds[-1] * fps) + 1
    wanted = np.minimum(np.arange(count) / fps, seconds[-1])
    index = np.interp(wanted, seconds, np.arange(len(frames)))
    nearest = np.floor(index + 0.5).astype(int)
    pauses = steps > max(_PAUSE, _PAUSE_STEPS / fps)
    is_paused = np.r_[pauses, False][np.floor(index).astype(int)]
    index = np.where(is_paused, nearest, index)
    is_near = ~is_paused | (np.abs(seconds[nearest] - wanted) < 0.5 / fps)
    return resample(positions, index), is_known[nearest] & is_near
