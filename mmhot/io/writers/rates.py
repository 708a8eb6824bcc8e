"""Constant rates, and formats without gaps: interpolation and filling of frames."""

from dataclasses import replace

import numpy as np

from mmhot.geometry.windows import resample
from mmhot.structures.clips_3d import ARRAYS, Clip3D, join_rows

_MOST_FRAMES = 1_000_000  # frames of a file without gaps; nine hours at 30 frames/s
_ROUNDING = 1e-6  # frames; a frame this far outside of a stretch still belongs to it


def at_rate(clip: Clip3D, fps: float | None) -> Clip3D:
    """Interpolate the poses of a clip at a constant rate.

    Frame 0 stays at 0 seconds. Gaps and pauses stay gaps.

    Args:
        clip (Clip3D): The clip.
        fps (float | None): Frames per second; None returns the clip as it is.

    Returns:
        Clip3D: The clip at this rate, without its cuts and its camera.
    """
    if fps is None or not len(clip):
        return clip
    motions = []
    for rows in clip.stretches():
        times = clip.seconds(clip.frame[rows])
        first = np.ceil(times[0] * fps - _ROUNDING)
        last = np.floor(times[-1] * fps + _ROUNDING)
        frames = np.arange(first, max(first, last) + 1)
        # Fractional row of each new frame
        at = np.interp(frames / fps, times, np.arange(len(rows)))
        motion = {
            name: resample(values[rows], at)
            for name in ARRAYS.keys() - {'frame', 'track', 'variable_time'}
            if (values := getattr(clip, name)) is not None
        }
        track = np.full(len(frames), clip.track[rows[0]])
        motions.append({'frame': frames.astype(np.int64), 'track': track, **motion})
    arrays = join_rows(motions)
    return replace(clip, **arrays, variable_time=None, fps=fps, camera=None, cuts=())


def at_constant_rate(clip: Clip3D, fps: float | None = None) -> Clip3D:
    """Interpolate the poses of a clip at a constant rate, by default its own."""
    return at_rate(
        clip, clip.fps if fps is None and clip.variable_time is not None else fps
    )


def fill_frames(person: Clip3D, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeat the nearest pose in frames without one.

    Args:
        person (Clip3D): One track.
        first (int): First frame number of the result, at most the first one of the
            person.

    Returns:
        tuple[np.ndarray, np.ndarray]: Frame numbers (T,) and joints in meters
        (T, K, 3).

    Raises:
        ValueError: If there are too many frames.
    """
    if person.frame[-1] - first > _MOST_FRAMES:
        raise ValueError(
            f'frame {person.frame[-1]} is too high: a format without gaps has at most '
            f'{_MOST_FRAMES:,} frames; number them from 0'
        )
    frames = np.arange(first, person.frame[-1] + 1)
    middles = (person.frame[1:] + person.frame[:-1]) / 2
    return frames, person.places()[np.searchsorted(middles, frames)].astype(np.float64)
