"""Marker paths (``.trc``), for OpenSim and Pose2Sim."""

from pathlib import Path

import numpy as np

from mmhot.io.atomic import replacing


def write_trc(
    positions: np.ndarray,
    frames: np.ndarray,
    joint_names: tuple[str, ...],
    seconds: np.ndarray,
    fps: float,
    path: str | Path,
) -> None:
    """Write a person's joints as markers: meters, y up.

    Args:
        positions (np.ndarray): In a world that is z up, meters, (T, K, 3). NaN is
            left empty, as OpenSim wants it.
        frames (np.ndarray): Frame numbers, (T,).
        joint_names (tuple[str]): Names of the K joints.
        seconds (np.ndarray): When they were taken, (T,).
        fps (float): Frames per second.
        path (str | Path): The file to create or replace.
    """
    num_frames, num_joints = positions.shape[:2]
    markers = positions[..., [0, 2, 1]] * (1, 1, -1)
    axes = [f'{axis}{joint}' for joint in range(1, num_joints + 1) for axis in 'XYZ']
    facts = {
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
        '\t'.join(facts),
        '\t'.join(map(str, facts.values())),
        '\t'.join(
            ['Frame#', 'Time', *(f'{name}\t\t' for name in joint_names)]
        ).rstrip(),
        '\t'.join(['', '', *axes]),
        '',
    ]
    rows = markers.reshape(num_frames, -1)
    for frame, second, row in zip(frames, seconds, rows, strict=True):
        values = ['' if np.isnan(value) else f'{value:.6f}' for value in row]
        lines.append('\t'.join([str(frame + 1), f'{second:.6f}', *values]))
    with replacing(path) as temporary:
        temporary.write_text('\n'.join(lines) + '\n', encoding='utf-8')
