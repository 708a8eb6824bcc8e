"""Whole clips through a model that sees windows."""

from collections.abc import Callable, Sequence

import numpy as np

from mmhot.windows import blend_weights, chunk_starts, window_frames, window_starts


def lift_windows(
    predict: Callable[[np.ndarray], np.ndarray],
    clips: Sequence[np.ndarray],
    seq_len: int,
    num_targets: int,
    stride: int,
    batch_size: int = 64,
    causal: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[np.ndarray]:
    """Predict every frame of several clips with batches of windows.

    Windows of seq2frame models (one target) and of models with a few target frames
    start ``stride`` frames apart; those of seq2seq models (all frames are targets) are
    chunks, see :func:`chunk_starts`. Where targets overlap, predictions are averaged
    with :func:`blend_weights`: between two chunks one fades into the other. Batches mix
    the windows of all clips.

    Args:
        predict (Callable): Maps windows (B, seq_len, ...) to (B, num_targets, ...).
        clips (Sequence[np.ndarray]): Inputs, (T, ...) each, ``T`` at least 1; frames
            outside of a clip repeat its first or last.
        seq_len (int): Frames of a window.
        num_targets (int): Frames that a window predicts.
        stride (int): Frames from one window to the next, at most ``num_targets``.
        batch_size (int): Windows at once.
        causal (bool): Whether the targets are a window's last frames.
        progress (Callable, optional): Told how many clip frames have been predicted,
            in total.

    Returns:
        list[np.ndarray]: Predictions, (T, ...) each.

    Raises:
        ValueError: If frames would be left out.
    """
    if not 1 <= stride <= num_targets:
        raise ValueError(
            f'stride ({stride}) must be from 1 to the {num_targets} frames that a '
            'window predicts'
        )
    weights = blend_weights(num_targets)
    lengths = [len(clip) for clip in clips]
    is_whole = num_targets == seq_len > 1
    spread = chunk_starts if is_whole else window_starts
    starts = [spread(length, num_targets, stride) for length in lengths]
    clip_of = np.repeat(np.arange(len(clips)), [len(of_clip) for of_clip in starts])
    start_of = np.concatenate(starts)
    total, weight_sum = None, [np.zeros(length, np.float32) for length in lengths]

    for first in range(0, len(start_of), batch_size):
        batch = slice(first, first + batch_size)
        frames = window_frames(start_of[batch], seq_len, num_targets, causal)
        windows = [
            clips[clip][index.clip(0, lengths[clip] - 1)]
            for clip, index in zip(clip_of[batch], frames, strict=True)
        ]
        predicted = predict(np.stack(windows))
        if total is None:
            shape = predicted.shape[2:]
            total = [np.zeros((length, *shape), np.float32) for length in lengths]
        for clip, start, poses in zip(
            clip_of[batch], start_of[batch], predicted, strict=True
        ):
            inside = slice(max(-start, 0), min(lengths[clip] - start, num_targets))
            target = slice(start + inside.start, start + inside.stop)
            weight = weights[inside]
            total[clip][target] += poses[inside] * weight.reshape(-1, *[1] * len(shape))
            weight_sum[clip][target] += weight
        if progress is not None:
            progress(_frames_done(lengths, clip_of[batch][-1], start_of[batch][-1]))

    if progress is not None:
        progress(sum(lengths))
    return [
        poses / weight.reshape(-1, *[1] * (poses.ndim - 1))
        for poses, weight in zip(total, weight_sum, strict=True)
    ]


def _frames_done(lengths: list[int], clip: int, start: int) -> int:
    return sum(lengths[:clip]) + int(np.clip(start, 0, lengths[clip]))
