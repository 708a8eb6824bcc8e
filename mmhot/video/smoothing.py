"""Smoothing of keypoints over time: for files, and frame by frame for streams."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.signal import butter, savgol_filter, sosfiltfilt

from mmhot.errors import hint_at_names

# Movements of people are slower than this, Hz; what is faster is noise.
_CUTOFF = 6.0
# Seconds that a parabola is fitted to.
_SPAN = 0.3
# One-euro's speed coefficient for pixels of people some hundred pixels tall.
_BETA = 0.03
METERS_BETA = 6.0
"""The same for meters: poses of mocap lose two thirds of their jitter by it, and hardly
any accuracy (``docs/streaming.md``)."""


def butterworth(
    points: np.ndarray, fps: float, cutoff: float = _CUTOFF, order: int = 4
) -> np.ndarray:
    """Filter forwards and backwards, which delays nothing.

    Args:
        points (np.ndarray): Complete, (T, ...).
        fps (float): Frames per second.
        cutoff (float): Frequency in Hz at which half of the power is left.
        order (int): Of the filter, both ways together; even.

    Returns:
        np.ndarray: (T, ...). Clips slower than twice the cutoff come back as they are.
    """
    if fps <= 2 * cutoff or len(points) < 2:
        return points.copy()
    # each pass takes away as much, so that together they halve the power at the cutoff
    half = order // 2
    widened = cutoff / (np.sqrt(2) - 1) ** (1 / (2 * half))
    sections = butter(half, min(widened, 0.99 * fps / 2), fs=fps, output='sos')
    length = min(3 * (2 * len(sections) + 1), len(points) - 1)
    return sosfiltfilt(sections, points, axis=0, padlen=length)


def savitzky_golay(
    points: np.ndarray, fps: float, span: float = _SPAN, degree: int = 2
) -> np.ndarray:
    """Fit a polynomial around every frame.

    Args:
        points (np.ndarray): Complete, (T, ...).
        fps (float): Frames per second.
        span (float): Seconds that each polynomial is fitted to.
        degree (int): Of the polynomial.

    Returns:
        np.ndarray: (T, ...). Clips of too few frames come back as they are.
    """
    window = 2 * round(span * fps / 2) + 1
    window = min(window, len(points) - (len(points) + 1) % 2)
    if window <= degree + 1:
        return points.copy()
    return savgol_filter(points, window, degree, axis=0)


class OneEuro:
    """Filter for streams: little delay when moving, little jitter when still.

    `1€ Filter <https://gery.casiez.net/1euro/>`_ (CHI 2012): exponential smoothing
    whose cutoff rises with speed. Points without a value (NaN) are left out and start
    anew when they are back.

    Args:
        min_cutoff (float): Cutoff in Hz of what stands still. Defaults to 1.5.
        beta (float): How much the cutoff rises per unit of speed, Hz seconds a unit.
            Defaults to 0.03, for pixels of people some hundred pixels tall;
            ``METERS_BETA`` is for meters.
        speed_cutoff (float): Cutoff in Hz of the speed itself. Defaults to 1.
    """

    def __init__(
        self, min_cutoff: float = 1.5, beta: float = _BETA, speed_cutoff: float = 1.0
    ) -> None:
        if min(min_cutoff, speed_cutoff) <= 0 or beta < 0:
            raise ValueError(
                'min_cutoff and speed_cutoff must be above 0 and beta at least 0, got '
                f'{min_cutoff}, {speed_cutoff} and {beta}'
            )
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.speed_cutoff = speed_cutoff
        self._time: float | None = None
        self._points = np.empty(0)
        self._speed = np.empty(0)

    def __call__(self, points: np.ndarray, time: float) -> np.ndarray:
        """Smooth the next frame.

        Args:
            points (np.ndarray): (..., C); NaN where there is none.
            time (float): Seconds, later than those of the frame before.

        Returns:
            np.ndarray: (..., C).

        Raises:
            ValueError: If time does not go on.
        """
        points = np.asarray(points, np.float64)
        if self._time is None:
            self._time, self._points = time, points
            self._speed = np.zeros_like(points)
            return points
        if not time > self._time:
            raise ValueError(f'time must go on from {self._time} s, got {time} s')
        step, self._time = time - self._time, time
        new = np.isnan(self._points)
        before = np.where(new, points, self._points)
        speed = np.nan_to_num((points - before) / step)
        share = _share(self.speed_cutoff, step)
        self._speed = np.where(new, 0.0, self._speed + share * (speed - self._speed))
        pace = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        share = _share(self.min_cutoff + self.beta * pace, step)
        self._points = before + share * (points - before)
        return self._points


def _share(cutoff: np.ndarray | float, step: float) -> np.ndarray | float:
    """Weight of a new value in exponential smoothing."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


def one_euro(points: np.ndarray, fps: float, beta: float = _BETA) -> np.ndarray:
    """Smooth a clip as a stream would be: each frame knows only those before it."""
    smooth = OneEuro(beta=beta)
    return np.stack([smooth(frame, time / fps) for time, frame in enumerate(points)])


SMOOTHERS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    'butterworth': butterworth,
    'savgol': savitzky_golay,
    'one-euro': one_euro,
}


def smooth_clip(
    points: np.ndarray, fps: float, method: str, in_meters: bool = False
) -> np.ndarray:
    """Smooth a person's points over time.

    Args:
        points (np.ndarray): (T, ...); gaps (NaN) must have been filled.
        fps (float): Frames per second.
        method (str): One of :data:`SMOOTHERS`, or 'none'.
        in_meters (bool): Whether points are in meters, not pixels.

    Returns:
        np.ndarray: (T, ...), of the same type.

    Raises:
        ValueError: If the method is unknown.
    """
    if method == 'none':
        return points
    if method not in SMOOTHERS:
        names = (*SMOOTHERS, 'none')
        raise ValueError(
            f'unknown smoothing {method!r}: {hint_at_names(method, names)}'
        )
    smooth = SMOOTHERS[method]
    if in_meters and smooth is one_euro:
        smooth = partial(one_euro, beta=METERS_BETA)
    return smooth(points, fps).astype(points.dtype)
