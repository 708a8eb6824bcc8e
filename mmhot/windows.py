"""Windows of frames: resampling, first frames, overlaps and blend weights."""

import numpy as np


def window_starts(
    num_frames: int, num_targets: int, stride: int, keep_rest: bool = True
) -> np.ndarray:
    """First target frames of the windows that cover a clip.

    Every frame is a target of some window if ``stride <= num_targets``; the overhang
    is split between both ends. With longer strides, what is left over is.

    Args:
        num_frames (int): Frames of the clip.
        num_targets (int): Target frames of a window.
        stride (int): Frames from one window to the next.
        keep_rest (bool): Whether frames at the end that fill no window are targets of
            some; otherwise windows begin at the first frame, and only a clip that is
            too short for one has targets outside of it.

    Returns:
        np.ndarray: int64, may start below zero.
    """
    if not keep_rest and num_frames >= num_targets:
        return np.arange(0, num_frames - num_targets + 1, stride)
    beyond_first = max(num_frames - num_targets, 0)
    if stride <= num_targets:
        beyond_first += stride - 1  # rounds up: no dropped tail
    count = beyond_first // stride + 1
    span = (count - 1) * stride + num_targets
    return np.arange(count) * stride - (span - num_frames) // 2


def chunk_starts(num_frames: int, seq_len: int, stride: int) -> np.ndarray:
    """First frames of chunks that cover a clip, spread evenly.

    No chunk leaves a clip that is long enough, so that none sees repeated frames.

    Args:
        num_frames (int): Frames of the clip.
        seq_len (int): Frames of a chunk.
        stride (int): Most frames from one chunk to the next.

    Returns:
        np.ndarray: int64; of a clip shorter than a chunk one start, below zero, that
        puts the clip into the chunk's middle.
    """
    span = num_frames - seq_len
    if span <= 0:
        return np.array([span // 2])
    count = -(-span // stride) + 1
    return np.linspace(0, span, count).round().astype(np.int64)


def blend_weights(num_targets: int) -> np.ndarray:
    """How much each output frame of a window counts where windows overlap, (T',).

    A triangle: frames in the middle have seen as much of the past as of the future,
    and a seam fades instead of jumping.
    """
    ramp = np.arange(num_targets) + 1
    return np.minimum(ramp, ramp[::-1]).astype(np.float32)


def window_frames(
    starts: np.ndarray, seq_len: int, num_targets: int, causal: bool = False
) -> np.ndarray:
    """Frame numbers of windows around their targets.

    Args:
        starts (np.ndarray): First target frames, (S,).
        seq_len (int): Frames of a window.
        num_targets (int): Target frames, in the window's middle.
        causal (bool): Whether the targets are the window's last frames instead.

    Returns:
        np.ndarray: (S, seq_len), not yet limited to the clip.
    """
    before = seq_len - num_targets
    before = before if causal else before // 2
    return np.asarray(starts)[:, None] - before + np.arange(seq_len)


def resample(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Values at fractional frame numbers, linear in between, held outside.

    Args:
        values (np.ndarray): (T, ...).
        times (np.ndarray): Frame numbers, (S,).

    Returns:
        np.ndarray: (S, ...).
    """
    times = np.clip(times, 0, len(values) - 1)
    before = np.minimum(times.astype(int), max(len(values) - 2, 0))
    after = np.minimum(before + 1, len(values) - 1)
    weight = (times - before).astype(values.dtype)
    weight = weight.reshape(-1, *[1] * (values.ndim - 1))
    return values[before] * (1 - weight) + values[after] * weight


def usual_stride(seq_len: int, num_targets: int) -> int:
    """Frames from one window to the next at which a clip shows no seams.

    Nine windows see each frame; chunks, where all frames of a window are targets,
    overlap by a third.
    """
    if num_targets == seq_len > 1:
        return seq_len - seq_len // 3
    return max(1, num_targets // 9)
