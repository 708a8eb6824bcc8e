"""Other bodies and other skeleton definitions, in three dimensions."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
_LEG = _H36M.indices(['left_knee', 'left_foot'])
_HIPS = _H36M.indices(['left_hip', 'right_hip'])
_SHOULDERS = _H36M.indices(['left_shoulder', 'right_shoulder'])
_THORAX, _NECK, _HEAD = _H36M.indices(['thorax', 'neck_base', 'head'])
_MIDDLES = _H36M.indices(['root', 'thorax', 'spine'])
_ARMS = {
    side: _H36M.indices([f'{side}_{part}' for part in ('shoulder', 'elbow', 'wrist')])
    for side in ('left', 'right')
}


def _bone_matrix() -> np.ndarray:
    """Matrix (17, 17) from joints to the bones that end in them; the root stays."""
    matrix = np.eye(_H36M.num_keypoints, dtype=np.float32)
    for parent, joint in _H36M.bones:
        matrix[joint, parent] = -1
    return matrix


_TO_BONES = _bone_matrix()
_TO_JOINTS = np.linalg.inv(_TO_BONES).round()


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
        hip_width (tuple[float, float]): Factor on the hips' half width, uniform.
            Motion capture's hips are 7 to 10 cm from the middle, Human3.6M's 13 cm.
        shoulder_drop (tuple[float, float]): How far the arms are moved down the
            thorax, meters, uniform. CMU's shoulders are level with the thorax joint,
            other definitions' 5 to 8 cm below it.
        shoulder_inset (tuple[float, float]): How far they are moved inwards.
        drop_prob (float): Probability that the arms of a stretched body are moved.
    """

    def __init__(
        self,
        prob: float = 0.8,
        scale_std: float = 0.04,
        bone_std: float = 0.06,
        hip_width: tuple[float, float] = (0.9, 1.5),
        shoulder_drop: tuple[float, float] = (0.0, 0.08),
        shoulder_inset: tuple[float, float] = (-0.01, 0.03),
        drop_prob: float = 0.5,
    ) -> None:
        self.prob = prob
        self.scale_std = scale_std
        self.bone_std = bone_std
        self.hip_width = hip_width
        self.shoulder_drop = shoulder_drop
        self.shoulder_inset = shoulder_inset
        self.drop_prob = drop_prob

    def transform(self, results: dict) -> dict:
        """Stretch; see the class."""
        if np.random.rand() >= self.prob:
            return results
        joints = results['joints_world']
        stretch = (_TO_JOINTS * self.bone_factors()) @ _TO_BONES
        # one product for all frames is faster than one a frame
        by_joint = joints.swapaxes(0, 1)
        stretched = stretch @ by_joint.reshape(len(stretch), -1)
        stretched = stretched.reshape(by_joint.shape).swapaxes(0, 1).copy()
        if np.random.rand() < self.drop_prob:
            self.move_arms(stretched)
        results['joints_world'] = stretched
        return results

    def bone_factors(self) -> np.ndarray:
        """Factor on the bone that ends in each joint, and on the root's path, (17,)."""
        factor = np.random.normal(0, self.bone_std, _H36M.num_keypoints)
        factor = np.exp(factor + np.random.normal(0, self.scale_std))
        factor[_H36M.index('left_hip')] *= np.random.uniform(*self.hip_width)
        factor[_H36M.right] = factor[_H36M.left]
        factor[0] = factor[_LEG].mean()
        return factor.astype(np.float32)

    def move_arms(self, joints: np.ndarray) -> None:
        """Move whole arms of (T, 17, 3) in the thorax's axes, in place."""
        axes = shoulder_frame(joints)
        down = axes[:, 1] * np.float32(np.random.uniform(*self.shoulder_drop))
        inwards = axes[:, 0] * np.float32(np.random.uniform(*self.shoulder_inset))
        joints[:, _ARMS['left']] -= (down + inwards)[:, None]
        joints[:, _ARMS['right']] -= (down - inwards)[:, None]


