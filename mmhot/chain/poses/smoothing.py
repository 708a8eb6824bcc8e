"""Temporal smoothing of 3D poses: splines, Butterworth filter, 1€ filter."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal

import numpy as np
import scipy  # its modules are loaded at first use; scipy.signal takes a second

from mmhot.chain.lifting.lifted import Lifted, LiftedStep
from mmhot.chain.step import PoseStep
from mmhot.geometry.keypoint_arrays import interpolate_missing
from mmhot.geometry.smooth_fits import normal_bands
from mmhot.geometry.windows import resample
from mmhot.options import Option
from mmhot.structures.clips_3d import Clip3D

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class FilterSettings:
    """Settings of the filters; ``docs/benchmarks.md`` compares these."""

    # Hz; cutoff of the Butterworth filter. Human motion is slower, noise is faster. On
    # 12 motions of CMU half of it is 25 % better for noise of 20 mm, and moves exact
    # joints by 2.4 instead of .9 mm; double is 42 % worse for noise.
    cutoff: float = 6.0
    # Of the 1€ filter: Hz, cutoff at rest; Hz, cutoff of the speed; and Hz per m/s,
    # rise of the cutoff with the speed. On nine lifted streams 0.5 to 2 of each change
    # poses by .5 %, and jitter by 10 %, 10 % and 18 %.
    min_cutoff: float = 1.5
    speed_cutoff: float = 1.0
    beta: float = 6.0
    order: int = 3  # derivative that a spline penalizes, in which noise shows
    # Smallest and largest penalty of a spline that is tried, natural logarithms
    strengths: tuple[float, float] = (-12.0, 20.0)
    # Number of penalties from the smallest to the largest one; 17 to 330 change poses
    # with noise by 4 %.
    num_strengths: int = 33
    # Shorter motions are not fitted by splines. With 6, those of 6 frames with 5 mm of
    # noise would be 2 mm nearer.
    min_frames: int = 8
    # Weight of interpolated positions in a spline, chosen on gaps of 1 to 25 frames in
    # 45 motions of CMU
    interpolated_weight: float = 0.001
    # Distance of a spline from the line across a gap, as a share of the gap's width.
    # Chosen on 720 gaps of 3 to 12 frames in 40 motions of CMU, exact and with noise of
    # 10 mm. The line is a tenth better in 2 gaps; in 1 with .05, 7 with .15, 17 with
    # .3, 49 without a limit.
    max_bend: float = 0.1
    # Distance by which a spline moves a position, in medians of its joint; motion that
    # would be moved farther is fast. With half of it ankles with white noise are 74 %
    # worse, with double fast ones 17 %.
    max_distance: float = 2.5
    # Fourth difference of a position, relative to the 80th percentile over frames;
    # larger ones are errors, not noise. 0.5 to 2 of it change errors of five motions of
    # CMU in 15 forms by .8 %, 10 of it 3 %.
    max_difference: float = 6.0
    # m; median distance of a joint from its spline; with less it is exact and stays. In
    # 30 exact motions of CMU it is below .0016 for 99 % of the joints; in the median it
    # is .0014 with white noise of .001 along each axis, and .0028 with .002. Half of it
    # is 36 % worse for a noisy forearm, with double noise of .003 stays.
    min_noise: float = 0.002
    # Noise of a joint, relative to the median of all joints, or to min_noise if that is
    # larger; the rest is motion. Half of it is 36 % worse for a noisy forearm, double
    # 26 % better; other forms of given poses are equal.
    max_noise: float = 4.0


def butterworth(
    points: np.ndarray, fps: float, settings: FilterSettings = FilterSettings()
) -> np.ndarray:
    """Filter points forwards and backwards, and so without delay.

    Args:
        points (np.ndarray): Points without NaN, (T, ...).
        fps (float): Frames per second; up to twice the cutoff, points stay as they are.
        settings (FilterSettings): Cutoff, by default 6 Hz.

    Returns:
        np.ndarray: Filtered points, (T, ...).
    """
    if fps <= 2 * settings.cutoff or len(points) < 2:
        return points.copy()
    # Both passes of second order together halve the power at the cutoff.
    widened = settings.cutoff / (np.sqrt(2) - 1) ** 0.25
    cutoff = min(widened, 0.99 * fps / 2)
    sections = scipy.signal.butter(2, cutoff, fs=fps, output='sos')
    length = min(3 * (2 * len(sections) + 1), len(points) - 1)
    return scipy.signal.sosfiltfilt(sections, points, axis=0, padlen=length)


def spline(
    points: np.ndarray,
    fps: float,
    settings: FilterSettings = FilterSettings(),
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Fit a smoothing spline to each point, with the strength that its noise needs.

    The strength is the one that best predicts frames that are left out (generalized
    cross-validation). It removes noise from frame to frame, and leaves exact motion as
    it is. Fast motion stays, too: no point moves by much more than it does in most
    frames.

    Args:
        points (np.ndarray): Points without NaN, meters, (T, ..., 3). They stay as they
            are if there are too few frames, and at rates up to twice the cutoff of
            motion, where motion looks like noise.
        fps (float): Frames per second.
        settings (FilterSettings): Strengths and limits.
        weights (np.ndarray, optional): Weights of the points, 1 by default, (T, ...).

    Returns:
        np.ndarray: Smooth points, (T, ..., 3).
    """
    count = len(points)
    if count < settings.min_frames or fps <= 2 * settings.cutoff:
        return points.copy()
    flat = points.reshape(count, -1, 3)
    weights = np.ones(flat.shape[:2]) if weights is None else weights
    weights = weights.reshape(flat.shape[:2])
    # Single errors are not noise: they would smooth all positions as much as they need.
    # Beside gaps, positions leave the path because it was interpolated.
    all_known = scipy.ndimage.minimum_filter1d(weights, 5, axis=0) == 1
    is_error = all_known & _leaves_path(flat, settings.max_difference)
    trusted = np.where(
        is_error, weights.clip(max=settings.interpolated_weight), weights
    )
    smooth = np.empty_like(flat)
    # Points with the same weights are fitted together.
    kinds, kind = np.unique(trusted, axis=1, return_inverse=True)
    for number, shared in enumerate(kinds.T):
        chosen = kind == number
        smooth[:, chosen] = _fit_splines(flat[:, chosen], shared, settings)
    moved = smooth - flat
    distance = np.linalg.norm(moved, axis=-1)
    is_known = trusted == 1
    is_known |= ~is_known.any(0)
    noise = np.nanmedian(np.where(is_known, distance, np.nan), axis=0)
    usual = max(np.median(noise), settings.min_noise)
    noise[noise < settings.min_noise] = 0
    noise = np.minimum(noise, settings.max_noise * usual)
    share = np.minimum(settings.max_distance * noise / distance.clip(1e-9), 1)
    kept = flat + moved * share[..., None]
    is_filled = (weights < 1) & (weights == 1).any(0)
    kept = _bend_across_gaps(kept, smooth, is_filled, settings.max_bend)
    return kept.reshape(points.shape)


