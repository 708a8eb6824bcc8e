"""Windows of frames: starts, resampling, blended predictions of clips.

A window has ``seq_len`` frames, of which ``num_targets`` in the middle are predicted.
Seq2seq models predict all frames of a window, seq2frame models one. Windows overlap,
and the predictions of a frame are averaged.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


def window_starts(
    num_frames: int, num_targets: int, stride: int, keep_rest: bool = True
) -> np.ndarray:
    """Plan windows that cover a clip, with targets beyond both of its ends.

    With ``stride <= num_targets`` every frame is a target of some window.

    Args:
        num_frames (int): Frames of the clip.
        num_targets (int): Target frames of a window.
        stride (int): Frames from one window to the next.
        keep_rest (bool): Whether the last frames, which fill no window, are covered as
            well. Otherwise windows start at frame 0 and stay inside the clip unless it
            is shorter than one window. Defaults to True.

    Returns:
        np.ndarray: First target frame of each window, (W,) int64; the first one may be
        negative.

    Example:
        Windows of 4 targets cover 10 frames.

        >>> window_starts(10, 4, stride=4).tolist()
        [-1, 3, 7]
        >>> window_starts(10, 4, stride=4, keep_rest=False).tolist()
        [0, 4]
    """
    if not keep_rest and num_frames >= num_targets:
        return np.arange(0, num_frames - num_targets + 1, stride)
    beyond_first = max(num_frames - num_targets, 0)
    if stride <= num_targets:
        beyond_first += stride - 1  # rounds up: no dropped tail
    count = beyond_first // stride + 1
    span = (count - 1) * stride + num_targets
    return np.arange(count) * stride - (span - num_frames) // 2


def chunk_starts(
    num_frames: int, seq_len: int, stride: int, shifted: bool = False, beyond: int = 0
) -> np.ndarray:
    """Plan evenly spread chunks that cover a clip.

    Args:
        num_frames (int): Frames of the clip.
        seq_len (int): Frames of a chunk.
        stride (int): Largest number of frames from one chunk to the next.
        shifted (bool): Whether the chunks between the first and the last one start
            halfway between two chunks of the unshifted plan.
        beyond (int): Frames of the first and the last chunk that are beyond the clip.

    Returns:
        np.ndarray: First frame of each chunk, (W,) int64. If one chunk covers the clip
        and the frames beyond both ends, the clip is in its middle.

    Example:
        Chunks of 4 frames cover 10 frames, and with ``shifted`` there is one more.

        >>> chunk_starts(10, 4, stride=3).tolist()
        [0, 3, 6]
        >>> chunk_starts(10, 4, stride=3, shifted=True).tolist()
        [0, 2, 4, 6]
    """
    span = num_frames - seq_len + 2 * beyond
    if span <= 0:
        return np.array([span // 2 - beyond])
    starts = np.linspace(0, span, -(-span // stride) + 1)
    if shifted:
        starts = np.r_[0, (starts[1:] + starts[:-1]) / 2, span]
    return starts.round().astype(np.int64) - beyond


def blend_weights(num_targets: int) -> np.ndarray:
    """Return triangular weights for averaging overlapping windows, (T,).

    Frames in the middle of a window have most context on both sides, and the triangle
    blends seams.

    >>> blend_weights(5).tolist()
    [1.0, 2.0, 3.0, 2.0, 1.0]
    """
    ramp = np.arange(num_targets) + 1
    return np.minimum(ramp, ramp[::-1]).astype(np.float32)


def window_frames(
    starts: np.ndarray | Sequence[int], seq_len: int, num_targets: int
) -> np.ndarray:
    """Return the frame numbers of windows, which may be beyond the clip.

    Args:
        starts (np.ndarray | Sequence[int]): First target frame of each window, (W,).
        seq_len (int): Frames of a window.
        num_targets (int): Target frames in its middle.

    Returns:
        np.ndarray: Frame numbers, (W, seq_len).

    >>> window_frames([0, 4], seq_len=5, num_targets=3).tolist()
    [[-1, 0, 1, 2, 3], [3, 4, 5, 6, 7]]
    """
    first = np.asarray(starts)[:, None] - (seq_len - num_targets) // 2
    return first + np.arange(seq_len)


def frames_inside(
    frames: np.ndarray, num_frames: int, ends: str = 'edge'
) -> np.ndarray:
    """Replace frame numbers beyond the ends of a clip by frames of the clip.

    Args:
        frames (np.ndarray): Frame numbers, (...).
        num_frames (int): Frames of the clip.
        ends (str): As in ``np.pad``, 'edge' repeats the first and last frame, and
            'reflect' plays the clip backward and forward in turn.

    Returns:
        np.ndarray: Frame numbers, (...).

    >>> frames_inside(np.array([-2, 0, 9, 11]), 10).tolist()
    [0, 0, 9, 9]
    >>> frames_inside(np.array([-2, 0, 9, 11]), 10, 'reflect').tolist()
    [2, 0, 9, 7]
    """
    if ends == 'edge':
        return frames.clip(0, num_frames - 1)
    period = max(2 * (num_frames - 1), 1)
    frames = frames % period
    return np.minimum(frames, period - frames)


def resample(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Interpolate values linearly in time; they are constant outside of the clip.

    Args:
        values (np.ndarray): Values of each frame, (T, ...).
        times (np.ndarray): Frame numbers, which may be fractions, (S,).

    Returns:
        np.ndarray: Values, (S, ...).

    >>> resample(np.array([0.0, 10.0, 40.0]), np.array([0.5, 1.5, 9.0])).tolist()
    [5.0, 25.0, 40.0]
    """
    times = np.clip(times, 0, len(values) - 1)
    before = np.minimum(times.astype(int), max(len(values) - 2, 0))
    after = np.minimum(before + 1, len(values) - 1)
    weight = _align((times - before).astype(values.dtype), values.ndim)
    return values[before] * (1 - weight) + values[after] * weight


