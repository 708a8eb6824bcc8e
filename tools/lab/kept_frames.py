"""Which frames of a clip a hourglass lifter keeps."""

import numpy as np
import torch

from mmhot.clips import Clip2D
from mmhot.lifting.lifter import Lifter
from mmhot.models.tokens.pruners import ClusterPruner, MotionPruner, UniformPruner

_PRUNERS = {
    'clusters': ClusterPruner,
    'uniform': UniformPruner,
    'motion': MotionPruner,
}


@torch.no_grad()
def trace_frames(
    lifter: Lifter, clip: Clip2D, start: int = 0
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run a lifter with a pruner on one window of a clip's first person.

    Args:
        lifter (Lifter): One whose model has a pruner.
        clip (Clip2D): 2D keypoints.
        start (int): First frame of the window, at the model's frame rate. Frames
            after the last one repeat it.

    Returns:
        tuple[np.ndarray, dict[str, np.ndarray]]: The window's 2D poses, pixels,
        (T, 17, 2), and the frames, from 0 to T - 1, that the model's first pruner
        keeps and that others would keep there: 'clusters' (TPC), 'uniform' (TPS),
        'motion' (TPMo) and, if the model's is none of these, 'model'.

    Raises:
        ValueError: If the model keeps all frames, or the clip has fewer than
            ``start``.
    """
    segment = lifter.prepare(clip)[0]
    times = clip.times_of(segment.frames)
    keypoints = lifter.to_model_rate(lifter.keypoints_of(segment), times)
    if not 0 <= start < len(keypoints):
        raise ValueError(f'start must be from 0 to {len(keypoints) - 1}, got {start}')
    frames = np.arange(start, start + lifter.seq_len).clip(max=len(keypoints) - 1)
    window = keypoints[frames]
    camera = dict(w=clip.width, h=clip.height)
    inputs, _ = lifter.encode(window[None], camera)
    if not lifter.model.pruners:
        raise ValueError(f'{lifter.name} has no pruner: it keeps all frames')
    pruner, calls = lifter.model.pruners[0], []
    hook = pruner.register_forward_hook(
        lambda _, given, kept: calls.append([*given, kept])
    )
    try:
        lifter.model.extract_feat(inputs)
    finally:
        hook.remove()
    [(seen, num_keep, own)] = calls
    kept = {name: kind(num_keep, 0)(seen) for name, kind in _PRUNERS.items()}
    if type(pruner) not in _PRUNERS.values():
        kept['model'] = own
    kept = {name: index[0].cpu().numpy() for name, index in kept.items()}
    return window[..., :2], kept