def _bend_across_gaps(
    places: np.ndarray, smooth: np.ndarray, is_filled: np.ndarray, max_bend: float
) -> np.ndarray:
    """Fill gaps by a spline that stays near the line between their ends.

    Where nothing was seen, a spline goes on as the last few frames do, errors too.

    Args:
        places (np.ndarray): Positions, meters, (T, K, 3).
        smooth (np.ndarray): The spline, (T, K, 3).
        is_filled (np.ndarray): Frames that were not seen, not all of a point, (T, K).
        max_bend (float): See :class:`FilterSettings`.

    Returns:
        np.ndarray: Positions, before the first and after the last one that was seen
        constant, (T, K, 3).
    """
    line = interpolate_missing(np.where(is_filled[..., None], np.nan, places))
    frames = np.arange(len(line))[:, None]
    start = np.maximum.accumulate(np.where(is_filled, 0, frames))
    end = np.minimum.accumulate(np.where(is_filled, len(line) - 1, frames)[::-1])[::-1]
    joints = np.arange(line.shape[1])
    width = np.linalg.norm(line[end, joints] - line[start, joints], axis=-1)
    bend = smooth - line
    distance = np.linalg.norm(bend, axis=-1).clip(1e-9)
    share = np.minimum(max_bend * width / distance, 1)
    return line + bend * share[..., None]


