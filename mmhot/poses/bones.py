"""Step ``bones``: bones of constant lengths."""

from dataclasses import dataclass, replace
from graphlib import TopologicalSorter

import numpy as np
import scipy  # its modules are loaded at first use

from mmhot.geometry.keypoint_arrays import bone_lengths
from mmhot.lifting.refinement import BoneErrors, keep_bone_lengths
from mmhot.skeletons.joints import get_skeleton
from mmhot.step import PoseStep
from mmhot.structures.clips_3d import Clip3D

_BODY = get_skeleton('h36m-17')
# Bones that are rigid, whatever a spine of few joints does.
_LIMBS = [
    bone
    for bone in _BODY.bones
    if _BODY.joints[bone[1]].endswith(('knee', 'foot', 'elbow', 'wrist'))
]


def is_finished(clip: Clip3D) -> bool:
    """Return whether mmhot lifted or refined a clip."""
    return bool(clip.model) or 'bones' in clip.steps


@dataclass(frozen=True, kw_only=True)
class KeepBones(PoseStep[object]):
    """Step ``bones``: bones get constant lengths.

    In poses of other tools the middle of all joints stays where it is; where limbs that
    are seen have constant lengths, all joints that are seen do.
    """

    name, of_people = 'bones', True

    errors: BoneErrors = BoneErrors()  # of a camera's, whose depth is least certain
    rigid: BoneErrors = BoneErrors(across=1.0, length=0.01, rounds=6, halfway=True)
    growth: float = 1.0  # seconds over which the size of a person is measured
    # Change of a limb in a tenth of the frames from which bones are wrong, meters:
    # motions of CMU have less than .001, of which the filter of noise makes .003
    change: float = 0.004

    def __call__(self, clip: Clip3D, lifted: object = None) -> Clip3D:
        """Move joints, those of other tools rather along the line of sight."""
        poses, count = clip.keypoints_3d.astype(np.float64), _BODY.num_keypoints
        places, is_seen = clip.root_3d.copy(), clip.scores > 0
        has_sights = clip.axes != 'world' and not is_finished(clip)
        above_of = {x: [clip.parents[x]] for x in range(count, len(clip.parents))}
        order = TopologicalSorter(above_of).static_order()
        outwards = [joint for joint in order if joint in above_of]
        for track in clip.track_ids:
            rows = clip.track == track
            old, sights = poses[rows], np.nan_to_num(clip.root_3d[rows])
            sights = np.where(sights.any(-1, keepdims=True), sights, [0, 0, 1])
            is_kept = is_seen[rows] & (_change(old, is_seen[rows]) < self.change)
            if not is_finished(clip):
                if is_kept.all():
                    continue
                old = old / _growth(old[:, :count], clip.fps, self.growth)
            new = old.copy()
            if has_sights:  # lifters do the same
                new[:, :count] = keep_bone_lengths(new[:, :count], sights, self.errors)
            new[:, :count] = keep_bone_lengths(new[:, :count], sights, self.rigid)
            for joint in outwards:
                above = clip.parents[joint]
                bone = old[:, joint] - old[:, above]
                length = np.linalg.norm(bone, axis=-1, keepdims=True)
                scale = np.median(length) / length.clip(1e-6)
                new[:, joint] = new[:, above] + bone * scale
            if not is_finished(clip):
                new += (old - new)[:, :count].mean(1, keepdims=True)
                new = np.where(is_kept[..., None], poses[rows], new)
            places[rows] += new[:, 0]
            poses[rows] = new - new[:, :1]
        kept = replace(clip, keypoints_3d=poses.astype(np.float32), root_3d=places)
        moved = np.linalg.norm(kept.places() - clip.places(), axis=-1)
        if moved.any() and not is_finished(clip):
            text = f'{clip.name}: bones of constant lengths: joints move by '
            self.report.say(f'{text}{1000 * moved.mean():.1f} mm on average')
        return kept


def _change(body: np.ndarray, is_seen: np.ndarray) -> float:
    """Return by how much the worst limb of (T, K, 3) changes in a tenth of frames.

    Only the frames count in which both of its ends are seen, (T, K).
    """
    lengths = bone_lengths(body, _LIMBS)
    ends = np.all(is_seen[:, np.array(_LIMBS)], axis=-1)
    seen = [x[rows] for x, rows in zip(lengths.T, ends.T, strict=True) if rows.any()]
    changes = (np.quantile(np.abs(x - np.median(x)), 0.9) for x in seen)
    return float(max(changes, default=0))


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
