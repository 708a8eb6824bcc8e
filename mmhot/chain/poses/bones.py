"""Step ``bones``: give bones constant lengths."""

import logging
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from itertools import pairwise

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.chain.lifting.refinement import BoneErrors, keep_bone_lengths
from mmhot.chain.step import PoseStep
from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.geometry.outliers import list_frames
from mmhot.skeletons.joints import get_skeleton
from mmhot.structures.clips_3d import Clip3D

_LOGGER = logging.getLogger(__name__)
_BODY = get_skeleton('h36m-17')
# Chains of three joints with two rigid bones. The spine is left out: it has too few
# joints to be rigid.
_LIMBS = [
    _BODY.indices(f'{side}_{limb}')
    for limb in ('leg', 'arm')
    for side in ('left', 'right')
]


@dataclass(frozen=True, kw_only=True)
class KeepBones(PoseStep):
    """Step ``bones``: give bones constant lengths.

    In poses of other tools, only limbs with bones that change their length are
    corrected, and all other joints that are seen stay. If all limbs change, the whole
    body is corrected around its middle.
    """

    name = 'bones'
    of_people = True

    # Errors of poses from a camera, where depth is least certain
    errors: BoneErrors = BoneErrors()
    # Errors of the second fit, which makes the lengths constant
    rigid: BoneErrors = BoneErrors(across=1.0, length=0.01, rounds=6, halfway=True)
    # Seconds; window of the median of a person's size. 0.25 to 5 of it change errors of
    # other tools' poses (white noise, outliers, gaps, a noisy forearm) by .6 %. With
    # half of it, ankles of poses with slow errors move .5 % less evenly.
    size_window: float = 2.0
    # m; deviation of a bone's length from its median that a tenth of the frames exceed;
    # limbs with a larger one are wrong. CMU's motions have less than .001, and the
    # noise filter raises that to .003. 0.5 to 2 of it change these errors by 2 %; 10 of
    # it leave a forearm as it is (+25 %).
    max_change: float = 0.004
    # Difference of the variances of a limb's two bones, relative to the smaller one;
    # below it, only the joint between them moves. Without it, noise of an elbow moves
    # the wrist by 2 cm; errors stay from 0.5 to 2 of it.
    min_difference: float = 0.4
    # Variance of a limb's end, as a share of the middle joint's variance, for limbs in
    # which both joints err. Errors stay from 0.5 to 10 of it.
    end_variance: float = 0.01

    def __call__(self, clip: Clip3D) -> Clip3D:
        """Move joints so that bones have constant lengths.

        Poses of other tools in a camera's axes move mainly along the line of sight.
        """
        poses = clip.keypoints_3d.astype(np.float64)
        root = clip.root_3d.copy()
        count = _BODY.num_keypoints
        parents_of = {x: [clip.parents[x]] for x in range(count, len(clip.parents))}
        order = TopologicalSorter(parents_of).static_order()
        outwards = [joint for joint in order if joint in parents_of]
        for track in clip.track_ids:
            rows = clip.track == track
            new = self._keep_person(clip.take(rows), outwards)
            if new is not None:
                root[rows] += new[:, 0]
                poses[rows] = new - new[:, :1]
        kept = replace(clip, keypoints_3d=poses.astype(np.float32), root_3d=root)
        if not clip.model:
            _say_moves(clip, kept)
        return kept

    def _keep_person(self, person: Clip3D, outwards: list[int]) -> np.ndarray | None:
        """Give the bones of one person constant lengths.

        Of lifted poses, all joints may move. Of other poses, only joints of limbs that
        change their lengths and unseen joints do, unless all limbs change: then the
        size of the body is made constant, too, and its middle stays.

        Args:
            person (Clip3D): Poses of T frames.
            outwards (list[int]): Joints beyond Human3.6M's 17, parents first.

        Returns:
            np.ndarray | None: Joints relative to the root of ``person``, meters,
            (T, K, 3); None if no joint moves.
        """
        body = slice(_BODY.num_keypoints)
        is_seen = person.scores > 0
        old = person.keypoints_3d.astype(np.float64)
        sights = np.nan_to_num(person.root_3d)
        sights = np.where(sights.any(-1, keepdims=True), sights, [0, 0, 1])
        weights = None
        rigid = self.rigid
        is_moved = np.ones(old.shape[:2], bool)
        if not person.model:
            weights = self._variances(old[:, body], is_seen[:, body])
            if weights is None:
                old = old / _growth(old[:, body], person.fps, self.size_window)
                rigid = replace(rigid, rooted=False)
            else:
                rigid = replace(rigid, halfway=False)
                is_moved = ~is_seen
                is_moved[:, body] |= weights > 0
        if not is_moved.any():
            return None
        new = old.copy()
        if person.axes != 'world' and not person.model:
            # Our own lifters have done this already.
            new[:, body] = keep_bone_lengths(new[:, body], sights, self.errors, weights)
        new[:, body] = keep_bone_lengths(new[:, body], sights, rigid, weights)
        for joint in outwards:
            above = person.parents[joint]
            is_moved[:, joint] |= is_moved[:, above]
            bone = old[:, joint] - old[:, above]
            length = np.linalg.norm(bone, axis=-1, keepdims=True)
            scale = np.median(length) / length.clip(1e-6)
            new[:, joint] = new[:, above] + bone * scale
        if not person.model and weights is None:
            new += (old - new)[:, body].mean(1, keepdims=True)
        return np.where(is_moved[..., None], new, old)

    def _variances(self, body: np.ndarray, is_seen: np.ndarray) -> np.ndarray | None:
        """Estimate how much each joint may move, from the lengths of its limb's bones.

        A change that both bones of a limb have in common is attributed to the joint
        between them, the rest to the limb's ends.

        Args:
            body (np.ndarray): Human3.6M's joints, meters, (T, 17, 3).
            is_seen (np.ndarray): Joints that are seen, (T, 17) bool.

        Returns:
            np.ndarray | None: Relative variances, 0 where a joint must stay, (T, 17);
            None if all limbs change.
        """
        changes = np.full((len(_LIMBS), 2), np.nan)
        for limb, joints in enumerate(_LIMBS):
            for bone, ends in enumerate(pairwise(joints)):
                lengths = bone_lengths(body[is_seen[:, ends].all(1)], [ends])
                if len(lengths):
                    deviations = np.abs(lengths - np.median(lengths))
                    changes[limb, bone] = np.quantile(deviations, 0.9)
        is_known = np.isfinite(changes)
        is_wrong = changes >= self.max_change
        if is_wrong.any() and (is_wrong.any(1) == is_known.any(1)).all():
            return None
        variances = np.zeros(body.shape[:2])
        squares = np.where(is_wrong, changes, 0) ** 2
        for joints, (upper, lower) in zip(_LIMBS, squares, strict=True):
            shared = min(upper, lower)
            outer = np.array([upper, lower]) - shared
            outer[outer < self.min_difference * shared] = 0
            outer[1] += self.end_variance * shared
            variances[:, joints] = outer[0], shared, outer[1]
        variances /= max(squares.max(), self.max_change**2)
        # Bones of joints that are never seen have no length.
        variances[~is_seen & is_seen.any(0)] = 1.0
        variances[:, 0] = 0.0  # poses are relative to the root
        return variances


def _say_moves(clip: Clip3D, kept: Clip3D) -> None:
    """Warn how far joints that are seen moved, and in how many frames."""
    moved = np.linalg.norm(kept.places() - clip.places(), axis=-1)
    moved = np.where(clip.scores > 0, moved, 0)
    if moved.any():
        _LOGGER.info(
            '%s: bones get constant lengths: joints move by %.1f mm on average '
            '(frames: %s)',
            clip.name,
            1000 * moved.mean(0).mean(),
            list_frames(clip.joint_names, (moved > 0).sum(0)),
        )


def _growth(body: np.ndarray, fps: float, seconds: float) -> np.ndarray:
    """Measure the size of a body over time, relative to its median, (T, 1, 1).

    Root-relative poses (T, 17, 3) without a scale grow as people approach. Sizes are
    medians over some ``seconds``.
    """
    lengths = bone_lengths(body, _BODY.bones)
    usual = np.median(lengths, axis=0).clip(1e-6)
    size = np.median(lengths / usual, axis=1)
    window = min(max(round(seconds * fps), 1), len(size))
    size = scipy.ndimage.median_filter(size, window, mode='nearest')
    return size[:, None, None]