def resample_smoothly(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Interpolate values as :func:`resample`, but by Catmull-Rom splines.

    With these, speeds do not jump at frames.

    Args:
        values (np.ndarray): Values of each frame, (T, ...).
        times (np.ndarray): Frame numbers, which may be fractions, (S,).

    Returns:
        np.ndarray: Values, (S, ...).
    """
    times = np.clip(times, 0, len(values) - 1)
    first = np.minimum(times.astype(int), max(len(values) - 2, 0))
    widths = [(1, 2)] + [(0, 0)] * (values.ndim - 1)
    extended = np.pad(values, widths, 'reflect', reflect_type='odd')
    before, left, right, after = extended[first + np.arange(4)[:, None]]
    done = _align((times - first).astype(values.dtype), values.ndim)
    rest = 1 - done
    step = right - left
    bend = rest * ((right - before) / 2 - step) + done * (step - (after - left) / 2)
    return rest * left + done * right + done * rest * bend


def average_neighbors(values: np.ndarray, width: float) -> np.ndarray:
    """Average each frame with its neighbors, by triangular weights.

    Fewer neighbors count at the ends of the clip, so that constant speeds stay exact.

    Args:
        values (np.ndarray): Values of each frame, (T, ...).
        width (float): Distance from which frames have no weight, frames.

    Returns:
        np.ndarray: Averages, (T, ...).
    """
    frames = np.arange(len(values))
    reach = np.minimum(width, np.minimum(frames, frames[::-1]) + 1)
    total = values.copy()
    weights = np.ones(len(values), values.dtype)
    for offset in range(1, math.ceil(width)):
        weight = np.maximum(1 - offset / reach, 0).astype(values.dtype)
        earlier = values[(frames - offset).clip(0)]
        later = values[(frames + offset).clip(max=len(values) - 1)]
        total += (earlier + later) * _align(weight, values.ndim)
        weights += 2 * weight
    return total / _align(weights, values.ndim)


def usual_stride(seq_len: int, num_targets: int) -> int:
    """Return the default stride of windows, which averages enough predictions.

    Seq2seq models predict each frame in five windows, others in nine. Their errors in
    the demo and in motion capture are within 0.1 mm of the errors with ten windows.
    Strides of seq2seq models are not multiples of 3, as many keep every third frame.
    """
    if num_targets == seq_len > 1:
        stride = max(seq_len // 5, 1)
        return stride - (stride % 3 == 0)
    return max(1, num_targets // 9)


class Window(NamedTuple):
    """Window of one of several clips."""

    clip: int  # index of the clip
    start: int  # first target in the clip; may be negative
    ends: str  # content beyond the clip, see :func:`frames_inside`


def plan_windows(
    lengths: Sequence[int],
    seq_len: int,
    num_targets: int,
    stride: int,
    shifted: bool = False,
    ends: Sequence[str] = ('edge',),
) -> list[Window]:
    """Plan windows that predict every frame of several clips.

    Windows of seq2seq models, where all frames are targets, reach beyond the ends of
    the clip by half a window, so that about half as many windows predict the first
    frame as a frame in the middle. With a second value of ``ends``, there are as many.

    Args:
        lengths (Sequence[int]): Frames of each clip.
        seq_len (int): Frames of a window.
        num_targets (int): Target frames of a window.
        stride (int): Frames from one window to the next, at most ``num_targets``.
        shifted (bool): Whether windows of seq2seq models start halfway between two
            windows of the unshifted plan.
        ends (Sequence[str]): Content of windows beyond the ends of the clip, see
            :func:`frames_inside`. For a second value, the windows that reach beyond the
            ends in the plan with the other value of ``shifted`` are added.

    Returns:
        list[Window]: Windows of the first clip, of the second, and so on.

    Raises:
        ValueError: If the stride would skip frames.
    """
    if not (isinstance(stride, int | np.integer) and 1 <= stride <= num_targets):
        raise ValueError(
            f'stride ({stride!r:.50}) must be from 1 to the {num_targets} frames '
            'that a window predicts'
        )
    windows = []
    for clip, length in enumerate(lengths):
        for is_other, content in enumerate(ends):
            if num_targets == seq_len > 1:
                shifts = shifted != bool(is_other)
                beyond = seq_len // 2
                starts = chunk_starts(length, seq_len, stride, shifts, beyond)
            else:
                starts = window_starts(length, num_targets, stride)
            if is_other:
                starts = starts[(starts < 0) | (starts > length - num_targets)]
            windows += [Window(clip, start, content) for start in starts.tolist()]
    return windows


class BlendedMean:
    """Mean of overlapping parts of a clip, weighted by :func:`blend_weights`."""

    def __init__(self, num_frames: int) -> None:
        self._weights = np.zeros(num_frames, np.float32)
        self._sums = np.zeros(())  # replaced when the shape of a frame is known

    def add(self, start: int, part: np.ndarray) -> None:
        """Add values (T, ...) from a frame on; values beyond the clip are left out."""
        frames = start + np.arange(len(part))
        inside = (frames >= 0) & (frames < len(self._weights))
        weights = blend_weights(len(part))[inside]
        if not self._sums.ndim:
            shape = len(self._weights), *part.shape[1:]
            self._sums = np.zeros(shape, self._weights.dtype)
        self._sums[frames[inside]] += part[inside] * _align(weights, part.ndim)
        self._weights[frames[inside]] += weights

    def mean(self) -> np.ndarray:
        """Return the mean of all parts, (F, ...)."""
        return self._sums / _align(self._weights, self._sums.ndim)


def lift_windows(
    predict: Callable[[np.ndarray], np.ndarray],
    clips: Sequence[np.ndarray],
    windows: Sequence[Window],
    seq_len: int,
    num_targets: int,
    batch_size: int = 64,
    progress: Callable[[float], None] | None = None,
) -> list[np.ndarray]:
    """Predict every frame of several clips, and average overlapping predictions.

    Args:
        predict (Callable): Model that maps a batch of windows, (B, seq_len, ...), to
            the values of their targets, (B, num_targets, ...).
        clips (Sequence[np.ndarray]): Inputs of each clip, (T, ...).
        windows (Sequence[Window]): Plan that covers the clips.
        seq_len (int): Frames of a window.
        num_targets (int): Target frames of a window.
        batch_size (int): Windows of a batch, which may be of several clips.
        progress (Callable, optional): Receives the share of windows that are done.

    Returns:
        list[np.ndarray]: Predictions of each clip, (T, ...).
    """
    blends = [BlendedMean(len(clip)) for clip in clips]
    for first in range(0, len(windows), batch_size):
        batch = windows[first : first + batch_size]
        numbers = window_frames([x.start for x in batch], seq_len, num_targets)
        inputs = [
            clips[x.clip][frames_inside(of_window, len(clips[x.clip]), x.ends)]
            for x, of_window in zip(batch, numbers, strict=True)
        ]
        for window, values in zip(batch, predict(np.stack(inputs)), strict=True):
            blends[window.clip].add(window.start, values)
        if progress is not None:
            progress((first + len(batch)) / len(windows))
    return [blend.mean() for blend in blends]


def _align(weights: np.ndarray, ndim: int) -> np.ndarray:
    """Append axes to weights (T,) for broadcasting over arrays (T, ...)."""
    return weights.reshape(-1, *[1] * (ndim - 1))