# How the joints of a person's COCO-17 keypoints, converted with mapping='trained',
# lie beside motion capture's (docs/skeletons.md): mean and standard deviation over
# people in meters along the person's left, up and forward; a pair's are the left one's.
_DEFINITION = {
    'left_hip': ((0.0, -0.02, 0.015), (0.01, 0.01, 0.01)),
    'left_shoulder': ((-0.008, 0.0, 0.0), (0.01, 0.012, 0.01)),
    'neck_base': ((0.0, 0.0, 0.0), (0.005, 0.008, 0.008)),
    'head': ((0.0, 0.0, 0.005), (0.01, 0.01, 0.015)),
}


@TRANSFORMS.register_module()
class ApproximateJoints(BaseTransform):
    """See a person as a COCO detector does, whose skeleton lacks five joints.

    The detector's hips, shoulders, neck and head lie elsewhere than motion capture's,
    by an amount that depends on person and clothes (drawn once a window); root,
    thorax and spine are midpoints of hips and shoulders, as
    ``convert_keypoints(..., mapping='trained')`` makes them. The 3D target keeps the
    true joints. Required: ``joints_world`` (T, 17, 3); added: ``observed_world``, for
    :class:`ProjectToVirtualCamera`.

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
        head = head_frame(joints)
        frames = dict(
            left_hip=hip_frame(joints),
            left_shoulder=shoulder_frame(joints),
            neck_base=head,
            head=head,
        )
        observed = joints.copy()
        for name, (mean, std) in _DEFINITION.items():
            offset = np.array(mean) + np.random.normal(size=3) * std
            offset = (offset * self.strength).astype(np.float32)
            axes = frames[name]
            joint = _H36M.index(name)
            observed[:, joint] += offset @ axes
            if name.startswith('left_'):
                offset[0] *= -1
                observed[:, _H36M.flip_indices[joint]] += offset @ axes
        fill_midpoints(observed)
        results['observed_world'] = observed
        return results


def fill_midpoints(joints: np.ndarray) -> None:
    """Make root, thorax and spine of hips and shoulders, in place.

    Args:
        joints (np.ndarray): Joints in two or three dimensions, (T, 17, C).
    """
    hips = (joints[:, _HIPS[0]] + joints[:, _HIPS[1]]) / 2
    shoulders = (joints[:, _SHOULDERS[0]] + joints[:, _SHOULDERS[1]]) / 2
    for joint, middle in zip(
        _MIDDLES, (hips, shoulders, (hips + shoulders) / 2), strict=True
    ):
        joints[:, joint] = middle


def hip_frame(joints: np.ndarray) -> np.ndarray:
    """Rows left, up, forward of the pelvis of (T, 17, 3), (T, 3, 3)."""
    return _torso_frame(joints, *_HIPS, *_H36M.indices(['root', 'thorax']))


def shoulder_frame(joints: np.ndarray) -> np.ndarray:
    """Rows left, up, forward of the thorax of (T, 17, 3), (T, 3, 3)."""
    return _torso_frame(joints, *_SHOULDERS, *_H36M.indices(['spine', 'thorax']))


def head_frame(joints: np.ndarray) -> np.ndarray:
    """Rows left, up, forward of the head of (T, 17, 3), (T, 3, 3)."""
    thorax = joints[:, _THORAX]
    # the neck joint lies in front of the line from thorax to head
    up, left, forward = _axes(joints[:, _HEAD] - thorax, joints[:, _NECK] - thorax)
    return np.array([left, up, forward]).transpose(2, 0, 1)


def _torso_frame(joints: np.ndarray, left: int, right: int, below: int, above: int):
    left, forward, up = _axes(
        joints[:, left] - joints[:, right], joints[:, above] - joints[:, below]
    )
    return np.array([left, up, forward]).transpose(2, 0, 1)


def _axes(along: np.ndarray, beside: np.ndarray) -> tuple[np.ndarray, ...]:
    """Unit vectors, (3, T) each: along, across both of (T, 3), across these two."""
    first = _unit(along.T)
    second = _unit(_cross(first, beside.T))
    return first, second, _cross(second, first)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of (3, T); np.cross takes several times as long."""
    return np.array(
        [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ]
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (3, T) at length one."""
    length = np.sqrt((vectors * vectors).sum(0))
    return vectors / np.maximum(length, 1e-6)