def _leaves_path(points: np.ndarray, max_difference: float) -> np.ndarray:
    """Mark positions that leave the path of their neighbors, (T, K) bool.

    Fourth differences of points (T, K, 3) there are larger than ``max_difference``
    times their 80th percentile.
    """
    near = points[1:-3] + points[3:-1]
    far = points[:-4] + points[4:]
    apart = np.linalg.norm(points[2:-2] - (4 * near - far) / 6, axis=-1)
    leaves = apart > max_difference * np.quantile(apart, 0.8, axis=0)
    return np.pad(leaves, ((2, 2), (0, 0)))


def _fit_splines(
    points: np.ndarray, weights: np.ndarray, settings: FilterSettings
) -> np.ndarray:
    """Fit smoothing splines to points (T, K, 3) that share their weights (T,).

    A discrete spline (`Eilers 2003 <https://doi.org/10.1021/ac034173t>`_) minimizes its
    weighted squared errors, plus ``strength`` times its squared third differences. Each
    point gets the strength with the smallest score of generalized cross-validation: the
    squared errors, divided by the square of the share of degrees of freedom that the
    spline does not use.
    """
    count = len(points)
    order = settings.order
    difference = np.diff(np.eye(order + 1), order, axis=0)[0]
    penalty = normal_bands(np.tile(difference[:, None], count - order), count)
    # Eigenvalues of the penalty, which belong to cosine waves from slow to fast. Frames
    # with little weight determine nothing, so only a share of the waves counts.
    share = float(weights.mean())
    waves = (2 - 2 * np.cos(np.pi * np.arange(count * share) / count)) ** order
    smooth = points.copy()
    least = np.full(points.shape[1], np.inf)
    weighted = (points * weights[:, None, None]).reshape(count, -1)
    for strength in np.exp(np.linspace(*settings.strengths, settings.num_strengths)):
        bands = strength * penalty
        bands[0] += weights
        fitted = scipy.linalg.solveh_banded(bands, weighted, lower=True)
        fitted = fitted.reshape(points.shape)
        left = 1 - np.mean(share / (share + strength * waves))
        errors = np.einsum('t,tki->k', weights, (points - fitted) ** 2)
        score = errors / left**2
        better = score < least
        smooth[:, better] = fitted[:, better]
        least[better] = score[better]
    return smooth


class OneEuro:
    """Smooth a stream with little delay in motion and little jitter at rest.

    `1€ Filter <https://gery.casiez.net/1euro/>`_ (CHI 2012): exponential smoothing
    whose cutoff rises with speed. Missing points (NaN) start anew when they are back.

    Example:
        A point jumps by a meter. Half a second later it has arrived:

        >>> smooth = OneEuro()
        >>> [float(smooth([x], t).round(2)[0]) for x, t in ((0, 0), (1, 0.1), (1, 0.5))]
        [0.0, 0.94, 1.0]
    """

    def __init__(self, settings: FilterSettings = FilterSettings()) -> None:
        self.settings = settings
        self._time: float | None = None

    def __call__(self, points: np.ndarray, time: float) -> np.ndarray:
        """Smooth the points of the next frame.

        Args:
            points (np.ndarray): Points in meters, NaN if missing, (..., C).
            time (float): Seconds, not before the last frame.

        Returns:
            np.ndarray: Smooth points, (..., C).
        """
        points = np.asarray(points, np.float64)
        if self._time is None:
            self._time = time
            self._points = points
            self._speed = np.zeros_like(points)
            return points
        step = max(time - self._time, 1e-6)  # two frames may have the same time
        self._time = time
        is_new = np.isnan(self._points)
        before = np.where(is_new, points, self._points)
        speed = np.nan_to_num((points - before) / step)
        weight = _weight(self.settings.speed_cutoff, step)
        speed = self._speed + weight * (speed - self._speed)
        self._speed = np.where(is_new, 0.0, speed)
        pace = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        cutoff = self.settings.min_cutoff + self.settings.beta * pace
        self._points = before + _weight(cutoff, step) * (points - before)
        return self._points


