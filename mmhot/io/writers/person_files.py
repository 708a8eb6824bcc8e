"""Formats that hold one person a file: ``.bvh`` and ``.trc``."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmhot.clips import Clip3D
from mmhot.io.writers.bvh import write_bvh
from mmhot.io.writers.rigid_skeleton import fit_rigid_skeleton
from mmhot.io.writers.trc import write_trc
from mmhot.skeletons.joints import get_skeleton


def person_paths(clip_path: Path, tracks: list[int]) -> dict[int, Path]:
    """Name a file for each person: the clip's own if there is just one."""
    if len(tracks) == 1:
        return {tracks[0]: clip_path}
    return {
        track: clip_path.with_stem(f'{clip_path.stem}_person{track}')
        for track in tracks
    }


def write_people(clip: Clip3D, path: Path) -> dict[Path, float]:
    """Write each person of a clip as ``.bvh`` or ``.trc``.

    Frames in which somebody was not seen repeat the nearest pose, as neither format
    knows gaps. A ``.trc`` begins with the first pose, a ``.bvh`` with the film.

    Args:
        clip (Clip3D): In ``'world'`` axes, Human3.6M's joints.
        path (Path): The clip's file; several people get files of their own beside it.

    Returns:
        dict[Path, float]: The files, and how far the joints written are from those of
        the clip, meters, mean: a ``.bvh`` has bones of constant length.
    """
    write = {'.bvh': _write_bvh, '.trc': _write_trc}[path.suffix]
    tracks = np.unique(clip.track).tolist()
    return {
        target: _write(clip, track, target, write)
        for track, target in person_paths(path, tracks).items()
    }


def _write(clip: Clip3D, track: int, path: Path, write: Callable) -> float:
    person = clip.take(clip.track == track)
    seen = person.frame
    # a .bvh has no times: it begins with the film, so that people keep step
    first = 0 if path.suffix == '.bvh' else seen[0]
    frames = np.arange(first, seen[-1] + 1)
    middles = (seen[1:] + seen[:-1]) / 2
    positions = person.places()[np.searchsorted(middles, frames)]
    return write(clip, frames, positions.astype(np.float64), path)


def _write_bvh(
    clip: Clip3D, frames: np.ndarray, positions: np.ndarray, path: Path
) -> float:
    if clip.time is not None:  # a .bvh has one duration for all frames
        positions = _evenly(positions, clip.seconds(frames), clip.fps)
    motion = fit_rigid_skeleton(positions, get_skeleton('h36m-17'))
    write_bvh(motion, clip.joint_names, clip.fps, path)
    return float(np.linalg.norm(motion.positions() - positions, axis=-1).mean())


def _write_trc(
    clip: Clip3D, frames: np.ndarray, positions: np.ndarray, path: Path
) -> float:
    seconds = clip.seconds(frames)
    write_trc(positions, frames, clip.joint_names, seconds, clip.fps, path)
    return 0.0


def _evenly(positions: np.ndarray, seconds: np.ndarray, fps: float) -> np.ndarray:
    """Positions at even times, linear between those (T, K, 3) of a varying rate."""
    count = round((seconds[-1] - seconds[0]) * fps) + 1
    wanted = np.minimum(seconds[0] + np.arange(count) / fps, seconds[-1])
    after = np.searchsorted(seconds[1:-1], wanted) + 1
    after = after.clip(max=len(seconds) - 1)
    before = np.maximum(after - 1, 0)
    span = np.maximum(seconds[after] - seconds[before], 1e-9)
    weight = ((wanted - seconds[before]) / span)[:, None, None]
    return positions[before] * (1 - weight) + positions[after] * weight
