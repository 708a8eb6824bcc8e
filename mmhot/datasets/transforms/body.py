"""Other bodies and other skeleton definitions, in three dimensions."""


import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.skeletons import get_skeleton

_H36M = get_skeleton('h36m-17')


@TRANSFORMS.register_module()
class RandomBoneLengths(BaseTransform):
    """Give the window's person other proportions: same angles, other bones.

    Left and right stay alike. The root's path is scaled with the legs, so that feet
    stay on the floor and do not skate more than they did. Modified key:
    ``joints_world`` (T, 17, 3).

    Args:
        prob (float): Probability.
        scale_std (float): Standard deviation of the log of the whole body's scale.
        bone_std (float): The same of each bone (pair) in addition.
        hip_std (float): The same of the hips' half width, which differs most between
            people and between definitions of the joint.
    """

    def __init__(
        self,
        prob: float = 0.8,
        scale_std: float = 0.04,
        bone_std: float = 0.06,
        hip_std: float = 0.15,
    ) -> None:
        self.prob = prob
        self.scale_std = scale_std
        self.bone_std = np.full(_H36M.num_keypoints, bone_std)
        self.bone_std[_H36M.indices(['right_hip', 'left_hip'])] = hip_std
        self.legs = _H36M.indices(['right_knee', 'right_foot'])

    def transform(self, results: dict) -> dict:
        """Stretch; see the class."""
        if np.random.rand() >= self.prob:
            return results
        factor = np.random.normal(0, self.bone_std)
        factor += np.random.normal(0, self.scale_std)
        factor = np.exp(factor).astype(np.float32)
        for left, right in _H36M.flip_pairs:
            factor[left] = factor[right]

        joints = results['joints_world']
        stretched = np.empty_like(joints)
        legs = factor[self.legs].mean()
        stretched[:, 0] = joints[:, 0] * legs
        for parent, joint in _H36M.bones:
            bone = joints[:, joint] - joints[:, parent]
            stretched[:, joint] = stretched[:, parent] + bone * factor[joint]
        results['joints_world'] = stretched
        return results


# How the joints of people's COCO-17 keypoints, converted with mapping='trained',
# differ from motion capture's: mean and standard deviation over people in metres
# along the person's left, up and forward; pairs are of the left joint.
_DEFINITION = {
    'left_hip': ((0.02, 0.01, 0.0), (0.02, 0.015, 0.015)),
    'left_shoulder': ((0.0, 0.0, 0.0), (0.015, 0.015, 0.015)),
    'neck_base': ((0.0, 0.0, 0.02), (0.005, 0.02, 0.02)),
    'head': ((0.0, 0.0, 0.0), (0.005, 0.02, 0.02)),
}


@TRANSFORMS.register_module()
class ApproximateJoints(BaseTransform):
    """See a person as a COCO detector does, whose skeleton lacks five joints.

    The detector's hips, shoulders, neck and head lie elsewhere than motion capture's,
    by an amount that depends on person and clothes (drawn once a window); root,
    thorax and spine are midpoints of hips and shoulders, as
    ``convert_keypoints(..., mapping='trained')`` makes them. The 3D target keeps the
    true joints. Required: ``joints_world`` (T, 17, 3); added: ``observed_world``, for
    :class:`VirtualCamera`.

    Args:
        prob (float): Probability; other windows show the true joints.
        strength (float): Factor on the definitions' differences.
    """

    def __init__(self, prob: float = 0.7, strength: float = 1.0) -> None:
        self.prob = prob
        self.strength = strength

    def transform(self, results: dict) -> dict:
        """Approximate; see the class."""
        if np.random.rand() >= self.prob:
            return results
        joints = results['joints_world']
        frames = dict(
            hip=_body_frame(joints, 'left_hip', 'right_hip', 'root', 'thorax'),
            shoulder=_body_frame(
                joints, 'left_shoulder', 'right_shoulder', 'spine', 'thorax'
            ),
            head=_head_frame(joints),
        )
        observed = joints.copy()
        for name, (mean, std) in _DEFINITION.items():
            offset = np.array(mean) + np.random.normal(size=3) * std
            offset = (offset * self.strength).astype(np.float32)
            part = name.removeprefix('left_')
            axes = frames.get(part, frames['head'])
            joint = _H36M.index(name)
            observed[:, joint] += offset @ axes
            if name.startswith('left_'):
                offset[0] *= -1
                observed[:, _H36M.flip_indices[joint]] += offset @ axes
        _fill_midpoints(observed)
        results['observed_world'] = observed
        return results


def _fill_midpoints(joints: np.ndarray) -> None:
    """Make root, thorax and spine of hips and shoulders, in place."""
    at = _H36M.index
    hips = joints[:, [at('left_hip'), at('right_hip')]].mean(1)
    shoulders = joints[:, [at('left_shoulder'), at('right_shoulder')]].mean(1)
    joints[:, at('root')] = hips
    joints[:, at('thorax')] = shoulders
    joints[:, at('spine')] = (hips + shoulders) / 2


def _body_frame(
    joints: np.ndarray, left: str, right: str, below: str, above: str
) -> np.ndarray:
    """Rows left, up, forward of a body part, (T, 3, 3)."""
    at = _H36M.index
    leftward = _unit(joints[:, at(left)] - joints[:, at(right)])
    upward = joints[:, at(above)] - joints[:, at(below)]
    forward = _unit(np.cross(leftward, upward))
    return np.stack([leftward, np.cross(forward, leftward), forward], 1)


def _head_frame(joints: np.ndarray) -> np.ndarray:
    """Rows left, up, forward of the head, (T, 3, 3)."""
    at = _H36M.index
    upward = _unit(joints[:, at('head')] - joints[:, at('thorax')])
    # the neck joint lies in front of the line from thorax to head
    nose = joints[:, at('neck_base')] - joints[:, at('thorax')]
    leftward = _unit(np.cross(upward, nose))
    return np.stack([leftward, upward, np.cross(leftward, upward)], 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-6)
