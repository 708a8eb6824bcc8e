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

    # Meters; sides change places if the joints of a limb step farther than this on
    # average, ...
    min_step: float = 0.1
    # ... and by this many times their step with left and right exchanged.
    min_step_ratio: float = 3.0
    max_growth: float = 1.15  # ratio of the largest to the smallest size in a motion
    max_unit_growth: float = 5.0  # a larger ratio suggests that the unit changes
    window: float = 0.5  # seconds; window of the median of sizes, which must last


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
    for limb, joints in _LIMBS.items():
        now, others = relative[1:, joints], relative[1:, _BODY.flip_indices][:, joints]
        keep, swap = (
            np.linalg.norm(x - relative[:-1, joints], axis=-1).mean(1)
            for x in (now, others)
        )
        is_swapped = keep > np.maximum(limits.min_step, limits.min_step_ratio * swap)
        if is_swapped.any():
            begins = list_spans(frames[1:][is_swapped])
            yield f'left and right of {limb} change places in frame {begins}'
    lengths = bone_lengths(body, _BONES)
    with ignored_warnings():  # bones and frames may be unknown in all of an axis
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
        cause = ', as if its unit does' if growth > limits.max_unit_growth else ''
        yield f'its size changes by a factor of {growth:.3g} at frame {begin}{cause}'
