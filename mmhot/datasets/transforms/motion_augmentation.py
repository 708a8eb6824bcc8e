"""Augmentation of motions: body recombination, time reversal and frame rate."""

from dataclasses import dataclass

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from mmhot.geometry.windows import resample
from mmhot.skeletons.joints import get_skeleton

_H36M = get_skeleton('h36m-17')
_HIPS = _H36M.indices(['left_hip', 'right_hip'])
_THORAX = _H36M.index('thorax')
# Least cosine of the angle between trunk and vertical in a window that is recombined.
_UPRIGHT = 0.5
_LEGS = ('root', 'hip', 'knee', 'foot')
_UPPER = [index for index, name in enumerate(_H36M.joints) if not name.endswith(_LEGS)]


@TRANSFORMS.register_module()
@dataclass(eq=False)
class RandomBodyRecombination(BaseTransform):
    """Combine a window's legs with the trunk, head and arms of another window.

    Motion capture has few motions, but legs and arms move almost independently. In each
    frame the upper body is turned about the vertical until both pelves face the same
    way. A window stays as it is if a person is not upright.

    Required keys: ``joints_world`` (T, 17, 3), meters, z up, and ``draw_window``, a
    function that returns another window's ``joints_world``. Modified key:
    ``joints_world``.
    """

    prob: float = 0.3  # probability that a window is recombined

    def transform(self, results: dict) -> dict:
        """Recombine; see the class."""
        if np.random.rand() >= self.prob:
            return results
        legs = results['joints_world']
        upper = results['draw_window']()
        if min(_uprightness(legs), _uprightness(upper)) < _UPRIGHT:
            return results
        turned = _turn(upper - upper[:, :1], _heading(legs) - _heading(upper))
        joints = legs.copy()
        joints[:, _UPPER] = turned[:, _UPPER] + legs[:, :1]
        results['joints_world'] = joints
        return results


def _uprightness(joints: np.ndarray) -> float:
    """Return the least cosine between the trunk of (T, 17, 3) and the vertical."""
    trunk = joints[:, _THORAX] - joints[:, 0]
    return float((trunk[:, 2] / np.linalg.norm(trunk, axis=-1).clip(1e-6)).min())


def _heading(joints: np.ndarray) -> np.ndarray:
    """Return the pelvis's angle about the vertical, radians, (T,), of (T, 17, 3)."""
    left, right = _HIPS
    across = joints[:, left] - joints[:, right]
    return np.arctan2(across[:, 1], across[:, 0])


def _turn(joints: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Turn joints (T, 17, 3), z up, about the vertical by angles (T,) in radians."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = joints[..., 0], joints[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y, joints[..., 2]], -1)


@TRANSFORMS.register_module()
@dataclass(eq=False)
class RandomTimeReversal(BaseTransform):
    """Reverse the order of a window's frames.

    Modified keys: ``joints_world`` (T, 17, 3) and ``lifting_target_visible`` (T', K).
    The target frames must be in the middle of the window.
    """

    prob: float = 0.3  # probability that a window is reversed

    def transform(self, results: dict) -> dict:
        """Reverse; see the class."""
        if np.random.rand() < self.prob:
            for key in ('joints_world', 'lifting_target_visible'):
                results[key] = np.ascontiguousarray(results[key][::-1])
        return results


@TRANSFORMS.register_module()
@dataclass(eq=False)
class RandomFrameRate(BaseTransform):
    """Resample a window's 2D poses to another frame rate and back.

    Videos have 24 to 60 frames per second and are resampled linearly to the lifter's
    rate. This transform simulates the loss of detail, with a random phase. Rates above
    the window's own rate change nothing.

    Required key: ``fps``. Modified keys: ``keypoints`` (T, K, 2),
    ``keypoints_visible`` (T, K).
    """

    fps: tuple[float, float] = (24.0, 60.0)  # range of frame rates, drawn uniformly
    prob: float = 1.0  # probability that a window is resampled

    def transform(self, results: dict) -> dict:
        """Resample; see the class."""
        if np.random.rand() >= self.prob:
            return results
        step = results['fps'] / np.random.uniform(*self.fps)
        phase = np.random.rand() * step
        if step <= 1:
            return results
        num_frames = len(results['keypoints'])
        # Both ends of the window are sampled, too, as nothing is known beyond them.
        sampled = np.arange(phase - step, num_frames - 1 + step, step)
        sampled = np.clip(sampled, 0, num_frames - 1)
        back = np.interp(np.arange(num_frames), sampled, np.arange(len(sampled)))
        for key in ('keypoints', 'keypoints_visible'):
            results[key] = resample(resample(results[key], sampled), back)
        return results
