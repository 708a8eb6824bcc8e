"""Temporal smoothing of keypoints: Butterworth, Savitzky-Golay, and 1€ filter."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy  # its modules are loaded at first use: that of signals takes a second

from mmhot.structures.clips import Clip3D

# Hz: human motion is slower, noise is faster.
_CUTOFF = 6.0
# Seconds to which a parabola is fitted.
_SPAN, _DEGREE = 0.3, 2
# Hz: cutoffs of the 1€ filter at rest, and of the speed itself.
_MIN_CUTOFF, _SPEED_CUTOFF = 1.5, 1.0
# Rise of its cutoff per speed in m/s, see ``docs/streaming.md``.
_BETA = 6.0


def butterworth(points: np.ndarray, fps: float) -> np.ndarray:
    """Filter points (T, ...) without NaN at 6 Hz, forwards and backwards (no delay).

    Points are returned unchanged if ``fps`` is at most twice the cutoff.
    """
    if fps <= 2 * _CUTOFF or len(points) < 2:
        return points.copy()
    # both passes of second order together halve the power at the cutoff
    widened = _CUTOFF / (np.sqrt(2) - 1) ** 0.25
    cutoff = min(widened, 0.99 * fps / 2)
    sections = scipy.signal.butter(2, cutoff, fs=fps, output='sos')
    length = min(3 * (2 * len(sections) + 1), len(points) - 1)
    return scipy.signal.sosfiltfilt(sections, points, axis=0, padlen=length)


def savitzky_golay(points: np.ndarray, fps: float) -> np.ndarray:
    """Fit a parabola to 0.3 seconds around every frame of points (T, ...) without NaN.

    Points are returned unchanged if there are too few frames.
    """
    window = 2 * round(_SPAN * fps / 2) + 1
    window = min(window, len(points) - (len(points) + 1) % 2)
    if window <= _DEGREE + 1:
        return points.copy()
    return scipy.signal.savgol_filter(points, window, _DEGREE, axis=0)


class OneEuro:
    """Smooth a stream with little delay in motion and little jitter at rest.

    `1€ Filter <https://gery.casiez.net/1euro/>`_ (CHI 2012): exponential smoothing
    whose cutoff rises with speed. Missing points (NaN) start anew when they are back.
    """

    def __init__(self) -> None:
        self._time: float | None = None

    def __call__(self, points: np.ndarray, time: float) -> np.ndarray:
        """Smooth points (..., C) in meters, NaN if missing, of a later second."""
        points = np.asarray(points, np.float64)
        if self._time is None:
            self._time, self._points, self._speed = time, points, np.zeros_like(points)
            return points
        if not time > self._time:
            raise ValueError(f'time must increase from {self._time} s, got {time} s')
        step, self._time = time - self._time, time
        new = np.isnan(self._points)
        before = np.where(new, points, self._points)
        speed = np.nan_to_num((points - before) / step)
        share = _share(_SPEED_CUTOFF, step)
        self._speed = np.where(new, 0.0, self._speed + share * (speed - self._speed))
        pace = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        share = _share(_MIN_CUTOFF + _BETA * pace, step)
        self._points = before + share * (points - before)
        return self._points


def _share(cutoff: np.ndarray | float, step: float) -> np.ndarray | float:
    """Compute the weight of a new value in exponential smoothing."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


def one_euro(points: np.ndarray, fps: float) -> np.ndarray:
    """Apply the 1€ filter to a clip."""
    smooth = OneEuro()
    return np.stack([smooth(frame, time / fps) for time, frame in enumerate(points)])


SMOOTHERS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    'butterworth': butterworth,
    'savgol': savitzky_golay,
    'one-euro': one_euro,
}


class SmoothPoses:
    """Step ``smoothing``: poses and root positions filtered over time.

    Args:
        method (str): One of :data:`SMOOTHERS`.
    """

    name, live = 'smoothing', True

    def __init__(self, method: str) -> None:
        self.method = method

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Smooth every person, between interruptions."""
        poses, root = clip.keypoints_3d.copy(), clip.root_3d.copy()
        smooth = SMOOTHERS[self.method]
        for rows in clip.stretches():
            for points in (poses, root):
                points[rows] = smooth(points[rows], clip.fps)
        return replace(clip, keypoints_3d=poses, root_3d=root)
