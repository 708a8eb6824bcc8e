"""Step ``bones``: bones of constant lengths."""

import logging
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import pairwise

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.geometry.outliers import list_frames
from mmhot.lifting.refinement import BoneErrors, keep_bone_lengths
from mmhot.skeletons.joints import get_skeleton
from mmhot.step import PoseStep
from mmhot.structures.clips_3d import Clip3D

_LOGGER = logging.getLogger(__name__)
_BODY = get_skeleton('h36m-17')
# Chains of three joints with two rigid bones, whatever a spine of few joints does.
_LIMBS = [
    _BODY.indices(f'{side}_{limb}')
    for limb in ('leg', 'arm')
    for side in ('left', 'right')
]


@dataclass(frozen=True, kw_only=True)
class KeepBones(PoseStep):
    """Step ``bones``: bones get constant lengths.

    In poses of other tools, limbs whose lengths change get constant ones, and all other
    joints that are seen stay. Where all limbs change, the whole body does, around its
    middle.
    """

    name, of_people = 'bones', True

    errors: BoneErrors = BoneErrors()  # of a camera's, whose depth is least certain
    rigid: BoneErrors = BoneErrors(across=1.0, length=0.01, rounds=6, halfway=True)
    growth: float = 1.0  # seconds over which the size of a person is measured
    # Change of a bone in a tenth of the frames from which its limb is wrong, meters:
    # motions of CMU have less than .001, of which the filter of noise makes .003
    change: float = 0.004
    # Difference of the variances of a limb's bones, relative to the smaller one, up to
    # which the joint between them alone moves
    alike: float = 0.4
    reach: float = 0.01  # least variance of a limb's end, relative to the joint between

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Move joints, those of other tools rather along the line of sight."""
        poses, count = clip.keypoints_3d.astype(np.float64), _BODY.num_keypoints
        places, is_seen = clip.root_3d.copy(), clip.scores > 0
        has_sights = clip.axes != 'world' and not clip.model
        above_of = {x: [clip.parents[x]] for x in range(count, len(clip.parents))}
        order = TopologicalSorter(above_of).static_order()
        outwards = [joint for joint in order if joint in above_of]
        for track in clip.track_ids:
            rows = clip.track == track
            old, sights = poses[rows], np.nan_to_num(clip.root_3d[rows])
            sights = np.where(sights.any(-1, keepdims=True), sights, [0, 0, 1])
            weights, rigid = None, self.rigid
            is_moved = np.ones(old.shape[:2], bool)
            if not clip.model:
                weights = self._variances(old[:, :count], is_seen[rows, :count])
                if weights is None:
                    old = old / _growth(old[:, :count], clip.fps, self.growth)
                else:
                    rigid = replace(rigid, halfway=False)
                    is_moved = ~is_seen[rows]
                    is_moved[:, :count] |= weights > 0
            if not is_moved.any():
                continue
            new = old.copy()
            if has_sights:  # lifters do the same
                new[:, :count] = keep_bone_lengths(
                    new[:, :count], sights, self.errors, weights
                )
            new[:, :count] = keep_bone_lengths(new[:, :count], sights, rigid, weights)
            for joint in outwards:
                above = clip.parents[joint]
                is_moved[:, joint] |= is_moved[:, above]
                bone = old[:, joint] - old[:, above]
                length = np.linalg.norm(bone, axis=-1, keepdims=True)
                scale = np.median(length) / length.clip(1e-6)
                new[:, joint] = new[:, above] + bone * scale
            if not clip.model and weights is None:
                new += (old - new)[:, :count].mean(1, keepdims=True)
            new = np.where(is_moved[..., None], new, old)
            places[rows] += new[:, 0]
            poses[rows] = new - new[:, :1]
        kept = replace(clip, keypoints_3d=poses.astype(np.float32), root_3d=places)
        if not clip.model:
            _say_moves(clip, kept)
        return kept

    def _variances(self, body: np.ndarray, is_seen: np.ndarray) -> np.ndarray | None:
        """Return relative variances of joints, (T, 17), by what their limbs show.

        Bones with both ends seen, (T, 17), show it. What both bones of a limb share is
        of the joint between them. None if all limbs change.
        """
        changes = np.full((len(_LIMBS), 2), np.nan)
        for limb, joints in enumerate(_LIMBS):
            for bone, ends in enumerate(pairwise(joints)):
                lengths = bone_lengths(body[is_seen[:, ends].all(1)], [ends])
                if len(lengths):
                    off = np.abs(lengths - np.median(lengths))
                    changes[limb, bone] = np.quantile(off, 0.9)
        is_known = np.isfinite(changes)
        is_wrong = changes >= self.change
        if is_wrong.any() and (is_wrong.any(1) == is_known.any(1)).all():
            return None
        variances = np.zeros(body.shape[:2])
        squares = np.where(is_wrong, changes, 0) ** 2
        for joints, (upper, lower) in zip(_LIMBS, squares, strict=True):
            shared = min(upper, lower)
            outer = np.array([upper, lower]) - shared
            outer[outer < self.alike * shared] = 0
            outer[1] += self.reach * shared
            variances[:, joints] = outer[0], shared, outer[1]
        variances /= max(squares.max(), self.change**2)
        variances[~is_seen] = 1.0
        variances[:, 0] = 0.0  # poses are relative to the root
        return variances


def _say_moves(clip: Clip3D, kept: Clip3D) -> None:
    """Say how far joints that are seen moved, and which ones."""
    moved = np.linalg.norm(kept.places() - clip.places(), axis=-1)
    moved = np.where(clip.scores > 0, moved, 0)
    if moved.any():
        text = '%s: bones of constant lengths: joints move by %.1f mm on average (%s)'
        means = 1000 * moved.mean(0)
        listed = list_frames(clip.joint_names, (moved > 0).sum(0))
        _LOGGER.warning(text, clip.name, means.mean(), listed)


def _growth(body: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Return the size of bodies (T, 17, 3) over time, 1 at its median, (T, 1, 1).

    Root-relative poses without a scale grow with people who approach.
    """
    lengths = bone_lengths(body, _BODY.bones)
    usual = np.median(lengths, axis=0).clip(1e-6)
    size = np.median(lengths / usual, axis=1)
    window = min(max(round(seconds * fps), 1), len(size))
    size = scipy.ndimage.median_filter(size, window, mode='nearest')
    return size[:, None, None]
