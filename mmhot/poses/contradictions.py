"""Poses that contradict themselves: sides that change, sizes that do, single bones."""

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
# Rigid bones, whatever a spine of few joints does.
_BONES = [
    bone
    for joints in _LIMBS.values()
    for bone in _BODY.bones
    if set(bone) <= set(joints)
]


@dataclass(frozen=True)
class Contradictions:
    """What no person does; larger values find less."""

    apart: float = 0.1  # mean step of limbs whose sides are exchanged, m
    closer: float = 3.0  # ratio of it to the step with sides exchanged back
    growth: float = 1.15  # ratio of sizes in a motion
    units: float = 5.0  # ratio of sizes that are rather those of two units
    lasts: float = 0.5  # seconds for which a size lasts
    change: float = 0.2  # of a bone's length, relative to that of the person
    share: float = 0.3  # of frames in which a single bone is so wrong
    others: float = 0.05  # the same of most bones, at most


def find_contradictions(
    body: np.ndarray,
    frames: np.ndarray,
    fps: float,
    limits: Contradictions = Contradictions(),
) -> Iterator[str]:
    """Yield what contradicts itself in a motion, in words.

    Bodies (T, 17, 3) are in meters, NaN where unknown, of frame numbers (T,).
    """
    relative = body - body[:, :1]
    for limb, joints in _LIMBS.items():
        now, others = relative[1:, joints], relative[1:, _BODY.flip_indices][:, joints]
        keep, swap = (
            np.linalg.norm(x - relative[:-1, joints], axis=-1).mean(1)
            for x in (now, others)
        )
        is_swapped = (keep > limits.apart) & (keep > limits.closer * swap)
        if is_swapped.any():
            begins = list_spans(frames[1:][is_swapped])
            yield f'left and right of {limb} change places in frame {begins}'
    lengths = bone_lengths(body, _BONES)
    with ignored_warnings():  # of bones and frames that are not known
        ratios = lengths / np.nanmedian(lengths, axis=0)
        sizes = np.nanmedian(ratios, axis=1)
        is_wrong = np.abs(ratios / sizes[:, None] - 1) > limits.change
    seen = np.isfinite(ratios).sum(0)
    shares = is_wrong.sum(0) / seen.clip(1)
    known = np.isfinite(sizes)
    if not known.any():
        return
    window = max(round(limits.lasts * fps), 1)
    lasting = scipy.ndimage.median_filter(sizes[known], window, mode='nearest')
    growth = lasting.max() / lasting.min()
    if growth > limits.growth:
        begin = frames[known][1:][np.abs(np.diff(np.log(lasting))).argmax()]
        cause = ', as if its unit does' if growth > limits.units else ''
        yield f'its size changes by a factor of {growth:.3g} at frame {begin}{cause}'
    elif np.median(shares) < limits.others:
        for bone in np.flatnonzero(shares > limits.share).tolist():
            above, joint = (_BODY.joints[x] for x in _BONES[bone])
            share = f'in {100 * shares[bone]:.0f} % of the frames'
            change = f'by over {100 * limits.change:.0f} % {share}'
            yield f'the length from {above} to {joint} changes {change}'
