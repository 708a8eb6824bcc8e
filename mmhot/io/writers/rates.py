"""Frames of the formats that have one pose in each: other rates, and gaps."""

from dataclasses import replace
from typing import Any

import numpy as np

from mmhot.geometry.windows import resample
from mmhot.structures.clips import ARRAYS, Clip3D, join_rows

# Seconds and usual steps between frames from which a recording has paused.
_PAUSE, _PAUSE_STEPS = 1.0, 3


def at_rate(clip: Clip3D, fps: float | None) -> Clip3D:
    """Interpolate the poses of a clip at a constant rate; None keeps the clip.

    Frame 0 stays at 0 seconds. Gaps and pauses stay gaps.
    """
    if fps is None or not len(clip):
        return clip
    columns: dict[str, list[np.ndarray]] = {}
    for rows in clip.stretches():
        times = clip.seconds(clip.frame[rows])
        first, last = np.ceil(times[0] * fps - 1e-6), np.floor(times[-1] * fps + 1e-6)
        frames = np.arange(first, max(first, last) + 1)
        at = np.interp(frames / fps, times, np.arange(len(rows)))
        part: dict[str, Any] = {'frame': frames.astype(np.int64)}
        part['track'] = np.full(len(frames), clip.track[rows[0]])
        for name in ARRAYS:
            values = getattr(clip, name)
            if name not in (*part, 'time') and values is not None:
                part[name] = resample(values[rows], at)
        for name, values in part.items():
            columns.setdefault(name, []).append(values)
    arrays = join_rows(columns)
    return replace(clip, **arrays, time=None, fps=fps, camera_path=None, cuts=())


def fill_frames(person: Clip3D, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeat the nearest pose in frames of a person without one, from the first on.

    Returns:
        tuple[np.ndarray, np.ndarray]: Frame numbers (T,), and joint positions
        (T, K, 3) float64 in the axes of the clip.
    """
    frames = np.arange(first, person.frame[-1] + 1)
    middles = (person.frame[1:] + person.frame[:-1]) / 2
    nearest = np.searchsorted(middles, frames)
    return frames, person.places()[nearest].astype(np.float64)


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
    fps, seconds = person.fps, person.seconds(frames) - person.seconds(frames[:1])
    count = round(seconds[-1] * fps) + 1
    times = np.minimum(np.arange(count) / fps, seconds[-1])
    index = np.interp(times, seconds, np.arange(len(frames)))
    nearest = np.floor(index + 0.5).astype(int)
    pauses = np.diff(seconds) > max(_PAUSE, _PAUSE_STEPS / fps)
    is_paused = np.r_[pauses, False][np.floor(index).astype(int)]
    index = np.where(is_paused, nearest, index)
    is_near = ~is_paused | (np.abs(seconds[nearest] - times) < 0.5 / fps)
    return resample(positions, index), is_known[nearest] & is_near
