"""Contradictions in poses of other tools: sides or sizes that change."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.errors import ignored_warnings
from mmhot.geometry.keypoint_arrays import bone_lengths
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
# Rigid bones. The spine is left out: it has too few joints to be rigid.
_BONES = [
    bone
    for joints in _LIMBS.values()
    for bone in _BODY.bones
    if set(bone) <= set(joints)
]


@dataclass(frozen=True)
class Contradictions:
    """Limits that no person exceeds; higher values find fewer contradictions."""

    # m; mean step of a limb's joints from frame to frame, above which sides may have
    # changed places
    min_step: float = 0.1
    # The same step, relative to the step with left and right exchanged; above it, they
    # have
    min_step_ratio: float = 3.0
    max_growth: float = 1.15  # ratio of the largest to the smallest size in a motion
    max_unit_growth: float = 5.0  # a larger ratio suggests that the unit changes
    window: float = 0.5  # seconds; window of the median of sizes; shorter changes pass


def find_contradictions(
    body: np.ndarray,
    frames: np.ndarray,
    fps: float,
    limits: Contradictions = Contradictions(),
) -> Iterator[str]:
    """Describe the contradictions in a motion.

    Args:
        body (np.ndarray): Human3.6M's joints, meters, NaN where unknown, (T, 17, 3).
        frames (np.ndarray): Frame numbers, (T,).
        fps (float): Frames per second.
        limits (Contradictions): Limits that no person exceeds.

    Yields:
        str: One contradiction in words.
    """
    relative = body - body[:, :1]
    mirrored = relative[:, _BODY.flip_indices]
    for limb, joints in _LIMBS.items():
        before = relative[:-1, joints]
        step = np.linalg.norm(relative[1:, joints] - before, axis=-1).mean(1)
        swapped = np.linalg.norm(mirrored[1:, joints] - before, axis=-1).mean(1)
        is_swapped = step > np.maximum(limits.min_step, limits.min_step_ratio * swapped)
        if is_swapped.any():
            begins = list_spans(frames[1:][is_swapped])
            yield f'left and right of {limb} change places in frame {begins}'
    lengths = bone_lengths(body, _BONES)
    with ignored_warnings():  # all lengths of a bone, or in a frame, may be unknown
        ratios = lengths / np.nanmedian(lengths, axis=0)
        sizes = np.nanmedian(ratios, axis=1)
    known = np.isfinite(sizes)
    if not known.any():
        return
    window = max(round(limits.window * fps), 1)
    lasting = scipy.ndimage.median_filter(sizes[known], window, mode='nearest')
    growth = lasting.max() / lasting.min()
    if growth > limits.max_growth:
        begin = frames[known][1:][np.abs(np.diff(np.log(lasting))).argmax()]
        cause = ', as if the unit does' if growth > limits.max_unit_growth else ''
        yield f'the size changes by a factor of {growth:.3g} at frame {begin}{cause}'
