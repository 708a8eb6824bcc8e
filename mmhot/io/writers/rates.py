"""Frames of the formats that have one pose in each: other rates, and gaps."""

from dataclasses import replace

import numpy as np

from mmhot.geometry.windows import resample
from mmhot.structures.clips_3d import ARRAYS, Clip3D, join_rows

_MOST_FRAMES = 1_000_000  # a whole working day at 30 frames per second


def at_rate(clip: Clip3D, fps: float | None) -> Clip3D:
    """Interpolate the poses of a clip at a constant rate; None keeps the clip.

    Frame 0 stays at 0 seconds. Gaps and pauses stay gaps.
    """
    if fps is None or not len(clip):
        return clip
    motions = []
    for rows in clip.stretches():
        times = clip.seconds(clip.frame[rows])
        first, last = np.ceil(times[0] * fps - 1e-6), np.floor(times[-1] * fps + 1e-6)
        frames = np.arange(first, max(first, last) + 1)
        at = np.interp(frames / fps, times, np.arange(len(rows)))
        motion = {'frame': frames.astype(np.int64)}
        motion['track'] = np.full(len(frames), clip.track[rows[0]])
        for name in ARRAYS.keys() - {'frame', 'track', 'variable_time'}:
            if (values := getattr(clip, name)) is not None:
                motion[name] = resample(values[rows], at)
        motions.append(motion)
    arrays = join_rows(motions)
    return replace(
        clip, **arrays, variable_time=None, fps=fps, camera_path=None, cuts=()
    )


def at_constant_rate(clip: Clip3D, fps: float | None = None) -> Clip3D:
    """Interpolate the poses of a clip at a constant rate, by default its own."""
    return at_rate(
        clip, clip.fps if fps is None and clip.variable_time is not None else fps
    )


def fill_frames(person: Clip3D, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeat the nearest pose in frames without one: numbers (T,), places (T, K, 3).

    Raises:
        ValueError: If these are too many.
    """
    if person.frame[-1] - first > _MOST_FRAMES:
        raise ValueError(
            f'frame {person.frame[-1]} is too high: a format without gaps has at most '
            f'{_MOST_FRAMES:,} frames; number them from 0'
        )
    frames = np.arange(first, person.frame[-1] + 1)
    middles = (person.frame[1:] + person.frame[:-1]) / 2
    return frames, person.places()[np.searchsorted(middles, frames)].astype(np.float64)