def _weight(cutoff: np.ndarray | float, step: float) -> np.ndarray | float:
    """Compute the weight of a new value in exponential smoothing.

    ``cutoff`` is one or (..., 1) frequencies in Hz, ``step`` the time step in seconds.
    """
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


def smooth_uneven(
    smooth: Callable[..., np.ndarray],
    points: np.ndarray,
    seconds: np.ndarray,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Apply a filter for constant frame rates to frames at any times.

    Points and weights are interpolated linearly at a constant rate and back, so
    constant speeds stay.

    Args:
        smooth (Callable): Filter such as :func:`spline`.
        points (np.ndarray): Points without NaN, (T, ...).
        seconds (np.ndarray): Timestamps, (T,).
        weights (np.ndarray, optional): Weights of the points, if the filter has some.

    Returns:
        np.ndarray: Smooth points, (T, ...).
    """
    duration = float(np.ptp(seconds))
    if not duration:
        return points.copy()
    steps = max(1, round(duration / float(np.median(np.diff(seconds)))))
    even = np.linspace(seconds[0], seconds[-1], steps + 1)
    numbers = np.interp(even, seconds, np.arange(len(points))).round(6)
    fps = round(steps / duration, 6)  # rounding errors would change windows
    known = {} if weights is None else {'weights': resample(weights, numbers)}
    smoothed = smooth(resample(points.astype(np.float64), numbers), fps, **known)
    return resample(smoothed, ((seconds - seconds[0]) * steps / duration).round(6))


_NOISE = 'noise'  # key in ``clip.steps``
SMOOTHERS: dict[str, Callable[..., np.ndarray]] = {
    'spline': spline,
    'butterworth': butterworth,
}


@dataclass(frozen=True, kw_only=True)
class SmoothPoses(PoseStep):
    """Step ``smoothing``: poses and root positions filtered over time."""

    name = 'smoothing'

    smooth_3d: Annotated[
        str, 'filter of 3D poses over time', Option(choices=('none', *SMOOTHERS))
    ] = 'none'
    settings: FilterSettings = FilterSettings()

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Smooth the poses, if a filter was chosen."""
        return clip if self.smooth_3d == 'none' else self.smooth(clip)

    def smooth(self, clip: Clip3D) -> Clip3D:
        """Smooth every person, between interruptions.

        Args:
            clip (Clip3D): Poses, with or without root positions.

        Returns:
            Clip3D: The clip with smooth poses and root positions.
        """
        poses = clip.keypoints_3d.copy()
        root = clip.root_3d.copy()
        method = partial(SMOOTHERS[self.smooth_3d], settings=self.settings)
        for rows in clip.stretches():
            seconds = clip.seconds(clip.frame[rows])
            smooth = partial(smooth_uneven, method, seconds=seconds)
            is_placed = np.isfinite(root[rows]).all()
            # Interpolated positions hardly count. Joints that are never seen move with
            # the body and count as much as it does.
            scores = clip.scores[rows]
            is_filled = (scores <= 0) & (scores > 0).any(0)
            weights = np.where(is_filled, self.settings.interpolated_weight, 1.0)
            if self.smooth_3d == 'spline' and is_placed:
                # Noise of the root is in all relative positions. Smoothing absolute
                # positions keeps it out of the other joints.
                places = poses[rows] + root[rows, None]
                places = np.append(root[rows, None], places, axis=1)
                weights = np.append(weights[:, :1], weights, axis=1)
                places = smooth(points=places, weights=weights)
                root[rows] = places[:, 0]
                poses[rows] = places[:, 1:] - places[:, :1]
            elif self.smooth_3d == 'spline':
                poses[rows] = smooth(points=poses[rows], weights=weights)
            else:
                poses[rows] = smooth(points=poses[rows])
                if is_placed:
                    root[rows] = smooth(points=root[rows])
        return replace(clip, keypoints_3d=poses, root_3d=root)


@dataclass(frozen=True, kw_only=True)
class SmoothStream(LiftedStep):
    """Step ``smoothing`` of streams: by a filter that needs no later frames."""

    name = 'smoothing'
    live = True

    smooth_3d: Annotated[
        Literal['none', 'one-euro'],
        'filter of 3D poses over time; other filters would need later frames',
    ] = 'one-euro'
    settings: FilterSettings = FilterSettings()

    def start(self, fps: float) -> Callable[[Clip3D, Lifted], Clip3D]:
        """Return a function that smooths the frames of a stream.

        Each person has a filter, which starts anew after an interruption.
        """
        filters: dict[int, OneEuro] = {}

        def smooth(clip: Clip3D, lifted: Lifted) -> Clip3D:
            if self.smooth_3d == 'none':
                return clip
            poses = clip.keypoints_3d.copy()
            root = clip.root_3d.copy()
            [time] = lifted.keypoints.times_of(np.zeros(1, int))
            for row, track in enumerate(clip.track.tolist()):
                if track not in filters or track in lifted.returned:
                    filters[track] = OneEuro(self.settings)
                points = filters[track](np.vstack([poses[row], root[row]]), time)
                poses[row] = points[:-1]
                root[row] = points[-1]
            return replace(clip, keypoints_3d=poses, root_3d=root)

        return smooth


@dataclass(frozen=True, kw_only=True)
class SmoothGivenPoses(SmoothPoses):
    """Step ``smoothing`` of other tools' poses, which have more noise."""

    smooth_3d: Annotated[
        str,
        'filter of 3D poses over time; spline adapts to the noise of each joint',
        Option(choices=('none', *SMOOTHERS)),
    ] = 'spline'

    def smooth(self, clip: Clip3D) -> Clip3D:
        """Smooth every person, and report how far joints move."""
        smoothed = super().smooth(clip)
        distance = np.linalg.norm(smoothed.places() - clip.places(), axis=-1).mean()
        _LOGGER.info(
            '%s: %s: joints move by %.1f mm on average',
            clip.name,
            self.smooth_3d,
            1000 * distance,
        )
        if clip.model:
            return smoothed
        is_spline = self.smooth_3d == 'spline'
        noise = _distance(clip, smoothed) if is_spline else noise_of(clip)
        settings = self.option_values() | {_NOISE: noise}
        return replace(smoothed, steps={**clip.steps, self.name: settings})


def noise_of(clip: Clip3D) -> float:
    """Measure the median distance of joints from a smooth motion.

    Args:
        clip (Clip3D): Poses. If they are from another tool and were smoothed, the
            distance is in ``steps``.

    Returns:
        float: Distance, meters, rounded to 0.1 mm.
    """
    noise = clip.steps.get(SmoothGivenPoses.name, {}).get(_NOISE)
    if isinstance(noise, float):
        return noise
    return _distance(clip, SmoothPoses(smooth_3d='spline').smooth(clip))


def _distance(clip: Clip3D, smoothed: Clip3D) -> float:
    """Return the median distance by which joints that are seen moved, meters."""
    distance = np.linalg.norm(smoothed.places() - clip.places(), axis=-1)
    distance = distance[clip.scores > 0]
    return round(float(np.median(distance)), 4) if len(distance) else 0.0
