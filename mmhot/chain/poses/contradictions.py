"""Contradictions in poses of other tools: sides that change places."""

from collections.abc import Iterator

import numpy as np

from mmhot.geometry.outliers import list_spans
from mmhot.skeletons.joints import get_skeleton

_BODY = get_skeleton('h36m-17')
_LIMBS = {
    limb: _BODY.indices(
        [f'{side}_{part}' for side in ('left', 'right') for part in parts]
    )
    for limb, parts in (
        ('legs', ('hip', 'knee', 'foot')),
        ('arms', ('shoulder', 'elbow', 'wrist')),
    )
}
# m; mean step of a limb's joints from frame to frame, above which sides may have
# changed places
_MIN_STEP = 0.1
# The same step, relative to the step with left and right exchanged; above it, they have
_MIN_STEP_RATIO = 3.0


def find_contradictions(body: np.ndarray, frames: np.ndarray) -> Iterator[str]:
    """Describe where left and right change places in a motion.

    Args:
        body (np.ndarray): Human3.6M's joints, meters, NaN where unknown, (T, 17, 3).
        frames (np.ndarray): Frame numbers, (T,).

    Yields:
        str: One contradiction in words.
    """
    relative = body - body[:, :1]
    mirrored = relative[:, _BODY.flip_indices]
    for limb, joints in _LIMBS.items():
        before = relative[:-1, joints]
        step = np.linalg.norm(relative[1:, joints] - before, axis=-1).mean(1)
        swapped = np.linalg.norm(mirrored[1:, joints] - before, axis=-1).mean(1)
        is_swapped = step > np.maximum(_MIN_STEP, _MIN_STEP_RATIO * swapped)
        if is_swapped.any():
            begins = list_spans(frames[1:][is_swapped])
            yield f'left and right of {limb} change places in frame {begins}'
