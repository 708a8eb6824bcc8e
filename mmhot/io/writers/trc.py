"""Marker paths (``.trc``), for OpenSim and Pose2Sim."""

from pathlib import Path

import numpy as np

from mmhot.clips import Clip3D
from mmhot.io.atomic import replacing


def write_person(clip: Clip3D, path: str | Path) -> None:
    """Write the joints of one person as ``.trc``, from the first pose on.

    Args:
        clip (Clip3D): One track in ``'world'`` axes; gaps repeat the nearest pose.
        path (str | Path): File to create or replace.
    """
    frames, positions = fill_frames(clip, first=clip.frame[0])
    seconds = clip.seconds(frames)
    write_trc(positions, frames, clip.joint_names, seconds, clip.fps, path)


def write_trc(
    positions: np.ndarray,
    frames: np.ndarray,
    joint_names: tuple[str, ...],
    seconds: np.ndarray,
    fps: float,
    path: str | Path,
) -> None:
    """Write joint positions as markers: meters, y up.

    Args:
        positions (np.ndarray): Positions in meters, z up, (T, K, 3). NaN is left
            empty, as OpenSim expects.
        frames (np.ndarray): Frame numbers, (T,).
        joint_names (tuple[str]): Names of the K joints.
        seconds (np.ndarray): Times of the frames, (T,).
        fps (float): Frames per second.
        path (str | Path): File to create or replace.
    """
    num_frames, num_joints = positions.shape[:2]
    markers = positions[..., [0, 2, 1]] * (1, 1, -1)
    axes = [f'{axis}{joint}' for joint in range(1, num_joints + 1) for axis in 'XYZ']
    header = {
        'DataRate': f'{fps:g}',
        'CameraRate': f'{fps:g}',
        'NumFrames': num_frames,
        'NumMarkers': num_joints,
        'Units': 'm',
        'OrigDataRate': f'{fps:g}',
        'OrigDataStartFrame': int(frames[0]) + 1,
        'OrigNumFrames': num_frames,
    }
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{Path(path).name}',
        '\t'.join(header),
        '\t'.join(map(str, header.values())),
        '\t'.join(['Frame#', 'Time', *(f'{x}\t\t' for x in joint_names)]).rstrip(),
        '\t'.join(['', '', *axes]),
        '',
    ]
    rows = markers.reshape(num_frames, -1)
    for frame, second, row in zip(frames, seconds, rows, strict=True):
        values = ['' if np.isnan(value) else f'{value:.6f}' for value in row]
        lines.append('\t'.join([str(frame + 1), f'{second:.6f}', *values]))
    with replacing(path) as temporary:
        temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def fill_frames(person: Clip3D, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeat the nearest pose in frames without one.

    Args:
        person (Clip3D): Clip of one track.
        first (int): First frame to return.

    Returns:
        tuple[np.ndarray, np.ndarray]: Frame numbers (T,), and joint positions
        (T, K, 3) float64 in the axes of the clip.
    """
    frames = np.arange(first, person.frame[-1] + 1)
    middles = (person.frame[1:] + person.frame[:-1]) / 2
    positions = person.places()[np.searchsorted(middles, frames)]
    return frames, positions.astype(np.float64)
